"""An Okta organisation through the services: stored whole, and followed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from lantern.connectors import registry
from lantern.domain import ids
from lantern.domain.work import Work
from lantern.services.scoring.knowledge import Knowledge
from tests.contract.connectors.okta_rig import SCOPES, OktaRig, okta
from tests.support.memory_table import MemoryDynamo
from tests.support.tables import create_tables
from tests.support.tenant import Bench, make_bench


@dataclass
class SharedTime:
    """The organisation's time, for both sides."""

    rig: OktaRig

    def now(self) -> datetime:
        return self.rig.io.clock.now()

    def monotonic(self) -> float:
        return self.rig.io.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self.rig.io.clock.sleep(seconds)

    def forward(self, **delta: float) -> None:
        self.rig.simulator.control.advance(timedelta(**delta).total_seconds())


@dataclass
class Tenant:
    rig: OktaRig
    bench: Bench

    def stored(self) -> dict[str, dict[str, list[str]]]:
        return {p: {a: sorted(s) for a, s in held.items()} for p, held in self.bench.stored().items()}

    def wanted(self) -> dict[str, dict[str, list[str]]]:
        organisation = self.bench.connection.organisation_id
        return {
            ids.principal_id("okta", organisation, native): {
                ids.app_id("okta", client): scopes for client, scopes in row["grants"].items()
            }
            for native, row in self.rig.truth().items()
        }

    def poll(self) -> None:
        self.bench.do(Work(self.bench.store.tenant_id, "connection.changes", self.bench.connection_id))
        self.bench.settle()


@pytest.fixture
def tenant(knowledge: Knowledge) -> Iterator[Tenant]:
    with okta(employees=40, events_per_user_day=0.2) as rig:
        dynamo = MemoryDynamo()
        bench = make_bench(dynamo.client, create_tables(dynamo.client()), knowledge)
        bench.clock = SharedTime(rig)  # type: ignore[assignment]
        organisation = rig.identity.organisation_id
        bench.store.connections.put(
            replace(
                bench.connection,
                provider="okta",
                organisation_id=organisation or "",
                granted_scopes=frozenset(SCOPES),
                connected_at=bench.clock.now(),
            )
        )
        bench.wrap = lambda _: _bound(rig, bench)
        yield Tenant(rig, bench)


def _bound(rig: OktaRig, bench: Bench) -> Any:
    mine = replace(rig.credentials, connection_id=bench.connection_id)
    return registry.connect("okta", mine, rig.io)


def test_an_organisation_is_stored_and_followed(tenant: Tenant) -> None:
    rig, bench, control = tenant.rig, tenant.bench, tenant.rig.simulator.control
    bench.full()
    assert tenant.stored() == tenant.wanted()
    run = bench.store.runs.list(bench.connection_id, 1).items[0]
    assert (run.state, run.coverage.unread) == ("complete", ())
    rows = {row.name: row for row in bench.store.apps.summary()}
    assert rows["Claude"].verdict == "ai"
    assert rows["Slack"].holders == sum(
        any(c == app["client_id"] for c in row["grants"])
        for app in control.apps()
        if app["name"] == "slack"
        for row in rig.truth().values()
    )
    # Use was read as far as Okta remembers, and no further.
    window = bench.store.use.window(bench.connection_id)
    assert window is not None
    assert timedelta(days=89) < bench.clock.now() - window.complete_from < timedelta(days=92)

    tenant.poll()
    user, other, gone = rig.people()[1:4]
    client = control.add_app("Fresh Notes AI", client_id="fresh-1")
    control.consent(user, client, ["files.read"], nameless=False)
    control.event("user.session.start", other)
    control.consent(other, client, ["files.read"], nameless=True)
    control.status(gone, "DEPROVISIONED")
    tenant.poll()
    assert tenant.stored() == tenant.wanted()
    principal = ids.principal_id("okta", bench.connection.organisation_id, gone)
    archived = bench.store.bundles.get(bench.connection_id, principal)
    assert archived is not None
    assert archived.principal.status == "archived"

    control.delete_user(gone)
    bench.clock.forward(days=1)
    bench.full()
    assert {k: v for k, v in tenant.stored().items() if v} == {k: v for k, v in tenant.wanted().items() if v}
    deleted = bench.store.bundles.get(bench.connection_id, principal)
    assert deleted is not None
    assert (deleted.principal.status, deleted.grants) == ("deleted", ())
    for kind, count in (("api_key", 3), ("agent", 1)):
        page = bench.store.assets.page(kind, bench.connection_id, limit=50, cursor=None)
        assert len(page.items) == count
