"""Faults by rule: which requests they hit, how often, and what happens then. Seeded and countable."""

import random
import re
import threading
from dataclasses import dataclass, field, fields
from typing import Any

from .clock import Clock
from .wire import ApiError, Response, json_response

KINDS = ("status", "latency", "truncate", "cut", "reset", "half_page", "outage")
REASONS = {
    400: ("badRequest", "Bad Request"),
    401: ("authError", "Invalid Credentials"),
    403: ("forbidden", "Not Authorized to access this resource/api"),
    404: ("notFound", "Resource Not Found: userKey"),
    408: ("backendError", "Request Timeout"),
    409: ("conflict", "Conflict"),
    410: ("deleted", "Resource has been deleted"),
    412: ("conditionNotMet", "Precondition Failed"),
    429: ("rateLimitExceeded", "Quota exceeded for quota metric 'Queries'"),
    500: ("backendError", "Internal error encountered."),
    502: ("backendError", "Bad Gateway"),
    503: ("backendError", "Service unavailable. Please try again"),
    504: ("backendError", "Deadline exceeded"),
}


@dataclass(slots=True)
class Fault:
    """One rule.

    `path` is a regular expression searched in the path; `method` an HTTP method or empty. A rule strikes
    with `probability`, after `skip` matching requests, at most `count` times (None: no limit), and for an
    `outage` only while the clock is in [`starts_at`, `ends_at`). `after` lets the request take effect
    first, so that only the reply is lost. Kinds: `status` (and `outage`) answer Google's error body;
    `latency` waits `seconds`; `truncate` closes the connection in the middle of the body; `cut` sends
    half of the body as if it were all; `reset` closes without an answer; `half_page` halves a page of a
    paged listing (and cuts an unpaged one).
    """

    kind: str
    path: str = "."
    method: str = ""
    probability: float = 1.0
    count: int | None = None
    skip: int = 0
    status: int = 503
    reason: str = ""
    message: str = ""
    seconds: float = 0.0
    retry_after: int | None = None
    after: bool = False
    html: bool = False
    starts_at: float | None = None
    ends_at: float | None = None
    id: int = 0
    hits: int = 0
    seen: int = 0
    pattern: re.Pattern[str] = field(default_factory=lambda: re.compile("."))

    def response(self) -> Response:
        """What a `status` or `outage` rule answers."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.html:
            page = f"<html><title>Error {self.status}</title><p>That is an error.</html>".encode()
            return Response(self.status, page, {"Content-Type": "text/html; charset=UTF-8", **headers})
        reason, message = REASONS.get(self.status, ("backendError", "Backend Error"))
        error = ApiError(self.status, self.reason or reason, self.message or message, rpc=True)
        return json_response(error.payload, self.status, headers)


class Faults:
    """The rules in force; `rule` says what a rule answers."""

    rule = Fault

    def __init__(self, clock: Clock, seed: int = 0) -> None:
        self._clock = clock
        self._rng = random.Random(seed)
        self._lock = threading.Lock()
        self._rules: list[Fault] = []
        self._ids = 0

    def add(self, **rule: Any) -> int:
        """Put a rule in force and return its id."""
        fault = self.rule(**rule)
        if fault.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        fault.pattern = re.compile(fault.path)
        with self._lock:
            self._ids += 1
            fault.id = self._ids
            self._rules = [*self._rules, fault]
        return fault.id

    def clear(self, fault_id: int | None = None) -> None:
        """Drop one rule, or all of them."""
        with self._lock:
            self._rules = [] if fault_id is None else [rule for rule in self._rules if rule.id != fault_id]

    def reseed(self, seed: int) -> None:
        """Restart the random sequence."""
        with self._lock:
            self._rng = random.Random(seed)

    def describe(self) -> list[dict[str, Any]]:
        """The rules with how often each was seen and struck."""
        with self._lock:
            return [{k: v for k, v in asdict_rule(rule).items() if v is not None} for rule in self._rules]

    def striking(self, method: str, path: str) -> list[Fault]:
        """The rules that strike this request; each counts the strike."""
        if not self._rules:
            return []
        with self._lock:
            return [rule for rule in self._rules if self._strikes(rule, method, path)]

    def _strikes(self, rule: Fault, method: str, path: str) -> bool:
        if (rule.method and rule.method != method) or not rule.pattern.search(path):
            return False
        now = self._clock.now()
        early = rule.starts_at is not None and now < rule.starts_at
        late = rule.ends_at is not None and now >= rule.ends_at
        if early or late or (rule.count is not None and rule.hits >= rule.count):
            return False
        rule.seen += 1
        if rule.seen <= rule.skip or self._rng.random() >= rule.probability:
            return False
        rule.hits += 1
        return True


def asdict_rule(rule: Fault) -> dict[str, Any]:
    """A rule as JSON."""
    return {f.name: getattr(rule, f.name) for f in fields(rule) if f.name != "pattern"}
