"""A Microsoft tenant through the whole pipeline: runs, assets, polls, use, acts."""

from dataclasses import replace

from lantern.domain import ids
from lantern.domain.jobs import Selector
from lantern.domain.work import Work
from lantern.services import remediation, risk
from tests.contract.connectors.entra_rig import entra
from tests.support.tenant import Bench


def test_a_tenant_is_read_followed_and_acted_on(bench: Bench) -> None:
    with entra(employees=20, started=bench.clock.now().timestamp()) as rig:
        control, tenant = rig.simulator.control, rig.simulator.world.tenant()
        bench.store.connections.put(replace(bench.connection, provider="entra", organisation_id=tenant.id))
        # Nobody listens at the address of the channel here.
        rig.simulator.subscriptions._validate = lambda _address: None
        bench.wrap = lambda _: rig.again(bench.connection_id)
        bench.full()

        def wanted() -> dict[str, set[str]]:
            return {
                ids.principal_id("entra", tenant.id, native): {
                    ids.app_id("entra", client) for client in known["grants"]
                }
                for native, known in rig.truth().items()
            }

        assert {pid: set(held) for pid, held in bench.stored().items()} == wanted()
        run = bench.store.runs.get(bench.connection_id, bench.connection.last_full_run)
        assert run is not None
        assert (run.state, run.coverage.listed) == ("complete", len(rig.truth()))
        window = bench.store.use.window(bench.connection_id)
        assert window is not None
        assert 29 <= (bench.clock.now() - window.complete_from).days <= 31, "Microsoft remembers a month"
        bench.do(Work(bench.store.tenant_id, "connection.assets", bench.connection_id))
        agents = bench.store.assets.page("agent", bench.connection_id, limit=50, cursor=None).items
        assert len(agents) == 4
        assert all(one.asset.owner in bench.stored() for one in agents), "owners are accounts that are known"

        victim = next(k for k in rig.people() if not tenant.roles_of(k))
        _later(bench, rig)
        _poll(bench)
        _later(bench, rig)
        client = control.add_app("Consented between runs")
        control.grant(victim, client, ["openid", "Mail.Read"])
        control.grant(None, client, ["User.Read"])
        control.suspend(victim)
        _poll(bench)
        bundle = bench.store.bundles.get(bench.connection_id, ids.principal_id("entra", tenant.id, victim))
        assert bundle is not None
        assert bundle.principal.status == "suspended", "a change of the account is seen between runs"
        grant = bundle.grant(ids.app_id("entra", client))
        assert grant is not None
        assert grant.granted_on == bench.clock.now().date()
        assert {pid: set(held) for pid, held in bench.stored().items()} == wanted()

        _explained_as_held(bench, bundle.principal.id, grant.app_id, "high", "Read the person's e-mail")
        job = _revoke(bench, bundle.principal.id, grant.app_id)
        assert job.state == "approved"
        bench.settle()
        assert client not in rig.truth()[victim]["grants"]
        assert {pid: set(held) for pid, held in bench.stored().items()} == wanted()
        # What is everybody's is not taken away without an approval of its own.
        everybody = ids.principal_id("entra", tenant.id, "AllPrincipals")
        control.grant(None, client, ["User.Read", "Mail.Read"])
        _poll(bench)
        _explained_as_held(bench, everybody, grant.app_id, "critical", "Read everyone's e-mail")
        assert _revoke(bench, everybody, grant.app_id).state == "awaiting_approval"


def _explained_as_held(bench: Bench, principal: str, app: str, reached: str, says: str) -> None:
    """One person's consent reaches that person's mail, one for all reaches everyone's."""

    def severity() -> str | None:
        bench.do(Work(bench.store.tenant_id, "score.app", body={"app_id": app}))
        return next(row.scope_severity for row in bench.store.apps.summary() if row.app_id == app)

    def told() -> str:
        grant, reference = ids.grant_id(principal, app), bench.knowledge.reference
        found = risk.grant_risk(bench.store, reference, grant, bench.connection_id, bench.clock.now())
        assert found.assessment is not None
        return str(found.assessment.factors)

    assert severity() == reached
    assert says in told()


def _revoke(bench: Bench, principal: str, app: str):
    return remediation.request_job(
        bench.store,
        requested_by="key_a",
        selector=Selector(grant_ids=(ids.grant_id(principal, app),)),
        dry_run=False,
        now=bench.clock.now(),
        random=bytes,
    )


def _later(bench: Bench, rig) -> None:
    bench.clock.forward(minutes=15)
    rig.simulator.control.advance(bench.clock.now().timestamp() - rig.simulator.control.now())


def _poll(bench: Bench) -> None:
    bench.do(Work(bench.store.tenant_id, "connection.changes", bench.connection_id))
    bench.settle()
