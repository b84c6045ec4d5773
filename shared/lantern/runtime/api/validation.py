"""Requests checked against their schemas; every fault names its field and the remedy."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from lantern.runtime.problems import FieldError, ProblemError, sentence

M = TypeVar("M", bound=BaseModel)

MAX_BODY_BYTES: Final = 262_144


class Strict(BaseModel):
    """Base of everything that clients send: unknown fields and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Question(BaseModel):
    """Base of query strings: text is read as the field's type, unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """Base of everything that the API answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_query(model: type[M], parameters: Mapping[str, Sequence[str]]) -> M:
    """The query string as `model`.

    Raises:
        ProblemError: `invalid_request`, naming the parameter.
    """
    for name, values in parameters.items():
        if len(values) > 1:
            detail = "Send this parameter once."
            raise ProblemError(
                "invalid_request", f"{name}: {detail}", fields=(FieldError(detail, parameter=name),)
            )
    try:
        return model.model_validate_strings({name: values[0] for name, values in parameters.items()})
    except ValidationError as error:
        raise from_validation(error, body=False) from error


def read_body(model: type[M], body: bytes, content_type: str) -> M:
    """The JSON body as `model`.

    Raises:
        ProblemError: too large, not JSON, or `invalid_request` naming the field.
    """
    if len(body) > MAX_BODY_BYTES:
        raise ProblemError("body_too_large", f"A body has at most {MAX_BODY_BYTES} bytes.")
    if body and content_type.split(";", maxsplit=1)[0].strip().lower() != "application/json":
        raise ProblemError("unsupported_media_type", "Send Content-Type: application/json.")
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise from_validation(error, body=True) from error


_REMEDIES: Final[Mapping[str, str]] = {
    "extra_forbidden": "This is not a field of this request: remove it.",
    "missing": "This is required.",
    "json_invalid": "The body is not JSON.",
    "string_type": "Send a string.",
    "int_type": "Send a whole number.",
    "int_parsing": "Send a whole number.",
    "bool_type": "Send true or false.",
    "bool_parsing": "Send true or false.",
    "list_type": "Send a list.",
    "dict_type": "Send an object.",
    "model_type": "Send an object.",
    "datetime_from_date_parsing": "Send a date and time as in 2026-01-31T12:00:00Z.",
    "datetime_parsing": "Send a date and time as in 2026-01-31T12:00:00Z.",
    "datetime_type": "Send a date and time as in 2026-01-31T12:00:00Z.",
    "timezone_aware": "Send a date and time with its zone, as in 2026-01-31T12:00:00Z.",
    "date_from_datetime_parsing": "Send a date as in 2026-01-31.",
    "date_parsing": "Send a date as in 2026-01-31.",
    "date_type": "Send a date as in 2026-01-31.",
}


def from_validation(error: ValidationError, *, body: bool) -> ProblemError:
    """The problem for a request that does not fit its schema; the input itself is never repeated."""
    fields = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        remedy = _REMEDIES.get(item["type"], sentence(item["msg"].removeprefix("Value error, ")))
        if body:
            fields.append(FieldError(remedy, pointer="".join(f"/{_escape(part)}" for part in item["loc"])))
        else:
            fields.append(FieldError(remedy, parameter=str(item["loc"][0]) if item["loc"] else ""))
    first = fields[0]
    where = (first.pointer or "The body") if body else first.parameter
    return ProblemError("invalid_request", f"{where}: {first.detail}", fields=tuple(fields))


def _escape(part: str | int) -> str:
    # JSON pointer (RFC 6901): ~ and / inside a name are escaped.
    return str(part).replace("~", "~0").replace("/", "~1")
