"""What a publication of operators' entries makes of those that are there; nothing is written here."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from lantern.domain.catalog_listing import contradictions
from lantern.domain.overlay import MAX_ENTRIES, OverlayEntry, ProductCatalog, Publication, Published


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be published, and the line that tells of it; `faults` name what forbids it."""

    published: Published
    line: Publication
    faults: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change."""
        return not (self.line.added or self.line.changed or self.line.removed)


def plan(
    before: Published,
    shipped: ProductCatalog,
    *,
    entries: Iterable[OverlayEntry] = (),
    removed: Iterable[str] = (),
    note: str,
    by: str,
    at: datetime,
) -> Plan:
    """Add or change `entries` and take away those named in `removed`; all others stay.

    An entry that says what it said keeps its date, so that publishing a file twice publishes it once.
    """
    old, version, gone = {e.id: e for e in before.entries}, before.version + 1, set(removed)
    fresh = {e.id: replace(e, rev=version) for e in entries if not _same(old.get(e.id), e)}
    merged = {**old, **fresh}
    kept = tuple(merged[name] for name in sorted(merged) if name not in gone)
    line = Publication(
        version=version,
        note=note,
        by=by,
        at=at,
        added=tuple(sorted(fresh.keys() - old.keys())),
        changed=tuple(sorted(fresh.keys() & old.keys())),
        removed=tuple(sorted(gone & old.keys())),
    )
    return Plan(
        replace(before, version=version, entries=kept), line, tuple(_faults(kept, set(fresh), shipped))
    )


def _same(old: OverlayEntry | None, fresh: OverlayEntry) -> bool:
    return old is not None and (old.listing, old.replaces) == (fresh.listing, fresh.replaces)


def _faults(entries: tuple[OverlayEntry, ...], fresh: set[str], shipped: ProductCatalog) -> Iterator[str]:
    if len(entries) > MAX_ENTRIES:
        yield f"{len(entries)} entries are too many; retract what is shipped by now ({MAX_ENTRIES} fit)"
    about: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        about[entry.product_id].append(entry.id)
        known = shipped.by_product(entry.product_id) is not None
        if entry.id in fresh and entry.replaces is not None and not known:
            yield f"{entry.id}: replaces: the catalog has no product {entry.replaces}"
        if entry.id in fresh and entry.replaces is None and known:
            yield f"{entry.id}: id: the catalog has a product of this id; say replaces to correct it"
    for product_id, names in about.items():
        if len(names) > 1:
            yield f"{', '.join(names)}: replaces: several entries are about {product_id}; keep one"
    owner = {id(e.listing): e.id for e in entries if e.listing is not None}
    for row, fault in contradictions([e.listing for e in entries if e.listing is not None]):
        if fault.field != "id":
            yield f"{owner[id(row)]}: {fault.field}: {fault.said}"
