"""Calls to Microsoft Graph whose answers are what they claim to be: objects, pages, batches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit

from lantern.connectors.calls import STRAY_LINK, Admission, Reply, Request, next_link
from lantern.connectors.entra.manifest import STATUSES
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HttpClient
from lantern.connectors.limiter import Limiter
from lantern.connectors.resolution import CallError

LIGHT: Final = ("units",)
HEAVY: Final = ("units", "units")
"""What a call costs: most cost one resource unit; lists of the directory two, one less with `$select`."""
REPORT: Final = ("reports",)
BATCH: Final = 20
"""The most requests that one `$batch` holds."""

Item = Mapping[str, Any]
Method = Literal["GET", "POST", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a collection: its items, where it goes on, and where changes go on after its end."""

    items: tuple[Item, ...]
    following: str | None
    delta: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """The answer to one request of a batch."""

    status: int
    body: Any = field(repr=False)


def codes(body: Any) -> frozenset[str]:
    """Graph's word for an error, and the words of what lies below it."""
    error = body.get("error") if isinstance(body, Mapping) else None
    found = []
    while isinstance(error, Mapping):
        found.append(error.get("code"))
        error = error.get("innerError") or error.get("innererror")
    return frozenset(
        word for word in found if isinstance(word, str) and word.isascii() and word.replace("_", "").isalnum()
    )


class GraphApi:
    """Microsoft Graph v1.0 at one base address, under the tenant's quotas."""

    def __init__(self, http: HttpClient, base: str, limiters: Mapping[str, Limiter]) -> None:
        self._http = http
        self._base = base.rstrip("/")
        self._limiters = limiters

    def admit(self, quotas: tuple[str, ...], halt: Halt) -> Admission | None:
        """Wait for the right to send; None when told to stop."""
        return self._http.admit(quotas, halt)

    def get(
        self,
        path: str,
        halt: Halt,
        *,
        params: Mapping[str, str] | None = None,
        quotas: tuple[str, ...] = LIGHT,
    ) -> Item:
        """GET one object.

        Raises:
            CallError: anything else came.
        """
        body = self._http.call(
            Request("GET", self._base + path, params=params or {}, quotas=quotas), halt
        ).body
        return entity(body)

    def page(
        self,
        path: str,
        halt: Halt,
        *,
        params: Mapping[str, str] | None = None,
        quotas: tuple[str, ...] = LIGHT,
    ) -> Page:
        """GET one page of a collection; `path` may be the link of a further page, which must be on our host.

        Raises:
            CallError: anything else came.
        """
        url = self._base + path
        if not path.startswith("/"):
            self._ours(path)
            url, params = path, None
        body = self._http.call(Request("GET", url, params=params or {}, quotas=quotas), halt).body
        return self._page(url, body)

    def _ours(self, link: str) -> None:
        prefix = urlsplit(self._base).path
        if not urlsplit(next_link(self._base, link)).path.startswith(prefix):
            raise CallError(STRAY_LINK, detail="next link leaves the API")

    def _page(self, url: str, body: Any) -> Page:
        items = body.get("value") if isinstance(body, Mapping) else None
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise CallError(GARBLED, detail="expected a collection")
        links = [body.get(f"@odata.{name}") for name in ("nextLink", "deltaLink")]
        if not all(isinstance(link, str | None) for link in links):
            raise CallError(GARBLED, detail="odd links")
        following, delta = (next_link(url, link) if link else None for link in links)
        return Page(tuple(items), following, delta)

    def all(
        self,
        path: str,
        halt: Halt,
        *,
        params: Mapping[str, str] | None = None,
        quotas: tuple[str, ...] = LIGHT,
    ) -> Iterator[Item]:
        """Every item of a collection, over all its pages."""
        page = self.page(path, halt, params=params, quotas=quotas)
        yield from page.items
        yield from self._rest(page, halt, quotas)

    def _rest(self, page: Page, halt: Halt, quotas: tuple[str, ...]) -> Iterator[Item]:
        while page.following:
            page = self.page(page.following, halt, quotas=quotas)
            yield from page.items

    def send(
        self,
        method: Method,
        path: str,
        halt: Halt,
        *,
        json: Item | None = None,
        quotas: tuple[str, ...] = LIGHT,
    ) -> Reply:
        """POST, PATCH or DELETE."""
        return self._http.call(
            Request(method, self._base + path, json=json, quotas=(*quotas, "writes")), halt
        )

    # -- batches ------------------------------------------------------------------------------------

    def batch(
        self, paths: Sequence[str], halt: Halt, admission: Admission | None = None
    ) -> Mapping[str, Part]:
        """GET up to 20 addresses at once; what was not answered is absent.

        Each request costs what it would cost alone. One refused for lack of quota slows down what follows.

        Raises:
            CallError: the batch itself was not answered.
        """
        names = {str(number): path for number, path in enumerate(dict.fromkeys(paths))}
        wanted = [{"id": name, "method": "GET", "url": path} for name, path in names.items()]
        admission = admission or self._http.admit(LIGHT * len(names), halt)
        sent_at = min((at for _, at in admission.given), default=0.0) if admission else 0.0
        request = Request(
            "POST", f"{self._base}/$batch", json={"requests": wanted}, quotas=LIGHT * len(names)
        )
        body = self._http.call(request, halt, admission).body
        answers = body.get("responses") if isinstance(body, Mapping) else None
        if not isinstance(answers, list):
            raise CallError(GARBLED, detail="expected a batch")
        found: dict[str, Part] = {}
        for answer in answers:
            path = names.get(str(answer.get("id"))) if isinstance(answer, Mapping) else None
            if path is None or not isinstance(answer.get("status"), int):
                continue
            found[path] = Part(answer["status"], answer.get("body"))
            if answer["status"] == 429:
                self._limiters["units"].refused(sent_at, _retry_after(answer.get("headers")))
        return found

    def finish(self, path: str, part: Part | None, halt: Halt) -> list[Item]:
        """All items of a collection that a batch asked for.

        What the batch did not bring is asked for by itself, with as much patience as any other call.

        Raises:
            CallError: it cannot be had.
        """
        if part is None or (part.status != 200 and self._passing(part)):
            return list(self.all(path, halt))
        if part.status != 200:
            raise failed(part)
        page = self._page(self._base + path, part.body)
        return [*page.items, *self._rest(page, halt, LIGHT)]

    def finish_one(self, path: str, part: Part | None, halt: Halt) -> Item:
        """One object that a batch asked for; see `finish`."""
        if part is None or (part.status != 200 and self._passing(part)):
            return self.get(path, halt)
        if part.status != 200:
            raise failed(part)
        return entity(part.body)

    def _passing(self, part: Part) -> bool:
        return STATUSES.resolve(part.status, codes(part.body)).retry


def failed(part: Part) -> CallError:
    """A failed request of a batch as the error it would have been alone."""
    words = codes(part.body)
    detail = f"in a batch answered {part.status} {' '.join(sorted(words))}".rstrip()
    return CallError(STATUSES.resolve(part.status, words), status=part.status, codes=words, detail=detail)


def _retry_after(headers: Any) -> float | None:
    given = headers.get("Retry-After") if isinstance(headers, Mapping) else None
    return float(given) if isinstance(given, str) and given.isdigit() else None


def entity(body: Any) -> Item:
    """An object with an id.

    Raises:
        CallError: it is none; an answer cut down to `{}` must not read as an empty object.
    """
    if not isinstance(body, Mapping) or not isinstance(body.get("id"), str) or not body["id"]:
        raise CallError(GARBLED, detail="expected an object")
    return body


def segment(value: str) -> str:
    """A value as one path segment; ids may hold anything."""
    return quote(value, safe="")
