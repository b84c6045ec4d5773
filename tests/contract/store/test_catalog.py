"""Catalog entries: a tenant's in one item of its own, the operators' in the platform table."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from lantern.domain.catalog_schema import ProductEntry, listing_of
from lantern.domain.errors import ConflictError, RevisionConflictError
from lantern.domain.overlay import AppliedCatalog, OverlayEntry, Publication, Published, TenantCatalog
from lantern.store.meter import Meter
from lantern.store.platform import PlatformStore
from lantern.store.tenant import TenantStore
from tests.contract.store.factories import NOW


def entry(number: int) -> OverlayEntry:
    product = ProductEntry(
        name=f"Product {number}",
        vendor="Vendör",
        category="ai_agent",
        kind="embedded_ai",
        aliases=(f"P{number}",),
        domains=(f"p{number}.example",),
        ids={"google": (f"client-{number}",), "chrome": ("x", "y")},
        namesake=True,
    )
    return OverlayEntry(f"p-{number}", listing_of(f"p-{number}", product), None, "why", "key:a", NOW, rev=1)


def put(store: TenantStore, catalog: TenantCatalog) -> TenantCatalog:
    store.transact(NOW).put(store.catalog.op(catalog)).commit()
    return store.catalog.get(consistent=True)


def test_entries_come_back_as_they_were(store: TenantStore) -> None:
    assert store.catalog.get() == TenantCatalog()
    assert store.catalog.state() == (TenantCatalog(), None)
    retracted = OverlayEntry("no-x", None, "x", "", "key:a", NOW, rev=1)
    written = put(store, TenantCatalog((retracted, entry(1))))
    assert written == TenantCatalog((retracted, entry(1)), rev=1)
    applied = AppliedCatalog("revision", 3, NOW)
    store.catalog.put_applied(applied)
    assert store.catalog.state(consistent=True) == (written, applied)
    assert store.catalog.applied() == applied
    assert written.entry("p-1") == entry(1)
    assert written.entry("p-2") is None


def test_of_two_writes_on_one_revision_one_is_refused(store: TenantStore) -> None:
    first = put(store, TenantCatalog((entry(1),)))
    put(store, replace(first, entries=(entry(2),)))
    with pytest.raises(RevisionConflictError):
        put(store, replace(first, entries=(entry(3),)))
    assert [e.id for e in store.catalog.get(consistent=True).entries] == ["p-2"]


def test_a_tenant_sees_its_own_entries_only(new_store: Callable[[], TenantStore]) -> None:
    one, other = new_store(), new_store()
    put(one, TenantCatalog((entry(1),)))
    assert other.catalog.state() == (TenantCatalog(), None)


def test_a_thousand_entries_fit_and_cost_what_their_size_is(
    new_store: Callable[[], TenantStore], meter: Meter
) -> None:
    store, small = new_store(), new_store()
    whole = TenantCatalog(tuple(entry(n) for n in range(1_000)))
    with meter.measured() as written:
        put(store, whole)
    with meter.measured() as read:
        store.catalog.state()
    assert written.write_units < 150, dict(written.writes)
    assert read.calls == {"Query": 1}
    assert read.read_units < 10
    with meter.measured() as few:
        put(small, TenantCatalog(tuple(entry(n) for n in range(5))))
    assert few.write_units <= 4


def test_publications_are_numbered_and_remembered(platform: PlatformStore) -> None:
    catalog = platform.catalog
    assert (catalog.version(), catalog.current(), catalog.history()) == (0, Published(), ())
    lines = []
    for version in (1, 2):
        line = Publication(version, f"note {version}", "opr_x", NOW, added=(f"p-{version}",))
        lines.append(line)
        catalog.publish(Published(version, tuple(entry(n) for n in range(version))), line)
    assert catalog.version() == 2
    assert catalog.current() == Published(2, (entry(0), entry(1)))
    assert catalog.history() == tuple(reversed(lines))
    assert catalog.history(1) == (lines[1],)


@pytest.mark.parametrize("version", [1, 2, 4])
def test_a_publication_follows_the_one_it_was_made_of(platform: PlatformStore, version: int) -> None:
    for number in (1, 2):
        platform.catalog.publish(Published(number), Publication(number, "n", "opr_x", NOW))
    with pytest.raises(RevisionConflictError):
        platform.catalog.publish(Published(version), Publication(version, "late", "opr_y", NOW))
    assert platform.catalog.version() == 2
    assert {line.note for line in platform.catalog.history()} == {"n"}


def test_entries_that_do_not_fit_are_refused(
    store: TenantStore, platform: PlatformStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lantern.store.catalog.MAX_BYTES", 100)
    monkeypatch.setattr("lantern.store.platform_catalog.MAX_BYTES", 100)
    with pytest.raises(ConflictError):
        store.catalog.op(TenantCatalog((entry(1),)))
    with pytest.raises(ConflictError):
        platform.catalog.publish(Published(1, (entry(1),)), Publication(1, "n", "opr_x", NOW))
    assert platform.catalog.version() == 0
