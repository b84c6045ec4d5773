"""Questions to employees, what each person was asked lately, and what people were allowed to keep."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from lantern.domain.exceptions import AccessException, exception_id
from lantern.domain.guidance import GuidancePolicy
from lantern.domain.nudges import Ledger, Nudge, Silent
from lantern.domain.person_links import PersonLink
from lantern.store.documents import Doc, Documents, Page, Put
from lantern.store.keys import Key, ttl
from lantern.store.records import Records, Versioned

NUDGE_DAYS: Final = 400
LEDGER_DAYS: Final = 400
LINK_DAYS: Final = 30
PAGE: Final = 100


class NudgeRepository:
    """Questions of a tenant, with a worklist of open ones by when something is to be done."""

    def __init__(self, documents: Documents) -> None:
        self._nudges = Versioned(documents, "nudge", Nudge)
        self._ledgers = Versioned(documents, "nudge_ledger", Ledger)
        self._silent = Records(documents, "silence", Silent)
        self._keys = documents.keys

    def get(self, nudge_id: str) -> Nudge | None:
        """A question; strongly consistent."""
        return self._nudges.get(self._keys.nudge(nudge_id), consistent=True)

    def batch_get(self, nudge_ids: Iterable[str]) -> dict[str, Nudge]:
        """Questions by id, as far as they exist; strongly consistent, 100 a call."""
        keys = (self._keys.nudge(one) for one in nudge_ids)
        found = self._nudges.documents.batch_get(keys, consistent=True)
        return {one.id: one for one in map(self._nudges.decode, found.values())}

    def op(self, nudge: Nudge) -> Put:
        """The write of a question on its revision, for a transaction."""
        state = "open" if nudge.waiting else "closed"
        at = nudge.next_at if nudge.waiting else nudge.closed_at or nudge.created_at
        index = Key(self._keys.nudges_in(state), worklist_key(at, nudge.id))
        return self._nudges.op(
            self._keys.nudge(nudge.id), nudge, index=index, ttl=ttl(nudge.created_at, NUDGE_DAYS)
        )

    def due(self, now: datetime, size: int = PAGE) -> Iterator[Nudge]:
        """Questions for which something is to be done by `now`, longest overdue first, page by page.

        They come from the index, which may be behind: read one again before acting on it.
        """
        bound = worklist_key(now, "~")
        cursor: str | None = None
        while True:
            page = self.page("open", size, cursor)
            for nudge in page.items:
                if worklist_key(nudge.next_at, nudge.id) > bound:
                    return
                yield nudge
            cursor = page.cursor
            if cursor is None:
                return

    def page(self, state: str, limit: int, cursor: str | None = None) -> Page[Nudge]:
        """Open questions, the next due first; or closed ones, latest first."""
        return self._nudges.page(
            self._keys.nudges_in(state), limit=limit, cursor=cursor, index=True, reverse=state == "closed"
        )

    def ledger(self, person_id: str) -> Ledger:
        """What a person was asked lately; strongly consistent."""
        return self._ledgers.get(self._keys.nudge_ledger(person_id), consistent=True) or Ledger(person_id)

    def ledger_op(self, ledger: Ledger, now: datetime) -> Put:
        """The write of a ledger on its revision, for a transaction."""
        key = self._keys.nudge_ledger(ledger.person_id)
        return self._ledgers.op(key, ledger, ttl=ttl(now, LEDGER_DAYS))

    # --- what waits for whoever was turned to ---------------------------------------------------
    def silent(self, person_id: str) -> list[str]:
        """Ids of others' questions that wait for a person, or did, the latest first."""
        found = self._silent.all(self._keys.silences(person_id), consistent=True)
        return [one.nudge_id for one in sorted(found, key=lambda one: one.at, reverse=True)]

    def silent_op(self, person_id: str, nudge_id: str, now: datetime) -> Put:
        """Have a question wait for a person, for a transaction; again it does so once."""
        key = self._keys.silence(person_id, nudge_id)
        return Put(self._silent.doc(key, Silent(nudge_id, now), ttl=ttl(now, NUDGE_DAYS)), None)

    def heard(self, person_id: str, nudge_ids: Iterable[str]) -> None:
        """Take questions off a person's list; each may be off already."""
        keys = [self._keys.silence(person_id, one) for one in nudge_ids]
        self._silent.documents.write_all(deletes=keys)


class ExceptionRepository:
    """What people were allowed to keep until a date; one exception a person and app."""

    def __init__(self, documents: Documents) -> None:
        self._records = Versioned(documents, "exception", AccessException)
        self._keys = documents.keys

    def get(self, person_id: str, app_id: str) -> AccessException | None:
        """The exception of a person for an app, even if it has ended."""
        return self._records.get(self._keys.exception(exception_id(person_id, app_id)), consistent=True)

    def op(self, exception: AccessException) -> Put:
        """The write of an exception on its revision, for a transaction."""
        key = self._keys.exception(exception.id)
        return self._records.op(key, exception, ttl=ttl(exception.until, NUDGE_DAYS))

    def decode(self, doc: Doc) -> AccessException:
        """The exception of an item."""
        return self._records.decode(doc)

    def page(self, limit: int, cursor: str | None = None) -> Page[AccessException]:
        """Exceptions, in the order of their ids."""
        return self._records.page(self._keys.exceptions(), limit=limit, cursor=cursor)

    def all(self) -> Iterator[AccessException]:
        """All exceptions, page by page as consumed."""
        return self._records.all(self._keys.exceptions())


class PersonLinkRepository:
    """Addresses of people's own pages, under the hash of their secret."""

    def __init__(self, documents: Documents) -> None:
        self._records = Records(documents, "person_link", PersonLink)
        self._keys = documents.keys

    def put(self, link: PersonLink) -> None:
        """Store a new address.

        Raises:
            RevisionConflictError: its id is taken.
        """
        doc = self._records.doc(self._keys.person_link(link.id), link, ttl=ttl(link.expires_at, LINK_DAYS))
        self._records.documents.put(doc, 0)

    def get(self, link_id: str) -> PersonLink | None:
        """An address, even if it has ended: its page says so."""
        return self._records.get(self._keys.person_link(link_id))


class GuidanceRepository:
    """How a tenant guides its people."""

    def __init__(self, documents: Documents) -> None:
        self._records = Versioned(documents, "guidance", GuidancePolicy)
        self._keys = documents.keys

    def get(self) -> GuidancePolicy:
        """The settings as the tenant set them, else the defaults at revision 0."""
        return self._records.get(self._keys.guidance(), consistent=True) or GuidancePolicy()

    def op(self, policy: GuidancePolicy) -> Put:
        """The write of the settings on their revision, for a transaction."""
        return self._records.op(self._keys.guidance(), policy)


def worklist_key(at: datetime, identifier: str) -> str:
    """A sort key that orders a worklist by time."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%S}{identifier}"
