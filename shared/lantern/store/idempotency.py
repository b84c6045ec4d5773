"""Requests with an idempotency key, and their answers."""

from datetime import datetime, timedelta

from lantern.domain.errors import RevisionConflictError
from lantern.domain.idempotency import Attempt
from lantern.store.documents import Documents
from lantern.store.keys import Key, ttl
from lantern.store.records import Records


class AttemptRepository:
    """Attempts of one tenant, by storage key."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._records = Records(documents, "idempotency", Attempt)

    def begin(self, key: str, attempt: Attempt, now: datetime, lock_s: int) -> Attempt | None:
        """Claim `key` for `lock_s` seconds; None when `attempt` holds it now, else what does.

        Raises:
            RevisionConflictError: a claim that had expired was taken by somebody else just now.
        """
        where = self._key(key)
        until = now + timedelta(seconds=lock_s)
        doc = self._records.doc(where, attempt, ttl=ttl(until, 0), due=_ms(until))
        try:
            self._documents.put(doc, 0)
        except RevisionConflictError:
            stored = self._documents.get(where, consistent=True)
            if stored is not None and (stored.due is None or stored.due > _ms(now)):
                return self._records.decode(stored)
            # DynamoDB removes expired items when it finds the time; until then they are not there.
            expected = stored.rev if stored else 0
            again = self._records.doc(where, attempt, rev=expected + 1, ttl=ttl(until, 0), due=_ms(until))
            self._documents.put(again, expected)
        return None

    def finish(self, key: str, attempt: Attempt, now: datetime, keep_s: int) -> None:
        """Keep the answer for `keep_s` seconds."""
        until = now + timedelta(seconds=keep_s)
        doc = self._records.doc(self._key(key), attempt, ttl=ttl(until, 0), due=_ms(until))
        self._documents.put(doc, None)

    def abandon(self, key: str) -> None:
        """Forget a claim."""
        self._documents.delete(self._key(key))

    def _key(self, key: str) -> Key:
        return Key(self._documents.keys.idempotency(), key)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
