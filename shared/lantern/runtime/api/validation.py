"""Requests checked against their schemas; every fault names its field and the remedy."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from lantern.runtime.problems import FieldError, ProblemError, sentence

M = TypeVar("M", bound=BaseModel)

MAX_BODY_BYTES: Final = 262_144
MAX_ERRORS: Final = 50
"""Faults named in one answer: whoever sends a thousand gets no larger answer for it."""
MAX_UPLOAD_BYTES: Final = 4_194_304
"""Of a file as body: an event of Lambda has 6 MB, and JSON escapes in it cost room."""


class Strict(BaseModel):
    """Base of everything that clients send: unknown fields and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Question(BaseModel):
    """Base of query strings: text is read as the field's type, unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """Base of everything that the API answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_DATE_FIRST: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")


def _dated(value: Any) -> Any:
    # pydantic reads a bare number in a text as seconds since 1970; the document promises RFC 3339.
    if not isinstance(value, str) or not _DATE_FIRST.match(value):
        raise PydanticCustomError("datetime_parsing", "Not a date and time.")
    return value


def _ours(value: datetime) -> datetime:
    # At either end of the calendar another zone's time has none here, and reckoning with it would overflow.
    try:
        value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("datetime_parsing", "Not a date and time.") from None
    return value


# Not strict: that would take no text once a validator of ours has seen it. The validator is strict instead.
Instant = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_dated), AfterValidator(_ours)]
"""A date and time with its zone (RFC 3339), as clients send it."""


def choice_error(names: Sequence[str], remedy: str) -> PydanticCustomError:
    """For a model's validator: what is wrong is the choice among these fields, and each is named."""
    return PydanticCustomError("choice", "{remedy}", {"remedy": remedy, "names": tuple(names)})


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


def read_upload(media_types: Sequence[str], body: bytes, content_type: str) -> bytes:
    """A body that is a file.

    Raises:
        ProblemError: too large, of another type, or empty.
    """
    if len(body) > MAX_UPLOAD_BYTES:
        raise ProblemError(
            "body_too_large",
            f"A file in a request has at most {MAX_UPLOAD_BYTES} bytes; send a larger one by "
            "POST /v1/ingest/uploads.",
        )
    if content_type.split(";", maxsplit=1)[0].strip().lower() not in media_types:
        raise ProblemError("unsupported_media_type", f"Send Content-Type: {' or '.join(media_types)}.")
    if not body:
        raise ProblemError("invalid_request", "The body is empty: send the file as the body.")
    return body


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
    for item in error.errors(include_url=False, include_input=False)[:MAX_ERRORS]:
        remedy = _REMEDIES.get(item["type"], sentence(item["msg"].removeprefix("Value error, ")))
        for place in _places(item):
            if body:
                fields.append(FieldError(remedy, pointer="".join(f"/{_escape(part)}" for part in place)))
            else:
                fields.append(FieldError(remedy, parameter=str(place[0]) if place else ""))
    first = fields[0]
    where = (first.pointer or "The body") if body else first.parameter
    return ProblemError("invalid_request", f"{where}: {first.detail}", fields=tuple(fields))


def _places(item: ErrorDetails) -> list[tuple[str | int, ...]]:
    """Where an error is: one place, or one for each field of a choice."""
    if item["type"] == "choice":
        return [(*item["loc"], name) for name in item["ctx"]["names"]]
    return [item["loc"]]


def _escape(part: str | int) -> str:
    # JSON pointer (RFC 6901): ~ and / inside a name are escaped.
    return str(part).replace("~", "~0").replace("/", "~1")
