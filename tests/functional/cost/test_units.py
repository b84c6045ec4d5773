"""Capacity units of whole runs through the discovery service, by our sizing function, budgets of QUALITY.

Small, so that it is quick: what a run costs by itself weighs more here than at ten thousand people, for whom
`make bench` says the same.
"""

from collections.abc import Iterator
from random import Random

import pytest

from lantern.domain.work import Work, WorkKind
from lantern.services.discovery import run as full_run
from lantern.services.scoring.knowledge import Knowledge, load_knowledge
from lantern.store.meter import Meter, Usage
from scripts.build.checkout import shipped_content
from tests.support.google_world import GoogleWorld
from tests.support.lab import Lab, make_lab

PEOPLE, GRANTS = 400, 70
DRIVE = "https://www.googleapis.com/auth/drive"
BOOKKEEPING = 200
FIRST_LOAD_A_PRINCIPAL = 12
CHANGED_PRINCIPAL = 8


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    """What a release ships."""
    return load_knowledge(shipped_content())


@pytest.fixture
def lab(knowledge: Knowledge) -> Iterator[Lab]:
    """A metered tenant; nothing is loaded yet."""
    with GoogleWorld.make().closing() as world:
        world.begin(5, employees=PEOPLE, grants_per_user=GRANTS, long_tail=300, events_per_user_day=0)
        yield make_lab(world, knowledge, 5, Meter())


def used(lab: Lab, kind: WorkKind = "connection.full", **body: str) -> Usage:
    """What one message uses."""
    assert lab.meter is not None
    with lab.meter.measured() as usage:
        lab.do(Work(lab.store.tenant_id, kind, lab.connection_id, body))
    return usage


def revisions(lab: Lab) -> dict[str, int]:
    bundles = lab.store.bundles.all(lab.connection_id)
    return {b.principal.id: b.rev for b in bundles if b.principal.kind == "user"}


def test_units_of_a_life(lab: Lab) -> None:
    first = used(lab)
    assert len(revisions(lab)) == PEOPLE
    assert first.write_units / PEOPLE <= 4, "the budget is 12, the aim 4"

    lab.clock.forward(days=1)
    before = revisions(lab)
    unchanged = used(lab)
    assert revisions(lab) == before
    assert unchanged.write_units < 30, "a run's own bookkeeping, the same whoever works here"

    people = [u for u in lab.world.org.users if u.deleted_at is None and not u.is_admin]
    chosen = Random(1).sample(people, PEOPLE // 100)
    for user in chosen:
        lab.world.control.grant(user.id, "Bench Assistant", scopes=[DRIVE])
        lab.world.control.revoke(user.id, lab.world.org.grants.held_by(user)[3].client_id)
    lab.clock.forward(days=1)
    changed = used(lab)
    assert sum(1 for pid, rev in revisions(lab).items() if before.get(pid) != rev) == len(chosen)
    assert (changed.write_units - unchanged.write_units) / len(chosen) <= CHANGED_PRINCIPAL

    lab.world.control.grant(chosen[0].id, "Another Assistant", scopes=[DRIVE])
    hinted = used(lab, "bundle.read", native_id=chosen[0].id)
    assert hinted.write_units <= CHANGED_PRINCIPAL


def test_bookkeeping_of_ten_thousand_stays_under_its_budget(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 400 people and savings 25 times as often there are as many savings as with 10,000."""
    monkeypatch.setattr(full_run, "SAVE_EVERY", full_run.SAVE_EVERY * PEOPLE // 10_000)
    monkeypatch.setattr("lantern.connectors.google.directory._PAGE", "20")
    lab.do(Work(lab.store.tenant_id, "connection.full", lab.connection_id))
    lab.clock.forward(days=1)
    before = revisions(lab)
    unchanged = used(lab)
    assert revisions(lab) == before
    # What grows with people: 4 bytes each of who was listed, in base64 and compressed.
    listed = 10_000 * full_run._PREFIX * 1.1 / 1024
    assert unchanged.write_units + listed < BOOKKEEPING


def test_an_evaluation_of_all_grants_stays_under_its_budget(lab: Lab) -> None:
    """Bundles, findings and last use grow with people; apps and what is read once do not."""
    lab.do(Work(lab.store.tenant_id, "connection.full", lab.connection_id))
    used(lab, "score.run")
    sweep = used(lab, "score.run")
    assert lab.meter is not None
    with lab.meter.measured() as grows:
        bundles = list(lab.store.bundles.all(lab.connection_id))
        lab.store.findings.packed()
        lab.store.use.last_use_of(lab.connection_id, range(lab.connection.shards), lab.connection.shards)
    assert len(bundles) >= PEOPLE
    fixed = sweep.read_units - grows.read_units
    assert 0 < fixed < 200, "half a unit for each app's facts and judgement, and what a message reads once"
    assert fixed + grows.read_units * 10_000 / PEOPLE < 2_000
    # What was read is read once: all calls but a few are pages of queries and batches of a hundred.
    assert set(sweep.calls) <= {"Query", "BatchGetItem", "GetItem"}
    assert sweep.calls["GetItem"] < 10


def test_an_unchanged_night_writes_nothing_but_bookkeeping(lab: Lab) -> None:
    lab.do(Work(lab.store.tenant_id, "connection.full", lab.connection_id))
    used(lab, "score.run")
    used(lab, "people.join")
    lab.clock.forward(days=1)
    before = {f.id: f.rev for f in lab.store.findings.all()}
    assert len(before) > 100
    assert used(lab, "score.run").write_units == 0
    assert used(lab, "people.join").write_units <= 1, "when what vendors reach was computed"
    assert used(lab, "score.whole").write_units == 0
    assert {f.id: f.rev for f in lab.store.findings.all()} == before


def test_following_the_catalog_costs_a_look_at_the_apps_and_a_mark(lab: Lab) -> None:
    lab.do(Work(lab.store.tenant_id, "connection.full", lab.connection_id))
    lab.settle()
    apps = len(lab.store.apps.summary())
    looked = used(lab, "score.catalog")
    assert looked.write_units == 1, "nothing is told otherwise: the mark alone"
    assert looked.read_units < apps, "half a unit for each app's facts and judgement, and the scope sets"
    again = used(lab, "score.catalog")
    # One for the mark with the tenant's entries, read for sure; half for its policy, read for all messages.
    assert (again.write_units, again.read_units) == (0, 1.5)
    assert lab.meter is not None
    with lab.meter.measured() as poll:
        lab.store.catalog.applied()
    assert poll.read_units == 0.5
