"""Thin HTTP client of all connectors: paced, retried by table, bounded, and silent about secrets."""

import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Literal, Protocol, runtime_checkable
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ReadTimeoutError

from lantern.connectors.halt import Halt
from lantern.connectors.limiter import Limiter, Random
from lantern.connectors.protocol import Clock
from lantern.connectors.resolution import CallError, ErrorResolution, StatusTable
from lantern.domain.errors import ConnectorError

log = logging.getLogger(__name__)

_CODE = re.compile(r"[A-Za-z][\w.-]{0,63}", re.ASCII)
_CHUNK = 64 * 1024
_LEAST_S = 1.0  # what a call gets even when started at the very end

TIMED_OUT = ErrorResolution("transient", "timeout", "The provider did not answer in time.", retry=True)
UNREACHABLE = ErrorResolution("transient", "provider_error", "The provider could not be reached.", retry=True)
GARBLED = ErrorResolution(
    "transient", "malformed", "The provider sent an incomplete or unreadable answer.", retry=True
)
TOO_LARGE = ErrorResolution("system", "malformed", "The provider sent an answer of unreasonable size.")
STRAY_LINK = ErrorResolution("system", "malformed", "The provider pointed to a page on another host.")


class HaltedError(ConnectorError):
    """The work was told to stop before the provider answered; nothing is known."""

    def __init__(self) -> None:
        super().__init__("transient", "The provider did not let us finish in time.", detail="halted")


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


@dataclass(slots=True)
class _Spent:
    tries: int = 0
    refused: int = 0
    waited_s: float = 0.0


def new_session(pool: int = 100) -> requests.Session:
    """A pooled session that reads nothing from its surroundings: no proxies, no .netrc, no cookies."""
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = HTTPAdapter(pool_connections=8, pool_maxsize=pool, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


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


class HttpClient:
    """Calls to one provider on behalf of one connection; safe for threads.

    Args:
        session: from `new_session`, or a stand-in.
        table: what the provider's statuses mean.
        clock: time.
        random: jitter.
        limiters: by the quota names that requests carry.
        auth: sets the `Authorization` header of authorised requests.
        codes: finds the provider's own words in an error body.
        heed: finds more of them, and how long to wait, in the headers of a refusal.
        headers: sent with every call.
        refused: finds the words of a refusal in the body of a 2xx answer, where a provider refuses so; None
            where the body is no refusal.
        budget: reads what answers say of the quota that a request names first; its limiter follows.
    """

    def __init__(
        self,
        session: requests.Session,
        table: StatusTable,
        *,
        clock: Clock,
        random: Random,
        limiters: Mapping[str, Limiter],
        auth: Authorizer | RequestAuthorizer | None = None,
        retry: RetryPolicy | None = None,
        limits: Limits | None = None,
        codes: Callable[[Any], frozenset[str]] = error_codes,
        heed: Heed = heed_nothing,
        headers: Mapping[str, str] | None = None,
        refused: Callable[[Any], frozenset[str] | None] = lambda _: None,
        budget: ReadBudget | None = None,
    ) -> None:
        self._session = session
        self._table = table
        self._clock = clock
        self._random = random
        self._limiters = limiters
        self._auth = auth
        self._retry = retry or RetryPolicy()
        self._limits = limits or Limits()
        self._codes = codes
        self._heed = heed
        self._headers = {"Accept": "application/json", **(headers or {})}
        self._refused = refused
        self._budget = budget

    def admit(self, quotas: tuple[str, ...], halt: Halt) -> Admission | None:
        """Wait for the right to send one call; None when told to stop first."""
        given: list[tuple[str, float]] = []
        for name, cost in Counter(quotas).items():
            at = self._limiters[name].acquire(halt, cost)
            if at is None:
                self._settle(Admission(tuple(given)), None)
                return None
            given.append((name, at))
        return Admission(tuple(given))

    def call(self, request: Request, halt: Halt, admission: Admission | None = None) -> Reply:
        """Send, and send again while that may help.

        Args:
            request: what to ask.
            halt: when to stop asking again.
            admission: a right to send that the caller already waited for.

        Raises:
            CallError: the provider did not answer as documented, after all attempts.
            HaltedError: told to stop before an answer came.
        """
        spent = _Spent()
        while True:
            admission = admission or self.admit(request.quotas, halt)
            if admission is None:
                raise HaltedError
            try:
                return self._attempt(request, halt, admission)
            except CallError as error:
                admission = None
                if not self._wait(error, spent, halt):
                    raise

    def _wait(self, error: CallError, spent: _Spent, halt: Halt) -> bool:
        """Wait before the next attempt; False when there shall be none."""
        resolution, retry = error.resolution, self._retry
        if not resolution.retry:
            return False
        if resolution.refusal == "yes":
            spent.refused += 1
            if spent.refused >= retry.refused_attempts:
                return False
        else:
            spent.tries += 1
            if spent.tries >= retry.attempts:
                return False
        wait = self._random() * min(retry.cap_s, retry.base_s * 2.0 ** (spent.tries + spent.refused))
        wait = max(wait, error.retry_after_s or 0.0)
        if spent.waited_s + wait > retry.budget_s:
            return False
        spent.waited_s += wait
        if not halt.sleep(wait):
            raise HaltedError from error
        return True

    def _attempt(self, request: Request, halt: Halt, admission: Admission) -> Reply:
        failure: CallError | None = None
        sent: Mapping[str, str] = {}
        try:
            sent = self._authorise(request, halt)
            return self._send(request, sent, halt)
        except CallError as error:
            failure = error
            header = sent.get("Authorization")
            if header and self._auth and error.resolution.stale_token:
                self._auth.rejected(header)
            raise
        finally:
            self._settle(admission, failure)

    def _authorise(self, request: Request, halt: Halt) -> Mapping[str, str]:
        if self._auth is None or not request.authorised:
            return {}
        if isinstance(self._auth, RequestAuthorizer):
            return self._auth.headers(request, halt)
        return {"Authorization": self._auth.header(halt)}

    def _heard(self, request: Request, headers: Mapping[str, str]) -> Budget | None:
        """Pass on what an answer's headers say, whatever its status."""
        if request.authorised and isinstance(self._auth, RequestAuthorizer):
            self._auth.heard(request, headers)
        said = self._budget(headers) if self._budget else None
        if said and request.quotas:
            limiter = self._limiters[request.quotas[0]]
            limiter.told(said.calls / said.seconds, said.reset_s if said.left <= 0 else None)
        return said

    def _settle(self, admission: Admission, failure: CallError | None) -> None:
        refusal = failure.resolution.refusal if failure else "no"
        for name, at in admission.given:
            limiter = self._limiters[name]
            if failure and refusal == "yes":
                limiter.refused(at, failure.retry_after_s)
            elif refusal == "maybe":
                limiter.suspected(at)
            else:
                limiter.answered(at)

    def _send(self, request: Request, authorisation: Mapping[str, str], halt: Halt) -> Reply:
        headers = {**self._headers, **authorisation}
        limits = self._limits
        try:
            with self._session.request(
                request.method,
                request.url,
                params=request.params,
                headers=headers,
                json=request.json,
                data=request.form,
                timeout=(limits.connect_s, min(limits.read_s, max(_LEAST_S, halt.left_s()))),
                allow_redirects=False,
                stream=True,
            ) as response:
                raw = self._body(response)
                return self._judge(request, response, raw)
        # Only the kind of failure is kept: the text of a requests exception holds the whole address.
        except requests.Timeout as error:
            raise CallError(TIMED_OUT, detail=_where(request, error)) from None
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
            raise CallError(GARBLED, detail=_where(request, error)) from None
        except requests.RequestException as error:
            silent = bool(error.args) and isinstance(error.args[0], ReadTimeoutError)
            raise CallError(TIMED_OUT if silent else UNREACHABLE, detail=_where(request, error)) from None

    def _body(self, response: requests.Response) -> bytes:
        started = self._clock.monotonic()
        raw = bytearray()
        for chunk in response.iter_content(_CHUNK):
            raw += chunk
            if len(raw) > self._limits.body_bytes:
                raise CallError(TOO_LARGE, status=response.status_code)
            if self._clock.monotonic() - started > self._limits.total_s:
                raise CallError(TIMED_OUT, status=response.status_code)
        return bytes(raw)

    def _judge(self, request: Request, response: requests.Response, raw: bytes) -> Reply:
        status = response.status_code
        said = self._heard(request, response.headers)
        body: Any = None
        readable = True
        if raw:
            try:
                body = json.loads(raw)
            except (ValueError, RecursionError):
                readable = False
        if 200 <= status < 300:
            if not readable:
                raise CallError(GARBLED, status=status, detail=_where(request, None))
            refusal = self._refused(body)
            if refusal is None:
                return Reply(status, response.headers, body)
            codes = refusal
        else:
            codes = self._codes(body)
        heeded = self._heed(status, response.headers, codes, self._clock.now())
        codes |= heeded.codes
        waits = (
            heeded.retry_after_s,
            self._retry_after(response.headers.get("Retry-After")),
            said.reset_s if said and said.left <= 0 else None,
        )
        raise CallError(
            self._table.resolve(status, codes),
            status=status,
            codes=codes,
            detail=f"{_where(request, None)} answered {status} {' '.join(sorted(codes))}".rstrip(),
            retry_after_s=next((wait for wait in waits if wait is not None), None),
        )

    def _retry_after(self, value: str | None) -> float | None:
        """RFC 9110 section 10.2.3: seconds or an HTTP date."""
        if not value:
            return None
        if value.strip().isdigit():
            return float(value)
        try:
            at = parsedate_to_datetime(value)
            return max(0.0, (at - self._clock.now()).total_seconds())
        except (TypeError, ValueError):
            return None


def _where(request: Request, error: Exception | None) -> str:
    """Method and host: paths and parameters may name people or hold secrets."""
    host = urlsplit(request.url).netloc
    return f"{request.method} {host}" + (f": {type(error).__name__}" if error else "")
