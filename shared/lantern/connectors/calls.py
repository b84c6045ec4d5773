"""What a call to a provider is made of, and how its answer is read: no network here."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable
from urllib.parse import urljoin, urlsplit

from lantern.connectors.halt import Halt
from lantern.connectors.resolution import CallError, ErrorResolution

_CODE = re.compile(r"[A-Za-z][\w.-]{0,63}", re.ASCII)
STRAY_LINK = ErrorResolution("system", "malformed", "The provider pointed to a page on another host.")


class Authorizer(Protocol):
    """Gives the `Authorization` header, and learns when one was not accepted."""

    def header(self, halt: Halt) -> str:
        """The header to send now."""
        ...

    def rejected(self, header: str) -> None:
        """The provider did not accept `header`: the next one must be fresh."""
        ...


@runtime_checkable
class RequestAuthorizer(Protocol):
    """An authorizer whose headers are made for one request, and which sees the headers of every answer."""

    def headers(self, request: "Request", halt: Halt) -> Mapping[str, str]:
        """The headers to send with this request, `Authorization` among them."""
        ...

    def heard(self, request: "Request", headers: Mapping[str, str]) -> None:
        """An answer came, of whatever status, with these headers."""
        ...

    def rejected(self, header: str) -> None:
        """The provider did not accept `header`: the next one must be fresh."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `json` and `form` are bodies (at most one of them).

    `quotas` names what it spends, as often as it costs.
    """

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = field(default=None, repr=False)
    quotas: tuple[str, ...] = ()
    authorised: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """A 2xx answer; `body` is the decoded JSON, None where there was no body."""

    status: int
    headers: Mapping[str, str]
    body: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Budget:
    """What an answer's headers say of the quota it was counted under.

    `calls` per `seconds` are allowed; `left` of them until `reset_s` from now.
    """

    calls: int
    seconds: float
    left: int
    reset_s: float


ReadBudget = Callable[[Mapping[str, str]], Budget | None]
"""Reads the headers of any answer; None where they say nothing."""


@dataclass(frozen=True, slots=True)
class Heeded:
    """What the headers of a refusal say: words for the status table, and seconds to wait (None: nothing)."""

    codes: frozenset[str] = frozenset()
    retry_after_s: float | None = None


Heed = Callable[[int, Mapping[str, str], frozenset[str], datetime], Heeded]
"""Reads the headers of a refusal: status, headers, the body's words, and the time it is now."""


def heed_nothing(_status: int, _headers: Mapping[str, str], _codes: frozenset[str], _now: datetime) -> Heeded:
    """Headers of no meaning but `Retry-After`, which is read for every provider."""
    return Heeded()


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to insist: attempts in all, and seconds of waiting in all, for one call.

    Waits are uniform between 0 and `base_s` doubled each time, up to `cap_s`. Refusals for lack of quota
    have attempts of their own, since the limiter does their waiting.
    """

    attempts: int = 4
    refused_attempts: int = 8
    base_s: float = 0.5
    cap_s: float = 20.0
    budget_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds to connect, seconds of silence, seconds for a whole answer, and bytes of it."""

    connect_s: float = 5.0
    read_s: float = 30.0
    total_s: float = 60.0
    body_bytes: int = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Admission:
    """The right to send one call, already paid for at the limiters: when it was given."""

    given: tuple[tuple[str, float], ...]


def next_link(current: str, link: str) -> str:
    """The address of a next page, which must be at the same scheme, host and port as this one.

    Raises:
        CallError: it points elsewhere; our credentials do not go there.
    """
    target = urljoin(current, link)
    if _origin(target) != _origin(current):
        raise CallError(STRAY_LINK, detail=f"next link leaves {urlsplit(current).netloc}")
    return target


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    default = {"https": 443, "http": 80}.get(parts.scheme)
    try:
        return parts.scheme, parts.hostname, parts.port or default
    except ValueError:
        return "", None, None


def error_codes(body: Any) -> frozenset[str]:
    """The machine-readable words of an error body, in the shapes that providers use.

    They go into logs: what is no plain word (a sentence, an address, a token) is left out.
    """
    if isinstance(body, list):  # several errors, each with its code
        words = [row.get("errorCode") for row in body if isinstance(row, Mapping)]
        return _plain(words)
    if not isinstance(body, Mapping):
        return frozenset()
    error = body.get("error")
    words = [error]  # RFC 6749 section 5.2
    if isinstance(error, Mapping):
        rows = [
            row for key in ("errors", "details") for row in error.get(key) or () if isinstance(row, Mapping)
        ]
        words = [error.get("status"), *(row.get("reason") for row in rows)]
    return _plain(words)


def _plain(words: list[Any]) -> frozenset[str]:
    return frozenset(word for word in words if isinstance(word, str) and _CODE.fullmatch(word))
