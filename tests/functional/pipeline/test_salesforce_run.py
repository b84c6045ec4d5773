"""A Salesforce organisation through the whole pipeline: runs, hints, use, judgement, revocation."""

from dataclasses import replace

from lantern.domain import ids
from lantern.domain.jobs import Selector
from lantern.domain.work import Work
from lantern.services import remediation
from tests.contract.connectors.salesforce_rig import salesforce
from tests.support.tenant import Bench


def test_an_organisation_is_read_judged_followed_and_acted_on(bench: Bench) -> None:
    started = bench.clock.now().timestamp()
    with salesforce(employees=20, started=started) as rig:
        world = rig.simulator.world
        organisation = world.organisation_id
        bench.store.connections.put(
            replace(bench.connection, provider="salesforce", organisation_id=organisation)
        )
        bench.wrap = lambda _: rig.again(bench.connection_id)
        bench.full()

        def wanted() -> dict[str, set[str]]:
            return {
                ids.principal_id("salesforce", organisation, native): {
                    ids.app_id("salesforce", client) for client in known["grants"]
                }
                for native, known in rig.truth().items()
            }

        assert {pid: set(held) for pid, held in bench.stored().items()} == wanted()
        run = bench.store.runs.get(bench.connection_id, bench.connection.last_full_run)
        assert run is not None
        assert (run.state, run.coverage.listed) == ("complete", len(rig.truth()))
        rows = {row.name: row for row in bench.store.apps.summary()}
        assert rows["ChatGPT"].verdict == "ai"
        assert rows["ChatGPT"].scope_severity == "high", "scopes that are not told are not taken as harmless"
        window = bench.store.use.window(bench.connection_id)
        assert window is not None
        assert (bench.clock.now() - window.complete_from).days >= 179
        last = bench.store.use.last_use(bench.connection_id, 0)
        used = {t.user_id for t in world.tokens if t.last_used and started - t.last_used < 170 * 86_400}
        assert {ids.principal_id("salesforce", organisation, user) for user in used} <= set(last)

        victim = next(k for k, v in rig.truth().items() if v["state"] == "active" and v["grants"])
        bench.clock.forward(minutes=15)
        rig.simulator.control.advance(bench.clock.now().timestamp() - rig.simulator.control.now())
        _poll(bench)
        bench.clock.forward(minutes=15)
        rig.simulator.control.advance(15 * 60)
        client = rig.simulator.control.grant(victim, "Claude")
        rig.simulator.control.suspend(victim)
        _poll(bench)
        bundle = bench.store.bundles.get(
            bench.connection_id, ids.principal_id("salesforce", organisation, victim)
        )
        assert bundle is not None
        assert bundle.principal.status == "suspended", "a change of the account is seen between runs"
        grant = bundle.grant(ids.app_id("salesforce", client))
        assert grant is not None
        assert grant.granted_on == bench.clock.now().date()
        assert {pid: set(held) for pid, held in bench.stored().items()} == wanted()

        before = {t.user_id: t for t in world.tokens if t.app_name == "Claude"}
        remediation.request_job(
            bench.store,
            requested_by="key_a",
            selector=Selector(grant_ids=(ids.grant_id(bundle.principal.id, grant.app_id),)),
            dry_run=False,
            now=bench.clock.now(),
            random=bytes,
        )
        bench.settle()
        assert victim in before
        assert client not in rig.truth()[victim]["grants"]
        assert {pid: set(held) for pid, held in bench.stored().items()} == wanted()


def _poll(bench: Bench) -> None:
    bench.do(Work(bench.store.tenant_id, "connection.changes", bench.connection_id))
    bench.settle()
