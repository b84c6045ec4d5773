"""Jobs of every kind: what is asked of the provider, what its answers mean, and who must approve."""

from dataclasses import replace
from typing import Any

import pytest

from lantern.connectors.protocol import Action, ActionResult
from lantern.domain import ids
from lantern.domain.assets import Asset
from lantern.domain.errors import ConflictError, InvalidInputError, NotFoundError
from lantern.domain.jobs import ActionRecord, Job, JobKind, Selector
from lantern.services import remediation
from tests.support.tenant import Bench

APP = ids.app_id("google", "tool")


class Acting:
    """A connector that notes what it is asked and answers as told."""

    def __init__(self, inner: Any, asked: list[Action], answer: ActionResult) -> None:
        self._inner, self._asked, self._answer = inner, asked, answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def act(self, action: Action) -> ActionResult:
        self._asked.append(action)
        return self._answer


@pytest.fixture
def asked(bench: Bench) -> list[Action]:
    """A person and an app in the inventory, an asset beside them; what the provider is asked."""
    bench.world.add("u1", "tool")
    bench.world.add("u2", "tool")
    bench.full()
    key = Asset(ids.asset_id(bench.connection_id, "api_key", "k1"), bench.connection_id, "api_key", "k1", "K")
    bench.store.assets.reconcile(bench.connection_id, "api_key", [key], bench.clock.now())
    said: list[Action] = []
    answer(bench, said, ActionResult("done", observed_present=False))
    return said


def answer(bench: Bench, said: list[Action], result: ActionResult) -> None:
    bench.wrap = lambda connector: Acting(connector, said, result)


def request(bench: Bench, kind: JobKind, **selector: Any) -> Job:
    return remediation.request_job(
        bench.store,
        kind=kind,
        requested_by="key_a",
        selector=Selector(**selector),
        dry_run=False,
        now=bench.clock.now(),
        random=lambda size: bytes(range(size)),
    )


def carried_out(bench: Bench, job: Job) -> ActionRecord:
    if job.state == "awaiting_approval":
        remediation.approve(bench.store, job.id, "key_b", bench.clock.now())
    bench.settle()
    (action,) = bench.store.jobs.actions(job.id)
    return action


def person(native_id: str = "u1") -> str:
    return ids.principal_id("google", "C0example", native_id)


def test_an_act_on_a_whole_app_always_waits_for_somebody_else(bench: Bench, asked: list[Action]) -> None:
    job = request(bench, "disable_app", app_id=APP)
    assert job.state == "awaiting_approval"
    assert job.plan is not None
    assert (job.plan.targets, job.plan.everyone) == (1, True)

    action = carried_out(bench, job)

    assert (action.target_id, action.state) == (f"{APP}@{bench.connection_id}", "verified")
    assert asked == [Action("disable_app", client_id="tool")]


def test_letting_an_app_in_again_is_done_when_it_is_there(bench: Bench, asked: list[Action]) -> None:
    job = request(bench, "enable_app", app_id=APP)
    answer(bench, asked, ActionResult("done", observed_present=True))
    assert carried_out(bench, job).state == "verified"


def test_what_is_still_there_afterwards_has_failed(bench: Bench, asked: list[Action]) -> None:
    job = request(bench, "restrict_app", app_id=APP)
    answer(bench, asked, ActionResult("done", observed_present=True))
    assert carried_out(bench, job).state == "failed"
    stored = bench.store.jobs.get(job.id)
    assert stored is not None
    assert stored.state == "failed"


def test_what_no_api_does_leaves_the_steps_to_an_administrator(bench: Bench, asked: list[Action]) -> None:
    steps = ("Open the admin console.", "Block the app.")
    answer(bench, asked, ActionResult("not_possible", None, "No API blocks an app.", instructions=steps))
    job = request(bench, "restrict_app", app_id=APP)
    action = carried_out(bench, job)
    assert (action.state, action.instructions) == ("manual", steps)
    stored = bench.store.jobs.get(job.id)
    assert stored is not None
    assert (stored.state, stored.counts.manual) == ("waiting", 1)


def test_a_part_of_a_grant_is_taken_away_and_the_account_read_again(
    bench: Bench, asked: list[Action]
) -> None:
    job = request(bench, "revoke_scopes", grant_ids=(ids.grant_id(person(), APP),), scopes=("openid",))
    action = carried_out(bench, job)
    assert action.state == "verified"
    assert asked == [Action("revoke_scopes", "u1", "tool", scopes=frozenset({"openid"}))]


def test_sessions_end_and_assets_go(bench: Bench, asked: list[Action]) -> None:
    assert carried_out(bench, request(bench, "end_sessions", principal_id=person())).state == "verified"
    bench.clock.forward(seconds=1)
    key = ids.asset_id(bench.connection_id, "api_key", "k1")
    bench.store.connections.put(replace(bench.connection, provider="okta"))
    assert carried_out(bench, request(bench, "delete_asset", asset_ids=(key,))).state == "verified"
    assert asked == [Action("end_sessions", "u1"), Action("delete_asset", asset_id="k1")]


def test_access_of_the_whole_organisation_waits_for_approval_however_few_it_is(
    bench: Bench, asked: list[Action]
) -> None:
    bundle = bench.bundle("u1")
    whole = replace(bundle, principal=replace(bundle.principal, kind="organisation"))
    bench.store.bundles.put(whole)
    job = request(bench, "revoke_grants", grant_ids=(ids.grant_id(person(), APP),))
    assert (job.state, asked) == ("awaiting_approval", [])


@pytest.mark.parametrize(
    ("kind", "selector", "error"),
    [
        ("disable_app", {"principal_id": person()}, InvalidInputError),
        ("end_sessions", {"app_id": APP}, InvalidInputError),
        ("delete_asset", {"app_id": APP}, InvalidInputError),
        ("revoke_grants", {"asset_ids": ("ast_1",)}, InvalidInputError),
        ("revoke_scopes", {"app_id": APP}, InvalidInputError),
        ("revoke_grants", {}, InvalidInputError),
        ("revoke_grants", {"app_id": APP, "principal_id": person()}, InvalidInputError),
        ("disable_app", {"app_id": ids.app_id("google", "nobody")}, NotFoundError),
        ("end_sessions", {"principal_id": person("nobody")}, NotFoundError),
        ("delete_asset", {"asset_ids": ("ast_nobody",)}, NotFoundError),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_stored(
    bench: Bench, asked: list[Action], kind: JobKind, selector: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        request(bench, kind, **selector)
    assert bench.store.jobs.page(10).items == ()
    assert asked == []


def test_nothing_there_is_a_conflict(bench: Bench, asked: list[Action]) -> None:
    bench.store.connections.put(replace(bench.connection, status="disconnected"))
    with pytest.raises(ConflictError):
        request(bench, "disable_app", app_id=APP)
    assert asked == []
