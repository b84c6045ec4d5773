"""Queries to one organisation, whose answers are complete or an error, and its daily requests spared."""

import re
from collections.abc import Mapping
from typing import Any, Final

from lantern.connectors.calls import Reply, Request, next_link
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HttpClient
from lantern.connectors.protocol import Clock
from lantern.connectors.resolution import CallError
from lantern.connectors.salesforce.access import AccessTokens, FixedToken
from lantern.connectors.salesforce.manifest import CALLS, DAY_SHARE, SHARE_USED, VERSION

_USAGE: Final = re.compile(r"(?:^|[,;\s])api-usage=(\d{1,12})/(\d{1,12})")
_AGAIN_S: Final = 3600.0
_FRESH_S: Final = 300.0
_PAGES: Final = 5_000
Row = Mapping[str, Any]


class DailyShare:
    """Remembers what the organisation said of its daily requests, and when it is time to leave the rest."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._used = 0
        self._limit = 0
        self._at = float("-inf")

    def note(self, headers: Mapping[str, str]) -> None:
        """Take in `Sforce-Limit-Info: api-usage=18/5000`: the requests of everybody in 24 hours."""
        found = _USAGE.search(headers.get("Sforce-Limit-Info") or "")
        if found:
            self._used, self._limit = int(found[1]), int(found[2])
            self._at = self._clock.monotonic()

    def check(self) -> None:
        """Raise when our share is used up; what was said long ago is asked again."""
        fresh = self._clock.monotonic() - self._at < _FRESH_S
        if fresh and self._limit and self._used >= DAY_SHARE * self._limit:
            raise CallError(SHARE_USED, detail="share of the daily requests is used", retry_after_s=_AGAIN_S)


class SalesforceApi:
    """The REST API of the organisation that the tokens are for."""

    def __init__(self, http: HttpClient, tokens: AccessTokens | FixedToken, clock: Clock) -> None:
        self._http = http
        self._tokens = tokens
        self._share = DailyShare(clock)

    def rows(self, soql: str, halt: Halt, *, urgent: bool = False) -> list[Row]:
        """All rows of a query, page by page.

        Args:
            soql: the query.
            halt: when to stop.
            urgent: not to be put off for the sake of the daily requests.

        Raises:
            CallError: anything else came, or fewer rows than the answer itself says there are.
        """
        address = f"{self._tokens.instance(halt)}/services/data/{VERSION}/query"
        body = self._ask(
            Request("GET", address, params={"q": soql}, quotas=(CALLS.name,)), halt, urgent=urgent
        )
        found = list(body["records"])
        for _ in range(_PAGES):
            if body["done"]:
                break
            following = body.get("nextRecordsUrl")
            if not isinstance(following, str) or not following:
                raise CallError(GARBLED, detail="query: no next page")
            address = next_link(address, following)
            body = self._ask(Request("GET", address, quotas=(CALLS.name,)), halt, urgent=urgent)
            found += body["records"]
        if not body["done"] or len(found) < body["totalSize"]:
            raise CallError(GARBLED, detail="query: rows are missing")
        return found

    def count(self, soql: str, halt: Halt) -> int:
        """The answer to a `SELECT COUNT()`."""
        address = f"{self._tokens.instance(halt)}/services/data/{VERSION}/query"
        body = self._ask(Request("GET", address, params={"q": soql}, quotas=(CALLS.name,)), halt)
        if body["records"] or not body["done"]:
            raise CallError(GARBLED, detail="count: not a number")
        number: int = body["totalSize"]
        return number

    def identity(self, path: str, halt: Halt) -> Row:
        """What an identity URL says, asked at the organisation's own address."""
        reply = self._send(Request("GET", self._tokens.instance(halt) + path), halt)
        if not isinstance(reply.body, dict):
            raise CallError(GARBLED, detail="identity: not an object")
        return reply.body

    def link(self, path: str, halt: Halt) -> str:
        """The address of a page of Setup."""
        return f"{self._tokens.instance(halt)}{path}"

    def _ask(self, request: Request, halt: Halt, *, urgent: bool = False) -> dict[str, Any]:
        if not urgent:
            self._share.check()
        body = self._send(request, halt).body
        if (
            not isinstance(body, dict)
            or not isinstance(body.get("done"), bool)
            or type(body.get("totalSize")) is not int
            or not isinstance(body.get("records"), list)
            or not all(isinstance(row, dict) for row in body["records"])
        ):
            raise CallError(GARBLED, detail="query: not a result")
        return body

    def _send(self, request: Request, halt: Halt) -> Reply:
        reply = self._http.call(request, halt)
        self._share.note(reply.headers)
        return reply
