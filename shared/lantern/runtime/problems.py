"""Problem details (RFC 9457): every error the API answers with, one stable `code` each."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lantern.domain import errors

MEDIA_TYPE: Final = "application/problem+json"

logger = logging.getLogger(__name__)

CODES: Final[Mapping[str, tuple[int, str]]] = {
    "invalid_request": (400, "The request is not valid"),
    "unauthorized": (401, "An API key is needed"),
    "scope_missing": (403, "The API key lacks a scope"),
    "tenant_suspended": (403, "The tenant is suspended"),
    "forbidden": (403, "This is not allowed"),
    "not_found": (404, "There is no such thing"),
    "method_not_allowed": (405, "The method does not fit the path"),
    "conflict": (409, "The state does not allow this"),
    "request_in_progress": (409, "The same request is still being worked on"),
    "precondition_failed": (412, "It changed since it was read"),
    "body_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The body is of another type than this takes"),
    "idempotency_key_reused": (422, "The idempotency key belongs to another request"),
    "precondition_required": (428, "If-Match is needed"),
    "rate_limited": (429, "Too many requests"),
    "internal": (500, "Something went wrong here"),
    "provider_failed": (502, "The provider did not answer as documented"),
    "provider_busy": (503, "The provider asks to wait"),
    "unavailable": (503, "The store did not answer"),
}
"""Every code with its status and title; part of the API's contract."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one input: a JSON pointer into the body or a parameter's name, and the remedy."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None

    def document(self) -> dict[str, str]:
        """The member of `errors` for this input."""
        where = {"pointer": self.pointer} if self.pointer is not None else {"parameter": self.parameter or ""}
        return {**where, "detail": self.detail}


class ProblemError(errors.LanternError):
    """An answer that is an error.

    Attributes:
        code: one of `CODES`.
        detail: one sentence about this occurrence; no secret, no internal.
        fields: which inputs are wrong, where that is the problem.
        headers: extra response headers.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        fields: tuple[FieldError, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.fields = fields
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        """The HTTP status of the code."""
        return CODES[self.code][0]


@dataclass(frozen=True, slots=True)
class ProblemAnswer:
    """A problem ready to send: status, encoded body, headers."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(problem: ProblemError, request_id: str) -> ProblemAnswer:
    """Encode a problem; the request id is what support asks for."""
    status, title = CODES[problem.code]
    document: dict[str, object] = {
        "type": f"urn:lantern:problem:{problem.code}",
        "title": title,
        "status": status,
        "code": problem.code,
        "detail": problem.detail,
        "request_id": request_id,
    }
    if problem.fields:
        document["errors"] = [item.document() for item in problem.fields]
    return ProblemAnswer(status, json.dumps(document), {"Content-Type": MEDIA_TYPE, **problem.headers})


def from_error(error: Exception) -> ProblemError:
    """The problem that an exception means to the caller; anything unforeseen is `internal`.

    The message of an unforeseen exception never reaches the caller: it may hold anything.
    """
    for kind, meaning in _MEANINGS:
        if isinstance(error, kind):
            return meaning(error)
    logger.error("unforeseen error", exc_info=error)
    return ProblemError("internal", "The fault is ours and has been recorded under this request id.")


def _connector(error: errors.ConnectorError) -> ProblemError:
    if error.kind == "config":
        return ProblemError("conflict", error.user_message)
    wait = {"Retry-After": str(max(1, round(error.retry_after_s)))} if error.retry_after_s is not None else {}
    code = "provider_busy" if error.kind == "rate_limited" else "provider_failed"
    return ProblemError(code, error.user_message, headers=wait)


def invalid(error: errors.InvalidInputError) -> ProblemError:
    """The problem for input that a use-case refused."""
    remedy = sentence(error.remedy)
    return ProblemError("invalid_request", f"{error.field}: {remedy}", fields=(_named(error.field, remedy),))


def sentence(text: str) -> str:
    """Words of the domain as a sentence for the caller."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _named(name: str, remedy: str) -> FieldError:
    if name.startswith("/"):
        return FieldError(remedy, pointer=name)
    return FieldError(remedy, parameter=name)


def _unavailable(error: errors.StorageError) -> ProblemError:
    logger.error("the store did not answer", exc_info=error)
    return ProblemError("unavailable", "Ask again shortly.", headers={"Retry-After": "1"})


_MEANINGS: Final[tuple[tuple[type[Exception], Callable[[Any], ProblemError]], ...]] = (
    (ProblemError, lambda error: error),
    (errors.InvalidInputError, invalid),
    (errors.NotFoundError, lambda e: ProblemError("not_found", f"There is no {e.what} {e.identifier}.")),
    (
        errors.RevisionConflictError,
        lambda _: ProblemError(
            "precondition_failed", "It was changed meanwhile; read it again and decide anew."
        ),
    ),
    (
        errors.ConflictError,
        lambda e: ProblemError("conflict", sentence(str(e) or "The state does not allow this.")),
    ),
    (
        errors.TenantSuspendedError,
        lambda _: ProblemError("tenant_suspended", "Ask your Lantern operator to resume the tenant."),
    ),
    (errors.ForbiddenError, lambda e: ProblemError("forbidden", sentence(str(e) or "This is not allowed."))),
    (errors.ConnectorError, _connector),
    (errors.StorageError, _unavailable),
)
"""What each exception means; the first that fits, so subclasses come first."""
