"""Deliveries: a list per target, newest last, and one worklist of what is due."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from lantern.domain.messages import Delivery
from lantern.store.documents import Documents, Page, Put
from lantern.store.keys import Key, ttl
from lantern.store.records import Versioned

DELIVERY_DAYS: Final = 90


class DeliveryRepository:
    """Messages to people and events to systems, of one tenant."""

    def __init__(self, documents: Documents) -> None:
        self._records = Versioned(documents, "delivery", Delivery)
        self._documents = documents
        self._keys = documents.keys

    def get(self, target_id: str, delivery_id: str) -> Delivery | None:
        """A delivery."""
        return self._records.get(self._keys.delivery(target_id, delivery_id), consistent=True)

    def put(self, delivery: Delivery) -> Delivery:
        """Write on `delivery.rev`; raises `RevisionConflictError`."""
        op = self.op(delivery)
        self._documents.put(op.doc, op.expect_rev)
        return self._records.decode(op.doc)

    def op(self, delivery: Delivery) -> Put:
        """The same write for a transaction."""
        return self._records.op(
            self._keys.delivery(delivery.target_id, delivery.id),
            delivery,
            index=self._index(delivery),
            ttl=ttl(delivery.created_at, DELIVERY_DAYS),
        )

    def page(self, target_id: str, limit: int, cursor: str | None = None) -> Page[Delivery]:
        """Deliveries of a target, newest first."""
        return self._records.page(self._keys.deliveries(target_id), limit=limit, cursor=cursor, reverse=True)

    def due(self, now: datetime, limit: int) -> Iterator[Delivery]:
        """What is due, the longest waiting first; the worklist may be a moment behind."""
        page = self._records.page(self._keys.due_deliveries(), limit=limit, index=True)
        for found in page.items:
            if found.next_at is not None and found.next_at <= now:
                yield found

    def next_due(self) -> datetime | None:
        """When the next delivery is due; None where nothing is left to do."""
        page = self._records.page(self._keys.due_deliveries(), limit=1, index=True)
        return page.items[0].next_at if page.items else None

    def _index(self, delivery: Delivery) -> Key | None:
        if delivery.next_at is None:
            return None
        at = delivery.next_at.astimezone(UTC)
        return Key(self._keys.due_deliveries(), f"{at:%Y%m%dT%H%M%S}{delivery.id}")
