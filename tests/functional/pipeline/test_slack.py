"""Slack through whole runs: what is stored is what is there; what is not shown concludes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from lantern.connectors import registry
from lantern.connectors.protocol import Connector
from lantern.domain import ids
from lantern.domain.work import Work
from tests.contract.connectors.google_rig import SimulatedTime
from tests.contract.connectors.slack_rig import REGISTRATION, SlackRig, slack
from tests.support.tenant import Bench


class Shared(SimulatedTime):
    """The simulator's time, that a test moves."""

    def __init__(self, rig: SlackRig) -> None:
        super().__init__(rig.simulator)  # type: ignore[arg-type]
        self._rig = rig

    def forward(self, **by: float) -> None:
        self._rig.simulator.control.advance(timedelta(**by).total_seconds())


@contextmanager
def connected(bench: Bench, plan: str) -> Iterator[SlackRig]:
    with slack(plan=plan) as rig:
        bench.clock = Shared(rig)  # type: ignore[assignment]
        organisation = rig.identity.organisation_id or ""
        stored = replace(
            bench.connection,
            provider="slack",
            organisation_id=organisation,
            granted_scopes=rig.grant.granted_scopes,
            connected_at=bench.clock.now(),
        )
        bench.store.connections.put(stored)

        def connector(_: Connector) -> Connector:
            credentials = registry.Credentials(
                bench.store.tenant_id, bench.connection_id, organisation, REGISTRATION, rig.grant.secret,
                rig.grant.granted_scopes,
            )  # fmt: skip
            return registry.connect("slack", credentials, rig.io)

        bench.wrap = connector
        yield rig


def truth(rig: SlackRig) -> dict[str, dict[str, frozenset[str]]]:
    organisation = rig.simulator.world.organisation_id
    return {
        ids.principal_id("slack", organisation, native): {
            ids.app_id("slack", app): frozenset(scopes) for app, scopes in one["grants"].items()
        }
        for native, one in rig.truth().items()
    }


def test_runs_store_what_is_there_and_conclude_what_went(bench: Bench) -> None:
    with connected(bench, "enterprise") as rig:
        world, control = rig.simulator.world, rig.simulator.control
        bench.full()
        assert bench.stored() == truth(rig)
        for kind, count in (("mcp_server", 2), ("app_policy", 9), ("automation", 2)):
            page = bench.store.assets.page(kind, bench.connection_id, limit=50, cursor=None)
            assert len(page.items) == count
        bench.clock.forward(hours=3)
        app = world.app("ChatGPT").id
        control.uninstall(app, rig.identity.email)
        control.install("Zapier", rig.identity.email, scopes=["files:read"])
        bench.do(Work(bench.store.tenant_id, "connection.changes", bench.connection_id))
        bench.settle()
        assert bench.stored() == truth(rig)
        assert not any(ids.app_id("slack", app) in held for held in bench.stored().values())
        bench.clock.forward(hours=3)
        bench.full()
        assert bench.stored() == truth(rig)


def test_a_plan_that_shows_less_takes_nothing_away(bench: Bench) -> None:
    with connected(bench, "pro") as rig:
        bench.full()
        before = bench.stored()
        assert before == truth(rig)
        rig.simulator.control.plan("free")
        bench.clock.forward(hours=3)
        bench.full()
        assert bench.stored() == before
        assert bench.connection.status == "active"


def test_access_that_ended_asks_for_attention(bench: Bench) -> None:
    with connected(bench, "free") as rig:
        bench.full()
        rig.simulator.control.remove_product()
        bench.do(Work(bench.store.tenant_id, "connection.changes", bench.connection_id))
        assert bench.connection.status == "needs_attention"
        assert "Connect Slack again" in (bench.connection.attention or "")
