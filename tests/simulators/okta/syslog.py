"""The System Log: a feed without end, and windows of the past; filters; ninety days of memory."""

import base64
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from tests.simulators.google.wire import Request, Response

from .wire import OktaError, invalid, limit_of, linked
from .world import World, app_target, log_event

DAY = 86_400.0
REMEMBERED_S = 90 * DAY
_TOKEN = re.compile(r'\s*(\(|\)|"(?:[^"\\]|\\.)*"|[^\s()"]+)')
Predicate = Callable[[dict[str, Any]], bool]


class SystemLog:
    """Serves `/api/v1/logs`."""

    def __init__(self, world: World, base: Callable[[], str]) -> None:
        self._world = world
        self._base = base
        self.signed_on = lru_cache(maxsize=400)(self._signed_on)

    def get(self, request: Request) -> Response:
        query = request.query
        limit = limit_of(request, 100, 1000, 0)
        if request.half_page:
            limit = max(1, limit // 2)
        keep = predicate(query["filter"]) if query.get("filter") else lambda _: True
        order = query.get("sortOrder", "ASCENDING")
        if order not in ("ASCENDING", "DESCENDING"):
            raise invalid("sortOrder")
        if query.get("until") or order == "DESCENDING":
            return self._window(request, limit, keep, order)
        return self._feed(request, limit, keep)

    def _feed(self, request: Request, limit: int, keep: Predicate) -> Response:
        """In the order of storing; the next link is always there, and the same when nothing is new."""
        log = self._world.state.log
        if "after" in request.query:
            start = _number(request.query["after"])
        else:
            since = _at(request.query.get("since")) or self._world.clock.now() - 7 * DAY
            start = next((n for n, e in enumerate(log) if (_at(e["published"]) or 0) >= since), len(log))
        rows, position = [], start
        while position < len(log) and len(rows) < limit:
            if keep(log[position]):
                rows.append(log[position])
            position += 1
        return linked(self._base(), request, rows, after=_token(position))

    def _window(self, request: Request, limit: int, keep: Predicate, order: str) -> Response:
        now = self._world.clock.now()
        until = _at(request.query.get("until")) or now
        since = _at(request.query.get("since")) or until - 7 * DAY
        if since > until:
            raise invalid("since: must not be later than until")
        rows = [e for e in self.between(max(since, now - REMEMBERED_S), until) if keep(e)]
        if order == "DESCENDING":
            rows.reverse()
        start = _number(request.query["after"]) if "after" in request.query else 0
        end = start + limit
        return linked(self._base(), request, rows[start:end], after=_token(end) if end < len(rows) else None)

    def between(self, since: float, until: float) -> list[dict[str, Any]]:
        """Everything of a window in order of time: what happened here, and the generated past."""
        anchor = self._world.state.anchor
        found = [e for e in self._world.state.log if since <= (_at(e["published"]) or 0) < until]
        first, last = int(since // DAY), int(min(until, anchor) // DAY)
        for day in range(first, last + 1):
            found += [
                e for e in self.signed_on(day) if since <= (_at(e["published"]) or 0) < min(until, anchor)
            ]
        return sorted(found, key=lambda e: (e["published"], e["uuid"]))

    def _signed_on(self, day: int) -> tuple[dict[str, Any], ...]:
        """The generated sign-ins of one day, some of which failed."""
        state = self._world.state
        rng = random.Random(f"{state.spec.seed} {day}")
        made = []
        for user in state.users.values():
            apps = [
                app
                for app in state.apps.values()
                if app.status == "ACTIVE" and self._world.assignment(user, app)
            ]
            count = rng.random() * 2 * state.spec.events_per_user_day
            for number in range(int(count) + (rng.random() < count % 1)):
                if apps:
                    result = "FAILURE" if rng.random() < 0.1 else "SUCCESS"
                    at = (day + rng.random()) * DAY
                    identity = f"gen-{day}-{user.id}-{number}"
                    target = [app_target(rng.choice(apps))]
                    made.append(
                        log_event(
                            at, "user.authentication.sso", user, target, result=result, identity=identity
                        )
                    )
        return tuple(made)


def predicate(text: str) -> Predicate:
    """A SCIM filter: `eq`, `ne`, `sw` and `co`, joined by `and`, `or`, `not` and parentheses."""
    tokens = [match[1] for match in _TOKEN.finditer(text)]
    position = 0

    def peek() -> str:
        return tokens[position] if position < len(tokens) else ""

    def take() -> str:
        nonlocal position
        if position >= len(tokens):
            raise OktaError(400, "E0000031")
        position += 1
        return tokens[position - 1]

    def either() -> Predicate:
        parts = [both()]
        while peek().lower() == "or":
            take()
            parts.append(both())
        return lambda e: any(part(e) for part in parts)

    def both() -> Predicate:
        parts = [one()]
        while peek().lower() == "and":
            take()
            parts.append(one())
        return lambda e: all(part(e) for part in parts)

    def one() -> Predicate:
        word = take()
        if word.lower() == "not":
            inner = one()
            return lambda e: not inner(e)
        if word == "(":
            inner = either()
            if take() != ")":
                raise OktaError(400, "E0000031")
            return inner
        return compare(word, take().lower(), take())

    made = either()
    if position != len(tokens):
        raise OktaError(400, "E0000031")
    return made


def compare(path: str, operator: str, literal: str) -> Predicate:
    """One comparison."""
    if not re.fullmatch(r"[A-Za-z.]+", path) or literal[:1] != '"':
        raise OktaError(400, "E0000031")
    value = re.sub(r"\\(.)", r"\1", literal[1:-1])
    tests: dict[str, Callable[[str], bool]] = {
        "eq": lambda found: found == value,
        "ne": lambda found: found != value,
        "sw": lambda found: found.startswith(value),
        "co": lambda found: value in found,
    }
    if operator not in tests:
        raise OktaError(400, "E0000031")
    test = tests[operator]
    return lambda row: any(test(found) for found in _values(row, path.split(".")))


def _values(row: Any, path: list[str]) -> list[str]:
    if not path:
        return [str(row)] if row is not None else []
    if isinstance(row, list):
        return [found for item in row for found in _values(item, path)]
    return _values(row.get(path[0]), path[1:]) if isinstance(row, dict) else []


@lru_cache(maxsize=200_000)
def _at(text: str | None) -> float | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise invalid("since/until: not a valid date") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _token(position: int) -> str:
    return base64.urlsafe_b64encode(f"1:{position}".encode()).rstrip(b"=").decode()


def _number(token: str) -> int:
    try:
        kind, number = base64.urlsafe_b64decode(token + "==").decode().split(":")
        if kind != "1":
            raise ValueError(kind)
        return int(number)
    except ValueError:
        raise invalid("after: The cursor is invalid.") from None
