"""A GitHub organisation through the whole pipeline: read, stored, judged, followed, acted on."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from lantern.domain import ids
from lantern.domain.work import Work
from tests.contract.connectors.github_rig import GithubRig, SimulatedTime, github
from tests.support.tenant import Bench


class Time(SimulatedTime):
    """The simulator's time, moved by hand as tests of the pipeline move theirs."""

    def forward(self, **delta: float) -> None:
        self.sleep(timedelta(**delta).total_seconds())


@dataclass
class Place:
    bench: Bench
    rig: GithubRig

    def wanted(self) -> dict[str, dict[str, frozenset[str]]]:
        return {
            ids.principal_id("github", "9001", native): {
                ids.app_id("github", client): frozenset(scopes) for client, scopes in told["grants"].items()
            }
            for native, told in self.rig.truth().items()
        }

    def stored(self) -> dict[str, dict[str, frozenset[str]]]:
        gone = {
            b.principal.id
            for b in self.bench.store.bundles.all(self.bench.connection_id)
            if b.principal.status == "deleted"
        }
        return {k: v for k, v in self.bench.stored().items() if k not in gone}

    def changes(self) -> None:
        self.bench.do(Work(self.bench.store.tenant_id, "connection.changes", self.bench.connection_id))
        self.bench.settle()


@pytest.fixture
def place(bench: Bench) -> Iterator[Place]:
    with github(45, seed=6) as rig:
        bench.clock = Time(rig.simulator)  # type: ignore[assignment]
        held = rig.connector.check().granted
        about = {"provider": "github", "organisation_id": "9001", "granted_scopes": held}
        bench.store.connections.put(replace(bench.connection, connected_at=bench.clock.now(), **about))
        bench.wrap = lambda _: rig.another(bench.connection_id)
        yield Place(bench, rig)


def keys(place: Place) -> dict[str, bool]:
    """Stored keys, and whether they are there still."""
    page = place.bench.store.assets.page("api_key", place.bench.connection_id, limit=200, cursor=None)
    return {one.asset.native_id: one.gone_at is None for one in page.items}


def test_what_is_stored_follows_what_is_there(place: Place) -> None:
    bench, control = place.bench, place.rig.simulator.control
    bench.full()
    assert place.stored() == place.wanted()
    run = bench.store.runs.get(bench.connection_id, bench.connection.last_full_run or "")
    assert run
    assert (run.state, run.coverage.unread) == ("complete", ())
    org = place.rig.simulator.world.need(None)
    assert {f"pat:{one}" for one in org.pats} < keys(place).keys()
    assert all(keys(place).values())
    lost = next(iter(org.pats))
    place.rig.simulator.world.revoke_pat(org, lost)

    # The audit log tells within a quarter of an hour.
    bench.clock.forward(minutes=15)
    members = [p for p in place.rig.truth() if p not in ("organisation",)]
    control.authorise(members[7], "GitHub app token", [])
    control.install("new-agent", permissions={"contents": "write"})
    control.remove(members[8])
    place.changes()
    assert place.stored() == place.wanted()

    # Without it the next night does.
    control.plan(ghec=False)
    control.end_seat(
        next(m for m in members if "copilot" in place.rig.truth().get(m, {"grants": {}})["grants"])
    )
    control.uninstall("cursor")
    bench.clock.forward(hours=24)
    before = place.stored()
    bench.full()
    assert keys(place)[f"pat:{lost}"] is False
    seats_and_apps = {
        principal: {app: scopes for app, scopes in held.items() if app not in sso()}
        for principal, held in place.stored().items()
    }
    assert seats_and_apps == place.wanted()
    # What the plan does not show any more stays as it was known.
    assert [held.keys() & sso() for held in place.stored().values()] == [
        held.keys() & sso() for held in before.values()
    ]


def sso() -> set[str]:
    return {ids.app_id("github", f"sso-{kind}-app-token") for kind in ("oauth", "github")}


def test_apps_are_judged_and_silence_says_nothing_of_them(place: Place) -> None:
    bench = place.bench
    org = place.rig.simulator.world.need(None)
    lazy, busy = list(org.seats)[:2]
    for user, used in ((lazy, None), (busy, bench.clock.now().timestamp() - 3600)):
        org.seats[user].created_at = bench.clock.now().timestamp() - 170 * 86_400
        org.seats[user].last_activity_at = used
    bench.full()
    named = {finding.title for finding in bench.findings()}
    assert any("Cursor" in title for title in named)
    assert any("Claude" in title for title in named)
    stale = {row.id for finding in bench.findings("stale-grant") for row in finding.affected}
    organisation = ids.principal_id("github", "9001", "organisation")
    copilot = ids.app_id("github", "copilot")
    idle, used = (
        ids.grant_id(ids.principal_id("github", "9001", str(user)), copilot) for user in (lazy, busy)
    )
    assert idle in stale
    assert used not in stale
    assert not any(
        ids.grant_id(organisation, ids.app_id("github", str(app.app_id))) in stale
        for app in place.rig.simulator.world.installed(org)
    )
