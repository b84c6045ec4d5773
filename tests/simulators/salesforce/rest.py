"""`/services/data/…/query`: sessions, daily requests, pages, expiring cursors, the limits of each table."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.simulators.google.wire import Request, Response, json_response

from .model import Person, World
from .oauth import Sessions
from .schema import TABLES, Table
from .soql import Condition, MalformedQueryError, Query, holds, parse
from .wire import SalesforceError

CURSOR_S = 900.0
LONGEST_URI = 16_384


@dataclass(slots=True)
class DailyLimit:
    """Requests of 24 hours, everybody's; `used` counts up with every call that is let in."""

    limit: int = 1_000_000
    used: int = 0

    @property
    def header(self) -> dict[str, str]:
        """`Sforce-Limit-Info`."""
        return {"Sforce-Limit-Info": f"api-usage={self.used}/{self.limit}"}


@dataclass(slots=True)
class _Cursor:
    caller: str
    rows: list[dict[str, Any]]
    total: int
    page: int
    expires_at: float


class Rest:
    """The REST API of the organisation."""

    def __init__(self, world: World, sessions: Sessions) -> None:
        self._world = world
        self._sessions = sessions
        self.daily = DailyLimit()
        self.unfilterable: set[str] = set()
        self.missing_tables: set[str] = set()
        self.queries: list[str] = []
        self._cursors: dict[str, _Cursor] = {}

    def query(self, request: Request, version: str) -> Response:
        """`GET …/query?q=`."""
        with self._world.lock:
            caller = self._admit(request, version)
            text = request.query.get("q", "")
            if len(request.path) + len(text) > LONGEST_URI:
                raise SalesforceError(414, "URI_TOO_LONG", "URI Too Long")
            self.queries.append(text)
            try:
                query = parse(text)
            except (MalformedQueryError, ValueError) as error:
                raise SalesforceError(400, "MALFORMED_QUERY", str(error)) from None
            table = self._table(query)
            rows = self._rows(query, table, caller)
            if not query.fields:
                return self._answer({"totalSize": len(rows), "done": True, "records": []})
            total = len(rows) if table.stops_at is None else min(len(rows), table.stops_at)
            shown = [_shown(row, query) for row in rows[:total]]
            page = max(1, table.page // 2) if request.half_page else table.page
            return self._page(_Cursor(caller.id, shown, total, page, 0.0), version)

    def more(self, request: Request, version: str, locator: str) -> Response:
        """`GET …/query/{locator}`: the next page."""
        with self._world.lock:
            caller = self._admit(request, version)
            cursor = self._cursors.pop(locator, None)
            if cursor is None or cursor.caller != caller.id or cursor.expires_at < self._world.clock.now():
                raise SalesforceError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
            return self._page(cursor, version)

    def _page(self, cursor: _Cursor, version: str) -> Response:
        head, rest = cursor.rows[: cursor.page], cursor.rows[cursor.page :]
        body: dict[str, Any] = {"totalSize": cursor.total, "done": not rest, "records": head}
        if rest:
            locator = f"0r8{secrets.token_hex(8)}-{cursor.page}"
            expiry = self._world.clock.now() + CURSOR_S
            self._cursors[locator] = _Cursor(cursor.caller, rest, cursor.total, cursor.page, expiry)
            body["nextRecordsUrl"] = f"/services/data/{version}/query/{locator}"
        return self._answer(body)

    def _answer(self, body: dict[str, Any]) -> Response:
        return json_response(body, headers=self.daily.header)

    def identity(self, request: Request, organisation: str, user: str) -> Response:
        """The identity URL."""
        with self._world.lock:
            session = self._sessions.bearer(request)
            person = self._world.people.get(user)
            if session.user_id != user or organisation != self._world.organisation_id or person is None:
                raise SalesforceError(403, "Wrong_Org", "Wrong_Org")
            return json_response(
                {
                    "id": f"{self._sessions.base_url}/id/{organisation}/{user}",
                    "user_id": user,
                    "organization_id": organisation,
                    "username": person.email,
                    "display_name": person.name,
                    "email": person.email,
                    "email_verified": True,
                    "active": person.active,
                    "user_type": person.user_type.upper(),
                }
            )

    def _admit(self, request: Request, version: str) -> Person:
        session = self._sessions.bearer(request)
        if not (version[:1] == "v" and version[1:].replace(".", "").isdigit()):
            raise SalesforceError(404, "NOT_FOUND", "The requested resource does not exist")
        if self.daily.used >= self.daily.limit:
            text = "TotalRequests Limit exceeded."
            raise SalesforceError(403, "REQUEST_LIMIT_EXCEEDED", text, self.daily.header)
        self.daily.used += 1
        if "api" not in session.scopes:
            raise SalesforceError(
                403, "INSUFFICIENT_ACCESS", "This session is not valid for use with the REST API"
            )
        return self._world.people[session.user_id]

    def _table(self, query: Query) -> Table:
        table = TABLES.get(query.table)
        if table is None or query.table in self.missing_tables:
            raise SalesforceError(400, "INVALID_TYPE", f"sObject type '{query.table}' is not supported.")
        named = [*query.fields, *(one.field for one in query.where), *([query.order] if query.order else [])]
        for field in named:
            if field not in table.fields:
                raise SalesforceError(
                    400, "INVALID_FIELD", f"No such column '{field}' on entity '{query.table}'."
                )
        for field in (one.field for one in query.where):
            if field in table.unfilterable or f"{query.table}.{field}" in self.unfilterable:
                text = f"field '{field}' can not be filtered in a query call"
                raise SalesforceError(400, "INVALID_FIELD", text)
        return table

    def _rows(self, query: Query, table: Table, caller: Person) -> list[dict[str, Any]]:
        rows = [
            row
            for row in table.rows(self._world, caller)
            if all(_holds(one, row.get(one.field)) for one in query.where)
        ]
        if query.order:
            field = query.order
            rows.sort(key=lambda row: (row[field] is not None, row[field]))
        return rows if query.limit is None else rows[: query.limit]


def _holds(condition: Condition, value: Any) -> bool:
    wanted = condition.value
    if (
        isinstance(value, datetime) != isinstance(wanted, datetime)
        and wanted is not None
        and value is not None
    ):
        raise SalesforceError(
            400, "INVALID_FIELD", f"value of filter criterion for field '{condition.field}'"
        )
    return holds(condition, value)


def _shown(row: dict[str, Any], query: Query) -> dict[str, Any]:
    shown: dict[str, Any] = {"attributes": {"type": query.table}}
    for name in query.fields:
        value = row.get(name)
        if isinstance(value, datetime):
            value = f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}+0000"
        *parents, leaf = name.split(".")
        at = shown
        for parent in parents:
            at = at.setdefault(parent, {"attributes": {"type": parent}})
        at[leaf] = value
    return shown
