"""A tenant's own catalog entries: each change with its audit entry and the message that re-judges apps."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from lantern.domain import ids
from lantern.domain.audit import NOTHING, AuditEvent
from lantern.domain.audit import change as moved
from lantern.domain.catalog_listing import contradictions
from lantern.domain.catalog_schema import ProductEntry, listing_of
from lantern.domain.errors import ConflictError, InvalidInputError, NotFoundError, RevisionConflictError
from lantern.domain.ids import RandomBytes
from lantern.domain.overlay import MAX_ENTRIES, OverlayEntry, ProductCatalog, TenantCatalog
from lantern.domain.pagination import Slice, slice_after
from lantern.domain.work import Work
from lantern.store.tenant import TenantStore

_ATTEMPTS: Final = 5
Check = Callable[[OverlayEntry], None]
"""Refuses, by raising, to change an entry that is not the one the caller has read."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants an entry to say: `product` None takes back the product `replaces`."""

    product: ProductEntry | None
    replaces: str | None
    note: str


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes entries, and when."""

    by: str
    now: datetime


def listing(store: TenantStore, *, after: str | None, limit: int) -> Slice[OverlayEntry]:
    """Entries in the order of their ids."""
    position = None if after is None else (after,)
    return slice_after(store.catalog.get().entries, key=lambda e: (e.id,), after=position, limit=limit)


def entry(store: TenantStore, entry_id: str) -> OverlayEntry:
    """One entry.

    Raises:
        NotFoundError: the tenant has no such entry.
    """
    return _found(store.catalog.get(), entry_id)


def create(
    store: TenantStore,
    below: ProductCatalog,
    draft: Draft,
    author: Author,
    *,
    entry_id: str | None,
    random: RandomBytes,
) -> OverlayEntry:
    """Add an entry.

    Args:
        store: the tenant's store.
        below: the shipped catalog with the operators' entries.
        draft: what it says.
        author: who adds it.
        entry_id: its id; None makes one.
        random: source of randomness.

    Raises:
        InvalidInputError: it contradicts another entry, or names a product that is not there.
        ConflictError: its id is taken, or there are too many entries.
    """
    chosen = entry_id or ids.new_id("ent", random)

    def change(catalog: TenantCatalog) -> OverlayEntry:
        if catalog.entry(chosen) is not None:
            raise ConflictError("There is an entry with this id; change it with PUT.")
        if len(catalog.entries) >= MAX_ENTRIES:
            raise ConflictError(f"A tenant has at most {MAX_ENTRIES} entries.")
        _check_ids(chosen, draft, below, "id")
        return _entry(chosen, draft, author)

    return _write(store, change, author, "catalog.added")


def update(
    store: TenantStore,
    below: ProductCatalog,
    entry_id: str,
    draft: Draft,
    author: Author,
    check: Check,
) -> OverlayEntry:
    """Let an entry say something else; what it says already changes nothing. Raises as `create`."""

    def change(catalog: TenantCatalog) -> OverlayEntry | None:
        old = _found(catalog, entry_id)
        check(old)
        if draft.replaces != old.replaces:
            _check_ids(entry_id, draft, below, "replaces")
        fresh = _entry(entry_id, draft, author)
        same = (old.listing, old.replaces, old.note) == (fresh.listing, fresh.replaces, fresh.note)
        return None if same else fresh

    return _write(store, change, author, "catalog.changed", entry_id)


def remove(store: TenantStore, entry_id: str, author: Author, check: Check) -> OverlayEntry:
    """Take an entry away: what lies below shows again.

    Raises:
        NotFoundError: the tenant has no such entry.
    """
    for _ in range(_ATTEMPTS):
        catalog = store.catalog.get(consistent=True)
        old = _found(catalog, entry_id)
        check(old)
        if _commit(
            store, catalog, [e for e in catalog.entries if e is not old], old, author, "catalog.removed"
        ):
            return old
    raise RevisionConflictError("too many changes at once; try again")


def _write(
    store: TenantStore,
    change: Callable[[TenantCatalog], OverlayEntry | None],
    author: Author,
    action: str,
    entry_id: str | None = None,
) -> OverlayEntry:
    """Make a change; one that met another entry's change is made again on what is there now."""
    for _ in range(_ATTEMPTS):
        catalog = store.catalog.get(consistent=True)
        fresh = change(catalog)
        if fresh is None:
            return _found(catalog, str(entry_id))
        fresh = replace(fresh, rev=catalog.rev + 1)
        entries = [e for e in catalog.entries if e.id != fresh.id] + [fresh]
        _refuse_contradictions(entries, fresh)
        if _commit(store, catalog, entries, fresh, author, action):
            return fresh
    raise RevisionConflictError("too many changes at once; try again")


def _says(entry: OverlayEntry | None) -> str:
    """What an entry says of its product, and by which revision."""
    if entry is None:
        return NOTHING
    return f"{entry.listing.product.kind if entry.listing else 'retracted'} (revision {entry.rev})"


def _commit(
    store: TenantStore,
    catalog: TenantCatalog,
    entries: Iterable[OverlayEntry],
    about: OverlayEntry,
    author: Author,
    action: str,
) -> bool:
    """Whether it was written; False where the entries changed since they were read."""
    ordered = tuple(sorted(entries, key=lambda e: e.id))
    detail = {
        "product": about.product_id,
        "says": about.listing.product.kind if about.listing else "retracted",
        **moved(_says(catalog.entry(about.id)), _says(next((e for e in ordered if e.id == about.id), None))),
    }
    event = AuditEvent(author.by, action, about.id, detail)
    work = Work(store.tenant_id, "score.catalog", cause=author.by)
    write = store.catalog.op(TenantCatalog(ordered, catalog.rev))
    try:
        store.transact(author.now).put(write).audit(event).outbox(work).commit()
    except RevisionConflictError:
        return False
    return True


def _entry(entry_id: str, draft: Draft, author: Author) -> OverlayEntry:
    if draft.product is None and draft.replaces is None:
        raise InvalidInputError("product", "Send the product, or in replaces the one to take back.")
    product_id = draft.replaces or entry_id
    said = listing_of(product_id, draft.product) if draft.product else None
    return OverlayEntry(entry_id, said, draft.replaces, draft.note, author.by, author.now)


def _found(catalog: TenantCatalog, entry_id: str) -> OverlayEntry:
    found = catalog.entry(entry_id)
    if found is None:
        raise NotFoundError("entry", entry_id)
    return found


def _check_ids(entry_id: str, draft: Draft, below: ProductCatalog, field: str) -> None:
    """Refuse a product that is not there, or one that is there already, which is said of `field`."""
    if draft.replaces is None:
        if below.by_product(entry_id) is not None:
            raise InvalidInputError(field, "The catalog has a product with this id: send it as replaces.")
    elif below.by_product(draft.replaces) is None:
        raise InvalidInputError("replaces", "The catalog has no product with this id.")


def _refuse_contradictions(entries: Iterable[OverlayEntry], fresh: OverlayEntry) -> None:
    others = [e for e in entries if e.id != fresh.id]
    if any(e.product_id == fresh.product_id for e in others):
        field = "replaces" if fresh.replaces else "id"
        raise InvalidInputError(field, "Another entry of yours is about this product: change that one.")
    if fresh.listing is None:
        return
    listed = [e.listing for e in others if e.listing is not None]
    for row, fault in contradictions([*listed, fresh.listing]):
        if row is fresh.listing:
            raise InvalidInputError(f"/product/{fault.field}", fault.said)
