"""Every shipped playbook from start to end: what was foreseen came, and was seen at the provider."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

import pytest

from lantern.connectors.protocol import ActionResult
from lantern.domain import ids
from lantern.domain.alerts import AlertChannel
from lantern.domain.messages import Message
from lantern.domain.playbooks.machine import About, PlaybookRun
from lantern.domain.playbooks.names import NAMES
from lantern.domain.work import Work
from lantern.services import evidence, playbooks, remediation
from lantern.services.evidence import page
from tests.functional.playbooks.test_runs import Handing, run_of, sweep
from tests.support.audited import audited
from tests.support.company import Company

NOISE = Random(5).randbytes


@dataclass
class Scene:
    """The company with a second connection: what each playbook can be about."""

    company: Company
    other: str

    @property
    def elsewhere(self):  # type: ignore[no-untyped-def] # a world
        return self.company.bench.others[self.other]


@pytest.fixture
def scene(company: Company) -> Scene:
    bench, world = company.bench, company.bench.world
    other, elsewhere = bench.connect("okta")
    world.facts["block"] = {"kind": "extension"}
    world.names["block"] = "Page Reader"
    world.consent("alice", "block", "openid")
    elsewhere.names["wiki"] = "Wiki"
    elsewhere.add("alice-okta", "wiki", email="alice@example.com")
    elsewhere.own(other, "api_key", "tok1", "alice-okta")
    elsewhere.own(other, "agent", "agt1", "alice-okta")
    elsewhere.own(other, "agent", "agt2", None)
    world.own(bench.connection_id, "agent", "bot1", "alice")
    bench.full()
    bench.full(other)
    channel = AlertChannel("chn_1", "email", "Security", to=("sec@example.com",))
    bench.store.transact(bench.clock.now()).put(bench.store.alerts.channel_op(channel)).commit()
    return Scene(company, other)


def okta(client: str) -> str:
    return ids.app_id("okta", client)


ABOUT: dict[str, Callable[[Scene], About]] = {
    "stale-grant-clean-up": lambda s: About(app_id=s.company.app("otter")),
    "unsanctioned-app": lambda s: About(app_id=s.company.app("otter")),
    "over-scoped-app": lambda s: About(app_id=s.company.app("otter")),
    "restricted-app": lambda s: About(app_id=s.company.app("notion")),
    "abused-app": lambda s: About(app_id=s.company.app("notion")),
    "abandoned-ai-app": lambda s: About(app_id=okta("wiki")),
    "extension-removal": lambda s: About(app_id=s.company.app("block")),
    "departed-employee": lambda s: About(person_id=s.company.bench.bundle("alice").principal.person_id),
    "vendor-incident": lambda s: About(vendor_id=_vendor(s)),
    "assign-owner": lambda s: About(asset_ids=(ids.asset_id(s.other, "agent", "agt2"),)),
    "rotate-credential": lambda s: About(asset_ids=(ids.asset_id(s.other, "api_key", "tok1"),)),
}


def _vendor(scene: Scene) -> str:
    bench = scene.company.bench
    row = next(one for one in bench.store.apps.summary() if one.app_id == scene.company.app("otter"))
    return bench.knowledge.reference.vendor_id(row.vendor or "")


def begin(scene: Scene, name: str, *, dry_run: bool = False) -> playbooks.Asked:
    bench = scene.company.bench
    book = bench.knowledge.books.get(name)
    # Five accounts are soon more than a quarter.
    return playbooks.start(
        bench.store,
        replace(book, guards=replace(book.guards, max_percent=None)),
        about=ABOUT[name](scene),
        requested_by="key:a",
        dry_run=dry_run,
        now=bench.clock.now(),
        random=NOISE,
    )


def to_the_end(scene: Scene, run: PlaybookRun, days: int = 75) -> PlaybookRun:
    """Time passes until the run is over; its approval is given on the first day."""
    bench = scene.company.bench
    bench.settle()
    if run_of(scene.company, run).approval == "waiting":
        playbooks.approve(bench.store, run.id, "key:b", bench.clock.now())
    for _ in range(days):
        bench.settle()
        if not run_of(scene.company, run).open:
            break
        bench.clock.forward(days=1)
        sweep(scene.company)
    return run_of(scene.company, run)


def ways(scene: Scene, run: PlaybookRun) -> dict[str, list[tuple[str, str]]]:
    return {
        one.target_id: [(mark.step, mark.answer) for mark in one.trail]
        for one in scene.company.bench.store.playbooks.targets(run.id)
    }


def test_none_is_left_out() -> None:
    assert set(ABOUT) == set(NAMES)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_what_was_foreseen_is_what_came(scene: Scene, name: str) -> None:
    bench = scene.company.bench
    before = bench.store.audit.head()
    tried = begin(scene, name, dry_run=True)
    ahead = playbooks.would_happen(bench.store, tried, bench.clock.now())
    foreseen = {one.target.target_id: [(s.step, s.comes_to) for s in one.steps] for one in ahead}
    assert bench.store.audit.head() == before
    assert foreseen
    run = begin(scene, name).run
    over = to_the_end(scene, run)
    assert (over.state, ways(scene, run)) == ("done", foreseen)
    assert bench.store.audit.verify() is None
    assert audited(bench.store.audit.entries())
    told = evidence.collect(bench.store, "playbook-run", run.id, bench.clock.now())
    assert {one.target_id for one in told.lines} == set(foreseen)
    assert told.proof.first_bad is None
    SEEN[name](scene, over)
    assert "<img" not in page.render(told)


def _only_alice_and_bob_were_asked(scene: Scene, _run: PlaybookRun) -> None:
    bench = scene.company.bench
    sent = [one.subject for one in bench.store.audit.entries() if one.action == "nudge.sent"]
    asked = {nudge.principal_id for one in sent if (nudge := bench.store.nudges.get(one)) is not None}
    assert asked == {scene.company.principal("alice"), scene.company.principal("bob")}


def _nobody_has(client: str) -> Callable[[Scene, PlaybookRun], None]:
    def seen(scene: Scene, _run: PlaybookRun) -> None:
        assert not [one for one in scene.company.bench.world.accounts.values() if client in one.grants]

    return seen


def _stale(scene: Scene, run: PlaybookRun) -> None:
    _nobody_has("otter")(scene, run)
    _only_alice_and_bob_were_asked(scene, run)


def _kept(scene: Scene, _run: PlaybookRun) -> None:
    assert "otter" in scene.company.bench.world.accounts["bob"].grants


def _abandoned(scene: Scene, _run: PlaybookRun) -> None:
    assert scene.elsewhere.disabled == {"wiki"}
    assert not scene.elsewhere.accounts["alice-okta"].grants


def _extension(scene: Scene, _run: PlaybookRun) -> None:
    (job,) = scene.company.bench.store.jobs.page(10).items
    (action,) = scene.company.bench.store.jobs.actions(job.id)
    assert action.instructions[0] == "Open https://admin.example.com/apps/block"


def _departed(scene: Scene, run: PlaybookRun) -> None:
    bench, world = scene.company.bench, scene.company.bench.world
    assert set(world.accounts["alice"].grants) == {"block"}  # only an administrator removes an extension
    assert not scene.elsewhere.accounts["alice-okta"].grants
    assert (world.signed_out, scene.elsewhere.signed_out) == (["alice"], ["alice-okta"])
    # The key is deleted, the agent disabled, and what nobody of them owns is left alone.
    assert {k: v.state for k, v in scene.elsewhere.assets.items()} == {"agt1": "disabled", "agt2": "active"}
    # Google disables no agent by an API: the steps say to hand it over.
    job = next(
        one for one in bench.store.jobs.page(20).items if one.counts.manual and one.kind == "disable_asset"
    )
    action = next(one for one in bench.store.jobs.actions(job.id) if one.state == "manual")
    assert any("Hand it over" in step for step in action.instructions)
    found = evidence.collect(bench.store, "offboarding", run.id, bench.clock.now())
    assert {one.remaining_access_s for one in found.lines if one.kind == "grant"} >= {3600}


def _abused(scene: Scene, run: PlaybookRun) -> None:
    _nobody_has("notion")(scene, run)
    details = [m.detail for t in scene.company.bench.store.playbooks.targets(run.id) for m in t.trail]
    assert any("Access tokens may work for 3600 s" in one for one in details)


def _still(scene: Scene, names: set[str]) -> None:
    assert set(scene.elsewhere.assets) == names


SEEN: dict[str, Callable[[Scene, PlaybookRun], None]] = {
    "stale-grant-clean-up": _stale,
    "unsanctioned-app": _kept,
    "over-scoped-app": _stale,
    "restricted-app": _nobody_has("notion"),
    "abused-app": _abused,
    "abandoned-ai-app": _abandoned,
    "extension-removal": _extension,
    "departed-employee": _departed,
    "vendor-incident": _nobody_has("otter"),
    "assign-owner": lambda scene, _run: _still(scene, {"tok1", "agt1", "agt2"}),
    "rotate-credential": lambda scene, _run: _still(scene, {"agt1", "agt2"}),
}


# --- what people do by hand, and what comes back ----------------------------------------------------


def _mails(scene: Scene) -> list[Message]:
    sent = scene.company.bench.store.deliveries.page("chn_1", 50).items
    return [one.message for one in sent if one.message and "for an administrator" in one.message.title]


def test_what_is_left_to_an_administrator_is_reminded_of_and_closes_its_job_when_it_is_seen_done(
    scene: Scene,
) -> None:
    bench, world = scene.company.bench, scene.company.bench.world
    asked = begin(scene, "departed-employee")
    playbooks.approve(bench.store, asked.run.id, "key:b", bench.clock.now())
    bench.settle()
    left = [one for one in bench.store.jobs.page(20).items if one.open]
    assert {(one.kind, one.state, one.finished_at) for one in left} == {
        ("revoke_grants", "waiting", None),
        ("disable_asset", "waiting", None),
    }
    assert not _mails(scene)
    for _ in range(15):
        bench.clock.forward(days=1)
        sweep(scene.company)
    told = [one.title for one in _mails(scene)]
    assert told == ["1 step waits for an administrator"] * 4  # of two jobs in two weeks
    steps = [item for one in _mails(scene) for section in one.sections for item in section.items]
    assert {"Open https://admin" in one or "Hand it over" in one for one in steps} == {True}

    # One is handed over, the other taken away by hand: reading again shows both.
    world.assets["bot1"] = replace(world.assets["bot1"], owner=world.principal_id("bob"))
    del world.accounts["alice"].grants["block"]
    bench.full()
    bench.clock.forward(hours=7)
    sweep(scene.company)
    jobs = [bench.store.jobs.get(one.id) for one in left]
    assert [(one.state, one.counts.manual, one.finished_at is not None) for one in jobs if one] == [
        ("done", 0, True)
    ] * 2
    run = run_of(scene.company, asked.run)
    assert (run.state, run.counts) == ("done", {"verified": 9, "applied": 2})
    log = [one for one in bench.store.audit.entries() if one.subject == left[0].id]
    assert [one.action for one in log] == [
        "job.requested", "job.waiting", "job.reminded", "job.reminded", "job.finished",
    ]  # fmt: skip
    assert (log[-1].detail["before"], log[-1].detail["after"]) == ("waiting", "done")


def test_what_nobody_does_is_given_up_and_said_so(scene: Scene) -> None:
    bench = scene.company.bench
    run = begin(scene, "extension-removal").run
    assert to_the_end(scene, run).state == "done"
    (job,) = bench.store.jobs.page(5).items
    assert job.state == "waiting"
    bench.clock.forward(days=61)
    sweep(scene.company)
    given_up = bench.store.jobs.get(job.id)
    assert given_up is not None
    assert (given_up.state, given_up.counts.failed) == ("failed", 1)


def test_the_provider_is_asked_again_where_no_inventory_shows_it(scene: Scene) -> None:
    """Nothing that is read says whether Google blocks an app; a provider that says so closes the job."""
    bench = scene.company.bench
    run = begin(scene, "abused-app").run
    assert to_the_end(scene, run).state == "done"
    job = next(one for one in bench.store.jobs.page(9).items if one.kind == "disable_app")
    assert job.state == "waiting"
    bench.clock.forward(hours=7)
    sweep(scene.company)
    assert (bench.store.jobs.get(job.id) or job).state == "waiting"
    said = ActionResult("not_possible", observed_present=False, instructions=("It is blocked.",))
    bench.wrap = lambda connector: Handing(connector, said)
    bench.clock.forward(hours=7)
    sweep(scene.company)
    assert (bench.store.jobs.get(job.id) or job).state == "done"
    noted = [one for one in bench.store.audit.entries() if one.action == "disable_app.verified"]
    assert (noted[0].detail["before"], noted[0].detail["approved_by"]) == ("manual", "key:b")


def test_a_cancelled_job_asks_nobody_any_more(scene: Scene) -> None:
    bench = scene.company.bench
    run = begin(scene, "extension-removal").run
    to_the_end(scene, run)
    (job,) = bench.store.jobs.page(5).items
    remediation.cancel(bench.store, job.id, "key:c", bench.clock.now())
    bench.clock.forward(hours=7)
    sweep(scene.company)
    (action,) = bench.store.jobs.actions(job.id)
    assert action.state == "skipped"
    assert not bench.store.jobs.left_to_people(bench.clock.now() + timedelta(days=1))


def test_access_that_comes_back_disables_the_app_once_somebody_allows_it(scene: Scene) -> None:
    bench, elsewhere = scene.company.bench, scene.elsewhere
    book = bench.knowledge.books.get("restricted-app")
    run = playbooks.start(
        bench.store, replace(book, guards=replace(book.guards, max_percent=None)),
        about=About(app_id=okta("wiki")), requested_by="key:a", now=bench.clock.now(), random=NOISE,
    ).run  # fmt: skip
    assert to_the_end(scene, run).state == "done"
    bench.clock.forward(days=20)
    elsewhere.consent("alice-okta", "wiki", "openid")
    bench.full(scene.other)
    sweep(scene.company)
    proposed = next(one for one in bench.store.playbooks.page(9).items if one.state == "proposed")
    assert (proposed.book.id, elsewhere.disabled) == ("abused-app", set())
    playbooks.approve(bench.store, proposed.id, "key:b", bench.clock.now())
    bench.settle()
    assert elsewhere.disabled == {"wiki"}
    assert "wiki" not in elsewhere.accounts["alice-okta"].grants


def test_offboarding_follows_by_itself_from_the_deactivation(scene: Scene) -> None:
    """The rule about people who left proposes the run on its own; one decision carries it out everywhere."""
    bench = scene.company.bench
    bench.clock.forward(days=3)
    bench.world.accounts["alice"].status = "suspended"
    scene.elsewhere.accounts["alice-okta"].status = "suspended"
    bench.full()
    bench.full(scene.other)
    bench.do(Work(bench.store.tenant_id, "score.run", bench.connection_id))
    bench.settle()
    person = bench.bundle("alice").principal.person_id
    (proposed,) = [
        one
        for one in bench.store.playbooks.page(20).items
        if one.book.id == "departed-employee" and one.about.person_id == person
    ]
    assert proposed.requested_by.startswith("rule:")
    playbooks.approve(bench.store, proposed.id, "key:b", bench.clock.now())
    bench.settle()
    assert set(bench.world.accounts["alice"].grants) == {"block"}
    assert not scene.elsewhere.accounts["alice-okta"].grants
