"""Calls to GitHub's REST API whose answers are what they claim to be: objects, lists, and pages of lists."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, quote, urlsplit

from lantern.connectors.calls import Authorizer, Heeded, Reply, Request, RetryPolicy, next_link
from lantern.connectors.github.manifest import ABOUT_THIS, API_VERSION, PRIMARY, SECONDARY
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HttpClient
from lantern.connectors.registry import Io
from lantern.connectors.resolution import CallError, StatusTable

PER_PAGE: Final = "100"  # the most GitHub gives
_SECONDARY_S: Final = 60.0  # to be waited for at least where GitHub does not say how long
_HEADERS: Final = {"X-GitHub-Api-Version": API_VERSION}
_PATIENT: Final = RetryPolicy(budget_s=200.0)
_MOST_PAGES: Final = 10_000

QUERY: Final = ("requests",)


def codes(body: Any) -> frozenset[str]:
    """What an error body says: that it is about this very call, or about a secondary limit."""
    if not isinstance(body, Mapping) or not isinstance(body.get("message"), str):
        return frozenset()
    page = body.get("documentation_url")
    if not isinstance(page, str) or not page:
        return frozenset()
    if "rate-limit" in page or "secondary rate limit" in body["message"].lower():
        return frozenset({SECONDARY})
    return frozenset({ABOUT_THIS} if "#" in page else ())


def heed(status: int, headers: Mapping[str, str], said: frozenset[str], now: datetime) -> Heeded:
    """Which limit a refusal is about, and how long to wait ("Rate limits for the REST API")."""
    if status not in (403, 429):
        return Heeded()
    if headers.get("x-ratelimit-remaining") == "0":
        reset = headers.get("x-ratelimit-reset", "")
        # One second more: the reset is told in whole seconds.
        wait = max(1.0, int(reset) - now.timestamp() + 1.0) if reset.isdigit() else _SECONDARY_S
        return Heeded(frozenset({PRIMARY}), wait)
    after = headers.get("retry-after", "")
    if after.isdigit():
        return Heeded(frozenset({SECONDARY}), float(after))
    if SECONDARY in said or status == 429:
        return Heeded(frozenset({SECONDARY}), _SECONDARY_S)
    return Heeded()


def client(io: Io, table: StatusTable, tenant: str, quotas: tuple[Any, ...], auth: Authorizer) -> HttpClient:
    """A client for GitHub's API under these quotas."""
    return HttpClient(
        io.session,
        table,
        clock=io.clock,
        random=io.random,
        limiters={quota.name: io.limiters.get("github", tenant, quota) for quota in quotas},
        auth=auth,
        retry=_PATIENT,
        codes=codes,
        heed=heed,
        headers=_HEADERS,
    )


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: its rows, the address of the next one, and the number of rows in all if told."""

    rows: list[Mapping[str, Any]]
    following: str | None
    total: int | None = None


class GithubApi:
    """The REST API at one base address."""

    def __init__(self, http: HttpClient, base: str, quotas: tuple[str, ...] = QUERY) -> None:
        self._http = http
        self._base = base.rstrip("/")
        self._quotas = quotas

    def get(self, path: str, named: str, halt: Halt) -> Mapping[str, Any]:
        """GET an object that has a field of this name.

        Without that, an answer cut down to `{}` would read as an object without anything.

        Raises:
            CallError: anything else came.
        """
        body = self._http.call(Request("GET", self._base + path, quotas=self._quotas), halt).body
        if not isinstance(body, dict) or named not in body:
            raise CallError(GARBLED, detail=f"expected {named}")
        return body

    def page(
        self,
        path: str,
        halt: Halt,
        *,
        params: Mapping[str, str] | None = None,
        under: tuple[str, str] | None = None,
        quotas: tuple[str, ...] | None = None,
    ) -> Page:
        """GET one page of a list.

        Args:
            path: below the base address, or a whole address that an earlier page gave (`Page.following`).
            halt: when to stop.
            params: the query of a first page.
            under: names of the fields that hold the rows and their number, where the list is not bare.
            quotas: what the call spends.

        Raises:
            CallError: no list came, or the next page is elsewhere.
        """
        url = self._base + path if path.startswith("/") else next_link(self._base, path)
        given = {} if params is None else {"per_page": PER_PAGE, **params}
        reply = self._http.call(Request("GET", url, given, quotas=quotas or self._quotas), halt)
        rows, total = reply.body, None
        if under is not None:
            body = reply.body if isinstance(reply.body, dict) else {}
            rows, total = body.get(under[0]), body.get(under[1])
            if not isinstance(total, int):
                raise CallError(GARBLED, detail=f"{under[1]} is not a number")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise CallError(GARBLED, detail="expected a list of objects")
        return Page(rows, _following(reply, url), total)

    def pages(
        self,
        path: str,
        halt: Halt,
        *,
        params: Mapping[str, str] | None = None,
        under: tuple[str, str] | None = None,
    ) -> Iterator[Page]:
        """All pages of a list."""
        page = self.page(path, halt, params=params or {}, under=under)
        yield page
        for _ in range(_MOST_PAGES):
            if page.following is None:
                return
            page = self.page(page.following, halt, under=under)
            yield page
        raise CallError(GARBLED, detail="a list without end")

    def send(
        self,
        method: Literal["POST", "DELETE"],
        path: str,
        halt: Halt,
        json: Mapping[str, Any] | None = None,
    ) -> Reply:
        """POST or DELETE."""
        return self._http.call(Request(method, self._base + path, json=json, quotas=self._quotas), halt)


def _following(reply: Reply, url: str) -> str | None:
    """The address that `Link` calls the next one (RFC 8288), if it is on the same host."""
    for part in reply.headers.get("Link", "").split(","):
        target, _, parameters = part.strip().partition(";")
        if 'rel="next"' in parameters and target.startswith("<") and target.endswith(">"):
            return next_link(url, target[1:-1])
    return None


def parameter(url: str, name: str) -> str | None:
    """One parameter of an address."""
    return dict(parse_qsl(urlsplit(url).query)).get(name)


def segment(value: str) -> str:
    """A value as one path segment; names may hold anything."""
    return quote(value, safe="")
