"""A correction of the catalog, a tenant's or the operators', re-judges what it touches and nothing else."""

from typing import Any

import pytest

from lantern.domain import ids
from lantern.domain.catalog_schema import ProductEntry, listing_of
from lantern.domain.errors import RevisionConflictError
from lantern.domain.overlay import OverlayEntry, Publication, Published
from lantern.domain.work import Work
from lantern.services.catalog_entries import Author, Draft, create, remove
from lantern.services.catalog_layers import KEEP_S, OperatorCatalog
from lantern.services.scoring import catalogs, score
from tests.functional.pipeline.test_pipeline import CHATGPT, DRIVE, org
from tests.support.tenant import Bench

LEDGER = "ledger-client"


@pytest.fixture
def read(bench: Bench) -> Bench:
    """A tenant whose inventory was read and judged; among its apps is one that nobody knows."""
    org(bench)
    bench.world.names[LEDGER] = "Harbour Ledger"
    bench.world.consent("u003", LEDGER, "openid", DRIVE)
    bench.operators = OperatorCatalog(
        bench.knowledge.catalog, bench.platform.catalog.current, bench.clock.monotonic
    )
    bench.full()
    return bench


@pytest.fixture
def scored(read: Bench, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the apps that are judged from now on."""
    told: list[str] = []
    real = score.score_apps

    def spy(task: score.Scoring, apps: frozenset[str]) -> int:
        told.extend(sorted(row.name for row in task.store.apps.summary() if row.app_id in apps))
        return real(task, apps)

    monkeypatch.setattr(score, "score_apps", spy)
    return told


def product(**facts: Any) -> ProductEntry:
    return ProductEntry(**{"name": "Ledger Mind", "category": "ai_finance", "kind": "ai", **facts})


def add(bench: Bench, entry_id: str | None = None, replaces: str | None = None, **facts: Any) -> OverlayEntry:
    draft = Draft(product(**facts) if facts else None, replaces, "")
    author = Author("key:a", bench.clock.now())
    below = bench.operators.layer().catalog
    return create(bench.store, below, draft, author, entry_id=entry_id, random=bytes)


def publish(bench: Bench, version: int, *entries: OverlayEntry) -> None:
    line = Publication(version, "note", "opr_x", bench.clock.now())
    bench.platform.catalog.publish(Published(version, entries), line)


def operators(bench: Bench, entry_id: str, replaces: str | None = None, **facts: Any) -> OverlayEntry:
    listing = listing_of(replaces or entry_id, product(**facts))
    return OverlayEntry(entry_id, listing, replaces, "", "opr_x", bench.clock.now())


def poll(bench: Bench) -> None:
    bench.do(Work(bench.store.tenant_id, "connection.changes", bench.connection_id))
    bench.settle()


def row(bench: Bench, name: str) -> Any:
    return next(one for one in bench.store.apps.summary() if one.name == name)


def revisions(bench: Bench) -> dict[str, int]:
    return {v.app_id: v.risk.rev for v in bench.store.apps.all_views() if v.risk}


@pytest.mark.parametrize(
    "facts",
    [{"ids": {"google": (LEDGER,)}}, {"name": "Harbour Ledger"}, {"aliases": ("Harbour Ledger",)}],
    ids=["id", "name", "alias"],
)
def test_an_added_product_is_judged_at_once_and_alone(
    read: Bench, scored: list[str], facts: dict[str, Any]
) -> None:
    before, found = revisions(read), read.findings("unsanctioned-ai-app")
    assert row(read, "Harbour Ledger").verdict == "unknown"
    entry = add(read, "harbour-ledger-ours", **facts)
    read.settle()
    now = row(read, "Harbour Ledger")
    assert (now.verdict, now.product_id, now.category) == ("ai", "harbour-ledger-ours", "ai_finance")
    assert scored == ["Harbour Ledger"]
    assert {a for a, rev in revisions(read).items() if before[a] != rev} == {now.app_id}
    fresh = [f for f in read.findings("unsanctioned-ai-app") if f.id not in {o.id for o in found}]
    assert [f.group.id for f in fresh] == [now.app_id]
    # What is taken away again leaves nothing behind.
    remove(read.store, entry.id, Author("key:a", read.clock.now()), lambda _: None)
    read.settle()
    assert row(read, "Harbour Ledger").verdict == "unknown"
    assert scored == ["Harbour Ledger"] * 2
    assert {f.status for f in read.findings("unsanctioned-ai-app") if f.id == fresh[0].id} == {"resolved"}


def test_a_correction_touches_the_apps_of_its_product(read: Bench, scored: list[str]) -> None:
    add(read, replaces="chatgpt", name="ChatGPT", vendor="OpenAI", kind="not_ai", category="productivity")
    read.settle()
    assert scored == ["ChatGPT"]
    assert row(read, "ChatGPT").verdict == "not_ai"
    chatgpt = ids.app_id("google", CHATGPT)
    assert {f.status for f in read.findings("unsanctioned-ai-app") if f.group.id == chatgpt} == {"resolved"}


def test_a_retraction_leaves_the_app_to_other_evidence(read: Bench, scored: list[str]) -> None:
    add(read, replaces="zoom")
    read.settle()
    assert scored == ["Zoom"]
    assert row(read, "Zoom").product_id != "zoom"


def test_an_entry_that_touches_nothing_writes_nothing_about_apps(read: Bench, scored: list[str]) -> None:
    before = revisions(read)
    add(read, "other-of-ours", name="Something Nobody Here Uses", domains=("nobody-here.com",))
    read.settle()
    assert scored == []
    assert revisions(read) == before


def test_many_changes_at_once_are_applied_once(
    read: Bench, scored: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    real = catalogs.touched
    monkeypatch.setattr(catalogs, "touched", lambda *a: looked.append(1) or real(*a))
    for number in range(20):
        add(read, f"ours-{number}", name=f"Product {number}")
    add(read, "harbour-ledger-ours", name="Harbour Ledger")
    read.settle()
    assert scored == ["Harbour Ledger"]
    assert len(looked) == 1


def test_a_message_that_died_half_way_goes_on_where_it_ended(
    read: Bench, scored: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Slack", "Zoom", "ChatGPT"):
        add(read, f"ours-{name.lower()}", name=name, vendor="Acme")
    monkeypatch.setattr(score, "_APPS", 1)
    real, calls = score.score_apps, []

    def dies(task: score.Scoring, apps: frozenset[str]) -> int:
        calls.append(apps)
        if len(calls) == 2:
            raise RevisionConflictError("crash")
        return real(task, apps)

    monkeypatch.setattr(score, "score_apps", dies)
    message = Work(read.store.tenant_id, "score.catalog")
    with pytest.raises(RevisionConflictError):
        read.do(message)
    assert read.store.catalog.applied() is None
    read.do(message)
    assert len(calls) == 4
    assert {row(read, n).vendor for n in ("Slack", "Zoom", "ChatGPT")} == {"Acme"}
    assert scored.count("Slack") + scored.count("Zoom") + scored.count("ChatGPT") == 3


def test_operators_reach_every_tenant_by_its_next_poll(read: Bench, scored: list[str]) -> None:
    poll(read)
    assert scored == []
    publish(read, 1, operators(read, "harbour-ledger-ours", name="Harbour Ledger"))
    poll(read)
    assert row(read, "Harbour Ledger").product_id == "harbour-ledger-ours"
    assert scored == ["Harbour Ledger"]
    poll(read)
    assert scored == ["Harbour Ledger"]
    publish(read, 2)
    poll(read)
    assert row(read, "Harbour Ledger").verdict == "unknown"
    assert scored == ["Harbour Ledger"] * 2


def test_a_lost_message_is_sent_by_the_poll_after(read: Bench, scored: list[str]) -> None:
    publish(read, 1, operators(read, "harbour-ledger-ours", name="Harbour Ledger"))
    read.do(Work(read.store.tenant_id, "connection.changes", read.connection_id))
    assert [w.kind for w in read.sent] == ["score.catalog"]
    read.sent.clear()
    poll(read)
    assert scored == ["Harbour Ledger"]


def test_a_tenants_entry_wins_over_the_operators(read: Bench, scored: list[str]) -> None:
    add(read, "mine-of-ours", name="Harbour Ledger", kind="not_ai")
    read.settle()
    publish(read, 1, operators(read, "theirs", name="Harbour Ledger"))
    poll(read)
    assert row(read, "Harbour Ledger").product_id == "mine-of-ours"
    assert scored == ["Harbour Ledger"]


def test_an_app_does_not_go_back_to_what_a_stale_environment_knows(read: Bench) -> None:
    """An environment whose view is some minutes old judges by what was applied to the tenant."""
    warm = OperatorCatalog(read.knowledge.catalog, read.platform.catalog.current, read.clock.monotonic)
    assert warm.layer().version == 0
    publish(read, 1, operators(read, "harbour-ledger-ours", name="Harbour Ledger"))
    poll(read)
    read.operators = warm
    read.do(Work(read.store.tenant_id, "score.app", body={"app_id": ids.app_id("google", LEDGER)}))
    assert row(read, "Harbour Ledger").product_id == "harbour-ledger-ours"


def test_what_operators_publish_is_seen_after_five_minutes_without_being_told(read: Bench) -> None:
    publish(read, 1, operators(read, "harbour-ledger-ours", name="Harbour Ledger"))
    assert read.operators.layer().version == 0
    read.clock.forward(seconds=KEEP_S)
    assert read.operators.layer().version == 1


def test_a_run_under_way_while_the_catalog_changes_does_not_undo_the_change(
    read: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = score.score_run

    def long(task: score.Scoring, connection_id: str) -> int:
        add(read, "harbour-ledger-ours", name="Harbour Ledger")
        read.settle()
        assert row(read, "Harbour Ledger").product_id == "harbour-ledger-ours"
        monkeypatch.setattr(score, "score_run", real)
        return real(task, connection_id)

    monkeypatch.setattr(score, "score_run", long)
    read.do(Work(read.store.tenant_id, "score.run", read.connection_id))
    assert row(read, "Harbour Ledger").product_id == "harbour-ledger-ours"


def test_a_catalog_that_never_stands_still_is_tried_again_later(
    read: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter(range(100))
    real = catalogs.note_applied

    def meanwhile(*given: Any) -> None:
        real(*given)
        add(read, f"ours-{next(numbers)}", name=f"Product {next(numbers)}")

    add(read, "first-of-ours", name="First One")
    monkeypatch.setattr(catalogs, "note_applied", meanwhile)
    with pytest.raises(RevisionConflictError):
        read.do(Work(read.store.tenant_id, "score.catalog"))
