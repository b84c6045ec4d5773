"""Thin HTTP client of all connectors: paced, retried by table, bounded, and silent about secrets."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ReadTimeoutError

from lantern.connectors.calls import (
    Admission,
    Authorizer,
    Budget,
    Heed,
    Limits,
    ReadBudget,
    Reply,
    Request,
    RequestAuthorizer,
    RetryPolicy,
    error_codes,
    heed_nothing,
)
from lantern.connectors.halt import Halt
from lantern.connectors.limiter import Limiter, Random
from lantern.connectors.protocol import Clock
from lantern.connectors.resolution import CallError, ErrorResolution, StatusTable
from lantern.domain.errors import ConnectorError

log = logging.getLogger(__name__)

_CHUNK = 64 * 1024
_LEAST_S = 1.0  # what a call gets even when started at the very end

TIMED_OUT = ErrorResolution("transient", "timeout", "The provider did not answer in time.", retry=True)
UNREACHABLE = ErrorResolution("transient", "provider_error", "The provider could not be reached.", retry=True)
GARBLED = ErrorResolution(
    "transient", "malformed", "The provider sent an incomplete or unreadable answer.", retry=True
)
TOO_LARGE = ErrorResolution("system", "malformed", "The provider sent an answer of unreasonable size.")


class HaltedError(ConnectorError):
    """The work was told to stop before the provider answered; nothing is known."""

    def __init__(self) -> None:
        super().__init__("transient", "The provider did not let us finish in time.", detail="halted")


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
