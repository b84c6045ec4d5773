"""Calls to one organisation's Okta API whose answers are what they claim to be."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit

from requests.utils import parse_header_links

from lantern.connectors.calls import Admission, Budget, Reply, Request, error_codes, next_link
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HttpClient
from lantern.connectors.okta.manifest import (
    APP_LIST,
    LOG,
    OF_USER,
    ONE_APP,
    ONE_USER,
    OTHERS,
    USER_LIST,
)
from lantern.connectors.resolution import CallError

Row = Mapping[str, Any]

_CODE: Final = re.compile(r"E\d{7}")
# "Management rate limits" page: which calls are counted together. The first match counts.
_BUCKETS: Final = tuple(
    (re.compile(pattern), methods, quota.name)
    for pattern, methods, quota in (
        (r"/api/v1/apps/[^/]+", "GET POST DELETE", ONE_APP),
        (r"/api/v1/apps(/.*)?", "GET POST DELETE", APP_LIST),
        (r"/api/v1/users", "GET POST", USER_LIST),
        (r"/api/v1/users/[^/]+", "GET", ONE_USER),
        (r"/api/v1/users/.*", "GET POST DELETE", OF_USER),
        (r"/api/v1/logs", "GET", LOG),
    )
)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a listing; `following` is where it goes on, a path with its query, None after the last page."""

    rows: list[Row]
    following: str | None


class OktaApi:
    """The API of the organisation at one base address."""

    def __init__(self, http: HttpClient, base: str) -> None:
        self._http = http
        self.base = base.rstrip("/")

    def admit(self, path: str, halt: Halt) -> Admission | None:
        """Wait for the right to send one GET to this path; None when told to stop."""
        return self._http.admit((bucket("GET", path),), halt)

    def one(self, path: str, halt: Halt, *, params: Mapping[str, str] | None = None) -> Row:
        """GET one object.

        Raises:
            CallError: anything else came.
        """
        body = self._get(path, params or {}, halt, None).body
        if not isinstance(body, dict):
            raise CallError(GARBLED, detail="expected an object")
        return body

    def found(self, path: str, halt: Halt) -> Row | None:
        """GET one object that may not be there."""
        try:
            return self.one(path, halt)
        except CallError as error:
            if error.reason == "not_found":
                return None
            raise

    def probe(self, path: str, halt: Halt) -> None:
        """GET something only to see whether that is allowed."""
        self._get(path, {}, halt, None)

    def page(
        self,
        path: str,
        halt: Halt,
        *,
        params: Mapping[str, str] | None = None,
        admission: Admission | None = None,
    ) -> Page:
        """GET one page of a listing: a list of objects, or (newer APIs) an object with the list in `data`.

        Raises:
            CallError: anything else came, or the next link leaves the organisation.
        """
        reply = self._get(path, params or {}, halt, admission)
        body, link = reply.body, None
        if isinstance(body, dict) and isinstance(body.get("data"), list):
            body, link = body["data"], _href(body.get("_links"))
        if not isinstance(body, list) or not all(isinstance(row, dict) for row in body):
            raise CallError(GARBLED, detail="expected a list of objects")
        link = link or _next(reply.headers.get("Link"))
        return Page(body, self.relative(link) if link else None)

    def rows(
        self,
        path: str,
        halt: Halt,
        *,
        params: Mapping[str, str] | None = None,
        admission: Admission | None = None,
    ) -> Iterator[Row]:
        """Every row of a listing, page by page."""
        page = self.page(path, halt, params=params, admission=admission)
        yield from page.rows
        while page.following:
            page = self.page(page.following, halt)
            yield from page.rows

    def send(
        self,
        method: Literal["POST", "DELETE"],
        path: str,
        halt: Halt,
        *,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
    ) -> Reply:
        """POST or DELETE."""
        quotas = (bucket(method, path),)
        return self._http.call(
            Request(method, self.base + path, params=params or {}, json=json, quotas=quotas), halt
        )

    def removed(self, path: str, halt: Halt, *, params: Mapping[str, str] | None = None) -> bool:
        """DELETE; False where there is no such thing."""
        try:
            self.send("DELETE", path, halt, params=params)
        except CallError as error:
            if error.reason == "not_found":
                return False
            raise
        return True

    def _get(self, path: str, params: Mapping[str, str], halt: Halt, admission: Admission | None) -> Reply:
        request = Request("GET", self.base + path, params=params, quotas=(bucket("GET", path),))
        return self._http.call(request, halt, admission)

    def relative(self, link: str) -> str:
        """A link of an answer as a path with its query.

        Raises:
            CallError: it leaves the organisation.
        """
        address = next_link(self.base + "/", link)
        return address[len(self.base) :]


def bucket(method: str, path: str) -> str:
    """The name of the quota that a call is counted under."""
    plain = urlsplit(path).path
    return next(
        (
            name
            for pattern, methods, name in _BUCKETS
            if method in methods.split() and pattern.fullmatch(plain)
        ),
        OTHERS.name,
    )


def codes(body: Any) -> frozenset[str]:
    """The error code of Okta's own error bodies (`E0000007`), or the words of an OAuth error."""
    code = body.get("errorCode") if isinstance(body, dict) else None
    own = frozenset({code}) if isinstance(code, str) and _CODE.fullmatch(code) else frozenset[str]()
    return own | error_codes(body)


def budget(now: Callable[[], datetime]) -> Callable[[Mapping[str, str]], Budget | None]:
    """Reads `X-Rate-Limit-*`: calls a minute, calls left, and when the minute ends (epoch seconds).

    The end is counted from the answer's own `Date`, so that a clock of ours that is off does no harm. A
    refusal for too many calls at once has Limit 0 and says nothing of the minute.
    """

    def read(headers: Mapping[str, str]) -> Budget | None:
        try:
            calls = int(headers["X-Rate-Limit-Limit"])
            left, reset = int(headers["X-Rate-Limit-Remaining"]), int(headers["X-Rate-Limit-Reset"])
        except (KeyError, ValueError):
            return None
        if calls <= 0:
            return None
        wait = reset - _date(headers.get("Date"), now)
        # One second more: both are whole seconds.
        return Budget(calls, 60.0, left, min(max(wait, 0.0) + 1.0, 61.0))

    return read


def _date(value: str | None, now: Callable[[], datetime]) -> float:
    try:
        return parsedate_to_datetime(value).timestamp() if value else now().timestamp()
    except ValueError:
        return now().timestamp()


def segment(value: str) -> str:
    """A value as one path segment; ids and logins may hold anything."""
    return quote(value, safe="")


def _next(header: str | None) -> str | None:
    links = parse_header_links(header) if header else []
    return next((link["url"] for link in links if link.get("rel") == "next"), None)


def _href(links: Any) -> str | None:
    found = links.get("next") if isinstance(links, dict) else None
    href = found.get("href") if isinstance(found, dict) else None
    return href if isinstance(href, str) and href else None
