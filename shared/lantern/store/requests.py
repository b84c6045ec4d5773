"""Requests for tools, with worklists of what waits and by when something is to be done."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from lantern.domain.requests import AccessRequest
from lantern.store.documents import Documents, Page, Put
from lantern.store.keys import Key, ttl
from lantern.store.nudges import worklist_key
from lantern.store.records import Versioned

REQUEST_DAYS: Final = 400
PAGE: Final = 100


class RequestRepository:
    """Requests of a tenant."""

    def __init__(self, documents: Documents) -> None:
        self._records = Versioned(documents, "request", AccessRequest)
        self._keys = documents.keys

    def get(self, request_id: str) -> AccessRequest | None:
        """A request; strongly consistent."""
        return self._records.get(self._keys.request(request_id), consistent=True)

    def op(self, request: AccessRequest) -> Put:
        """The write of a request on its revision, for a transaction."""
        state = "waiting" if request.next_at is not None else "closed"
        at = request.next_at or request.decided_at or request.created_at
        return self._records.op(
            self._keys.request(request.id),
            request,
            index=Key(self._keys.requests_in(state), worklist_key(at, request.id)),
            ttl=ttl(max(request.created_at, request.until or request.created_at), REQUEST_DAYS),
        )

    def page(self, state: str, limit: int, cursor: str | None = None) -> Page[AccessRequest]:
        """Requests that something may still happen to, the next due first; or closed ones, latest first."""
        return self._records.page(
            self._keys.requests_in(state), limit=limit, cursor=cursor, index=True, reverse=state == "closed"
        )

    def due(self, now: datetime, size: int = PAGE) -> Iterator[AccessRequest]:
        """Requests for which something is to be done by `now`; the worklist may be a moment behind."""
        cursor: str | None = None
        while True:
            page = self.page("waiting", size, cursor)
            for request in page.items:
                if request.next_at is None or request.next_at > now:
                    return
                yield request
            cursor = page.cursor
            if cursor is None:
                return
