"""What storing an inventory costs, in units as our sizing has them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import pytest

from lantern.domain import ids
from lantern.domain.history import entries_of
from lantern.domain.inventory import Bundle, Merge, Observation, ObservedGrant, merge
from lantern.store.footprints import ShardState
from lantern.store.meter import Meter
from lantern.store.tenant import TenantStore
from tests.contract.store.factories import CID, NOW, Organisation

PRINCIPALS, SHARDS = 640, 2
# The rebuild keeps one item per bucket and shard, whatever changed: 1 % of 10,000 people.
CHANGED = PRINCIPALS // 100


def holders(bundles: Iterable[Bundle]) -> dict[str, frozenset[str]]:
    pairs: dict[str, set[str]] = defaultdict(set)
    for bundle in bundles:
        for grant in bundle.grants or ():
            pairs[grant.app_id].add(bundle.principal.id)
    return {app_id: frozenset(held) for app_id, held in pairs.items()}


def observed(organisation: Organisation, bundle: Bundle) -> Observation:
    apps = {app.id: app for app in organisation.apps}
    grants = tuple(
        ObservedGrant(apps[g.app_id], organisation.scope_sets[g.scope_set], g.granted_on)
        for g in bundle.grants or ()
    )
    return Observation(bundle.principal, grants)


def run(store: TenantStore, organisation: Organisation, seen: dict[int, list[Observation]]) -> int:
    """A full run as discovery does it; returns how many bundles it wrote."""
    written = 0
    for shard in range(SHARDS):
        stored = {bundle.principal.id: bundle for bundle in store.bundles.shard(CID, shard, SHARDS)}
        merges: list[Merge] = []
        for observation in seen[shard]:
            change = merge(stored.get(observation.principal.id), observation, now=NOW, cause="run")
            if change.bundle is not None:
                merges.append(change)
        store.apps.put_all_facts(app for change in merges for app in change.apps)
        store.apps.put_scope_sets({n: s for change in merges for n, s in change.scope_sets.items()})
        fresh = [store.bundles.put(change.bundle) for change in merges if change.bundle]
        known = stored.copy()
        known.update({bundle.principal.id: bundle for bundle in fresh})
        store.footprints.rebuild(CID, shard, SHARDS, holders(known.values()), NOW)
        if stored:
            entries = [entry for bundle in fresh for entry in entries_of(bundle)]
            store.history.append(CID, shard, NOW.date(), entries)
        store.footprints.put_state(CID, ShardState(shard, SHARDS, "run", NOW, len(known)))
        written += len(fresh)
    return written


@pytest.fixture
def organisation() -> Organisation:
    return Organisation(seed=11, apps=400, scope_sets=300)


def test_first_load_unchanged_reconcile_and_one_percent_changed(
    store: TenantStore, meter: Meter, organisation: Organisation
) -> None:
    bundles = [organisation.bundle(number) for number in range(PRINCIPALS)]
    seen: dict[int, list[Observation]] = defaultdict(list)
    for bundle in bundles:
        seen[ids.shard_of(bundle.principal.id, SHARDS)].append(observed(organisation, bundle))

    with meter.measured() as first:
        assert run(store, organisation, seen) == PRINCIPALS
    assert first.write_units / PRINCIPALS <= 4.5, dict(first.writes)
    assert first.writes["PutItem"] / PRINCIPALS <= 3.5

    with meter.measured() as unchanged:
        assert run(store, organisation, seen) == 0
    # Freshness of each shard, and nothing else.
    assert dict(unchanged.writes) == {"PutItem": SHARDS}
    assert unchanged.calls["PutItem"] == SHARDS
    assert "BatchWriteItem" not in unchanged.calls

    known = {bundle.principal.id for bundle in bundles[:CHANGED]}
    for rows in seen.values():
        for at, observation in enumerate(rows):
            if observation.principal.id in known:
                rows[at] = changed(organisation, observation)
    with meter.measured() as reconciled:
        assert run(store, organisation, seen) == CHANGED
    assert reconciled.write_units / CHANGED <= 8, dict(reconciled.writes)


def changed(organisation: Organisation, observation: Observation) -> Observation:
    """One grant gone, as after a revocation."""
    assert observation.grants
    return replace(observation, grants=observation.grants[1:])


def test_a_hint_costs_at_most_8_units(store: TenantStore, meter: Meter, organisation: Organisation) -> None:
    bundles = [organisation.bundle(number) for number in range(PRINCIPALS // SHARDS)]
    stored = {bundle.principal.id: store.bundles.put(bundle) for bundle in bundles}
    store.footprints.rebuild(CID, 0, 1, holders(stored.values()), NOW)
    units = []
    for bundle in list(stored.values())[:10]:
        assert bundle.grants
        gone = bundle.grants[3].app_id
        grants = tuple(grant for grant in bundle.grants if grant.app_id != gone)
        before = merge(bundle, observed(organisation, replace(bundle, grants=grants)), now=NOW, cause="hint")
        assert before.bundle is not None
        with meter.measured() as used:
            after = store.bundles.put(before.bundle)
            store.footprints.remove(CID, 0, 1, after.principal.id, [gone])
            store.history.append(CID, 0, NOW.date(), list(entries_of(after)))
        units.append(used.write_units)

    assert sum(units) / len(units) <= 8, units


def test_a_sweep_of_ten_thousand_would_cost_under_2000_read_units(
    store: TenantStore, meter: Meter, organisation: Organisation
) -> None:
    for number in range(200):
        store.bundles.put(organisation.bundle(number))

    with meter.measured() as sweep:
        assert sum(len(bundle.grants or ()) for bundle in store.bundles.all(CID)) == 200 * 70
    assert sweep.read_units * 10_000 / 200 < 2_000
    assert set(sweep.calls) == {"Query"}


def test_reads_of_one_thing_are_one_call(
    store: TenantStore, meter: Meter, organisation: Organisation
) -> None:
    bundle = store.bundles.put(organisation.bundle(1))
    app = organisation.apps[0]
    store.apps.put_facts(app)
    store.footprints.add(CID, 0, 1, bundle.principal.id, [app.id])
    for read in (
        lambda: store.apps.view(app.id),
        store.apps.summary,
        lambda: store.footprints.holders(CID, app.id),
        lambda: store.bundles.get(CID, bundle.principal.id),
        lambda: store.bundles.page(CID, 50),
        lambda: store.findings.page("open", 50),
        lambda: store.runs.list(CID, 20, None),
    ):
        with meter.measured() as used:
            read()
        assert used.total_calls == 1


@pytest.mark.engine
def test_the_meter_agrees_with_the_engine_on_plain_operations(
    store: TenantStore, meter: Meter, organisation: Organisation, engine: str
) -> None:
    assert engine == "local"
    billed = {"read": 0.0, "write": 0.0}

    def collect(parsed: dict[str, object], model: object, **_: object) -> None:
        capacity = parsed.get("ConsumedCapacity") or []
        rows = capacity if isinstance(capacity, list) else [capacity]
        kind = "read" if model.name in ("GetItem", "Query", "BatchGetItem") else "write"  # type: ignore[attr-defined]
        billed[kind] += sum(row["CapacityUnits"] for row in rows)  # type: ignore[index]

    store.documents.session.client.meta.events.register_last("after-call.dynamodb", collect)
    with meter.measured() as used:
        bundles = [store.bundles.put(organisation.bundle(number)) for number in range(20)]
        store.bundles.put(replace(bundles[0], grants=()))
        store.footprints.add(CID, 0, 1, bundles[1].principal.id, [g.app_id for g in bundles[1].grants or ()])
        list(store.bundles.all(CID))
        store.bundles.batch_get(CID, [bundle.principal.id for bundle in bundles])
        store.bundles.delete(CID, bundles[1].principal.id)

    assert (used.read_units, used.write_units) == (billed["read"], billed["write"])
