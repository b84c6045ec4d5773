"""People, products and vendors over three providers, message by message."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lantern.domain import ids
from lantern.domain.exceptions import AccessException, exception_id
from lantern.domain.inventory import Bundle
from lantern.domain.work import Work
from lantern.runtime.api.apps import _row
from lantern.services import decisions, queries_apps, queries_people, queries_vendors
from lantern.services.scoring.knowledge import Knowledge
from lantern.services.scoring.people import join_people
from lantern.store.meter import Meter, Usage
from tests.support.memory_table import MemoryDynamo
from tests.support.provider import MemoryProvider
from tests.support.tenant import Bench, make_bench

DRIVE = "https://www.googleapis.com/auth/drive"
OTTER = {"otter-slack": "Otter.ai", "otter-hub": "Otter.ai", "otter-google": "Otter.ai", "zoom": "Zoom"}
SLACK, HUB = "con_0000000000000002", "con_0000000000000003"


class Company(Bench):
    """Google Workspace, then Slack, then GitHub."""

    slack: MemoryProvider
    hub: MemoryProvider
    meter: Meter

    def person(self, world: MemoryProvider, cid: str, native: str) -> str:
        return self.at(world, cid, native).principal.person_id

    def at(self, world: MemoryProvider, cid: str, native: str) -> Bundle:
        found = self.store.bundles.get(cid, world.principal_id(native))
        assert found is not None
        return found

    def revisions(self) -> dict[str, int]:
        cids = (self.connection_id, SLACK, HUB)
        return {b.principal.id: b.rev for cid in cids for b in self.store.bundles.all(cid)}

    def everywhere(self) -> None:
        for cid in (self.connection_id, SLACK, HUB):
            self.clock.forward(hours=1)
            self.full(cid)


@pytest.fixture
def company(knowledge: Knowledge) -> Company:
    """Nothing is read yet; Otter.ai is at Slack and GitHub with its domain, at Google by its name alone."""
    dynamo = MemoryDynamo()
    dynamo.tables = {"tenants": {}, "platform": {}}
    meter = Meter()

    def client() -> Any:
        made = dynamo.client()
        meter.attach(made)
        return made

    bench = make_bench(client, ("tenants", "platform"), knowledge)
    made = Company(**{name: getattr(bench, name) for name in bench.__dataclass_fields__})
    made.meter = meter
    made.clock.forward(hours=1)
    _, made.slack = made.connect("slack", 2)
    made.clock.forward(hours=1)
    _, made.hub = made.connect("github", 3)
    google, slack, hub = made.world, made.slack, made.hub
    for world in (google, slack, hub):
        world.names.update(OTTER)
    slack.facts["otter-slack"] = hub.facts["otter-hub"] = {"domains": ("otter.ai",)}
    google.add("alice", "zoom", admin=True)
    google.add("bob", "zoom", "otter-google")
    google.add("carol", aliases=("c.jones@example.com",))
    slack.add("U1", email="alice@example.com")
    slack.add("U2", email="bob@example.com")
    slack.add("U3", email="c.jones@example.com")
    slack.add("U4", email="alice@gmail.com", name="Alice")
    slack.add("BOT", email=None, kind="service")
    hub.add("9", email="alice@example.com")
    for native in ("U1", "U2", "BOT"):
        slack.consent(native, "otter-slack", "channels:history", "users:read")
    hub.consent("9", "otter-hub", "repo")
    return made


def test_accounts_get_their_person_with_their_first_write(company: Company) -> None:
    google, slack, hub = company.world, company.slack, company.hub
    company.full()
    company.clock.forward(hours=1)
    company.do(Work(company.store.tenant_id, "connection.full", SLACK))
    assert {company.at(slack, SLACK, native).rev for native in ("U1", "U2", "U3", "U4")} == {1}
    company.settle()
    company.everywhere()
    assert company.connection.domains == ("example.com",)
    for at, native in (("U1", "alice"), ("U2", "bob"), ("U3", "carol")):
        person = company.person(google, company.connection_id, native)
        assert company.person(slack, SLACK, at) == person == ids.person_id(google.principal_id(native))
    assert company.person(hub, HUB, "9") == company.person(google, company.connection_id, "alice")
    stranger = company.person(slack, SLACK, "U4")
    assert stranger == ids.person_id(slack.principal_id("U4")), "neither name nor consumer address joins"

    before, index = company.revisions(), company.store.people.all_bearers()
    company.everywhere()
    assert company.revisions() == before
    with company.meter.measured() as used:
        assert join_people(company.store, company.knowledge.reference, company.clock.now()).again == ()
    assert used.write_units == 0, "nothing is written where nobody moved"
    assert company.store.people.all_bearers() == index
    raw = repr(list(index.docs.values()))
    assert "alice" not in raw
    assert "example" not in raw


def test_joining_repairs_what_came_in_another_order(company: Company) -> None:
    company.full(SLACK)
    company.clock.forward(hours=1)
    company.full()
    slack = ids.person_id(company.slack.principal_id("U1"))
    assert company.person(company.world, company.connection_id, "alice") != slack
    # Slack's addresses were nobody's own before Google's domains were known: joined now, by a pass.
    assert company.person(company.slack, SLACK, "U1") == company.person(
        company.world, company.connection_id, "alice"
    )
    history = company.store.history.read(
        SLACK, company.clock.now().replace(year=2025), company.clock.now().replace(year=2030)
    )
    assert list(history) == [], "who somebody is, is no change of a grant"


def test_who_left_the_directory_left_everywhere(company: Company) -> None:
    google, slack = company.world, company.slack
    google.accounts["bob"].status = "suspended"
    company.everywhere()
    bob, alice = (company.person(google, company.connection_id, one) for one in ("bob", "alice"))
    left = {f.group.id: f for f in company.findings("departed-employee-grant")}
    at_slack = ids.grant_id(slack.principal_id("U2"), ids.app_id("slack", "otter-slack"))
    assert at_slack in left[bob].open_grants
    assert len(left[bob].open_grants) == 3, "two of the directory's account too"
    assert alice not in left
    view = company.store.apps.view(ids.app_id("slack", "otter-slack"))
    assert view.risk is not None
    counted = view.risk.body["tallies"][SLACK]
    assert (counted["holders"], counted["departed"], counted["shared"]) == (3, 1, 1)
    said = {one["id"]: one["evidence"] for one in view.risk.body["assessment"]["factors"]}
    assert said["departed"].endswith(": 1")
    assert "shared and service accounts: 1" in said["personal"]

    # A suspension that is pushed is followed at once, at the other connections too.
    google.accounts["alice"].status = "suspended"
    work = Work(company.store.tenant_id, "bundle.read", company.connection_id, {"native_id": "alice"})
    company.do(work)
    body = {"principal": google.principal_id("alice")}
    company.do(Work(company.store.tenant_id, "score.bundle", company.connection_id, body, cause="hint"))
    left = {f.group.id: f for f in company.findings("departed-employee-grant")}
    holders = {ids.split_grant_id(one)[0] for one in left[alice].open_grants}  # type: ignore[index]
    assert holders == {
        google.principal_id("alice"), slack.principal_id("U1"), company.hub.principal_id("9"),
    }  # fmt: skip

    google.accounts["alice"].status = "active"
    company.everywhere()
    assert {f.group.id: f.status for f in company.findings("departed-employee-grant")}[alice] == "resolved"


def test_a_decision_about_a_product_holds_for_all_its_apps(company: Company) -> None:
    company.everywhere()
    store, now = company.store, company.clock.now()
    at_slack, at_hub, at_google = (
        ids.app_id(provider, f"otter-{place}")
        for provider, place in (("slack", "slack"), ("github", "hub"), ("google", "google"))
    )
    reference = company.knowledge.reference
    detail = queries_apps.detail(store, reference, at_slack)
    assert detail.product_id is not None
    assert [row.app_id for row in detail.siblings] == [at_hub], "a name alone joins nothing"
    rows = {row.app_id: row for row in store.apps.summary()}
    assert rows[at_google].product_id == rows[at_slack].product_id
    assert (rows[at_google].product_evidence, rows[at_slack].product_evidence) == (None, "domain")
    assert _row(rows[at_slack]).product_evidence == "domain"

    # A decision about the app alone, as older releases stored it, goes on counting until there is another.
    decisions.decide_app(store, store.apps.view(at_slack), status="approved", note="", by="key:a", now=now)
    company.settle()
    assert {row.app_id: row.status for row in store.apps.summary()}[at_slack] == "approved"
    detail = queries_apps.detail(store, reference, at_slack)
    assert (detail.decision and detail.decision.status) == "approved"

    decisions.decide_product(
        store, detail.product_id, None, at_slack, status="not_allowed", note="no", by="key:a", now=now
    )
    company.settle()
    statuses = {row.app_id: row.status for row in store.apps.summary()}
    assert (statuses[at_slack], statuses[at_hub], statuses[at_google]) == ("not_allowed", "not_allowed", None)
    broken = {f.group.id for f in company.findings("restricted-app-in-use") if f.status == "open"}
    assert {at_slack, at_hub} <= broken
    assert store.audit.verify() is None

    # It holds for an app of the product that is seen later.
    company.slack.names["otter-new"] = "Otter.ai"
    company.slack.facts["otter-new"] = {"domains": ("otter.ai",)}
    company.slack.consent("U3", "otter-new", "channels:history")
    company.full(SLACK)
    fresh = {row.app_id: row.status for row in store.apps.summary()}
    assert fresh[ids.app_id("slack", "otter-new")] == "not_allowed"


def test_one_vendor_is_one_record(company: Company) -> None:
    company.everywhere()
    store, reference, now = company.store, company.knowledge.reference, company.clock.now()
    row = next(row for row in store.apps.summary() if row.app_id == ids.app_id("slack", "otter-slack"))
    assert row.vendor is not None
    vendor_id = reference.vendor_id(row.vendor)
    found = queries_vendors.blast_radius(store, reference, vendor_id, now)
    alice, bob = (company.person(company.world, company.connection_id, one) for one in ("alice", "bob"))
    assert (found.reach.people, found.reach.departed) == (2, 0), "alice once, with two accounts"
    assert found.reach.administrators == (alice,)
    assert [part.provider for part in found.reach.connections] == ["google", "slack", "github"]
    by_connection = {part.connection_id: part for part in found.reach.connections}
    assert (by_connection[SLACK].people, by_connection[SLACK].apps[0].shared) == (2, 1)
    assert "chat" in by_connection[SLACK].data
    assert "code" in by_connection[HUB].data
    (chain,) = found.chains
    assert (chain.kind, [link.connection_id for link in chain.links]) == ("product", [SLACK, HUB])
    assert chain.sentence.startswith("Otter.ai reaches ")
    assert "at Slack and code at GitHub: what is read" in chain.sentence, "called by provider"
    assert found.exposure.startswith(f"2 people hold 3 apps of {row.vendor} at 3 connections.")
    assert "1 holder is an administrator." in found.exposure
    assert all(one.complete for one in found.read)
    detail = queries_apps.detail(store, reference, row.app_id)
    assert [one.links for one in detail.chains] == [chain.links]

    company.slack.failing["U2"] = "provider_error"
    company.world.accounts["bob"].status = "suspended"
    company.full(SLACK)
    company.full()
    found = queries_vendors.blast_radius(store, reference, vendor_id, now)
    assert (found.reach.departed, found.reach.who_left) == (1, (bob,))
    assert [one.connection_id for one in found.read if not one.complete] == [SLACK]
    assert "Slack could not be read completely" in found.exposure
    page = queries_vendors.people(store, reference, vendor_id, SLACK, None, 2)
    rest = queries_vendors.people(store, reference, vendor_id, SLACK, page.cursor, 2)
    holders = {one.bundle.principal.native_id: one.departed for one in (*page.items, *rest.items)}
    assert holders == {"U1": False, "U2": True, "BOT": False}


def test_a_person_is_one_answer(company: Company) -> None:
    company.everywhere()
    store, now = company.store, company.clock.now()
    alice = company.person(company.world, company.connection_id, "alice")
    found = queries_people.person(store, alice, now)
    assert [one.principal.connection_id for one in found.accounts] == [company.connection_id, SLACK, HUB]
    assert (found.email, found.departed, found.admin) == ("alice@example.com", False, True)
    assert {one.row.name for one in found.held if one.row} == {"Zoom", "Otter.ai"}
    stranger = company.person(company.slack, SLACK, "U4")
    with company.meter.measured() as used:
        assert len(queries_people.accounts(store, stranger)) == 1
    assert sum(used.calls.values()) == 2
    carol = company.person(company.world, company.connection_id, "carol")
    assert queries_people.person(store, carol, now).addresses == ("c.jones@example.com", "carol@example.com")


def test_a_worker_that_stops_midway_leaves_nothing_unsaid(company: Company) -> None:
    """Bundles are written before records and messages: joining again finds what was left undone."""
    company.full(SLACK)
    company.clock.forward(hours=1)
    put = company.store.people.put_records
    company.do(Work(company.store.tenant_id, "connection.full", company.connection_id))

    def torn(*_: object) -> int:
        raise RuntimeError("the process is gone")

    company.store.people.put_records = torn  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        company.settle()
    company.store.people.put_records = put  # type: ignore[method-assign]
    assert all(work.cause != "people" for _, work in company.store.outbox.due(company.clock.now()))
    passed = join_people(company.store, company.knowledge.reference, company.clock.now())
    assert passed.written == 0
    assert SLACK in passed.again
    again = join_people(company.store, company.knowledge.reference, company.clock.now())
    assert again == replace(passed, again=())


def test_a_newcomer_counts_before_the_record_names_it(company: Company) -> None:
    company.everywhere()
    cid, okta = company.connect("okta", 4)
    okta.add("00u1", "zoom", email="bob@example.com", status="suspended")
    company.do(Work(company.store.tenant_id, "connection.full", cid))
    bob = company.person(okta, cid, "00u1")
    assert bob == company.person(company.world, company.connection_id, "bob")
    # Nobody else of the record is left: what is there now is judged by itself.
    for at, world, native in ((company.connection_id, company.world, "bob"), (SLACK, company.slack, "U2")):
        company.store.bundles.delete(at, world.principal_id(native))
    body = {"principal": okta.principal_id("00u1")}
    company.do(Work(company.store.tenant_id, "score.bundle", cid, body, cause="hint"))
    record, _ = company.store.people.record(bob)
    assert record is not None
    assert record.departed
    assert bob in {f.group.id for f in company.findings("departed-employee-grant")}


def test_exceptions_that_ended_cost_no_reading_of_their_own(company: Company) -> None:
    """However many ended within 400 days: who still holds is seen by the walk that joins people anyway."""
    company.everywhere()
    store, app = company.store, ids.app_id("google", "zoom")
    alice = company.person(company.world, company.connection_id, "alice")

    def allowed(person: str, app_id: str) -> None:
        now = company.clock.now()
        until = now + timedelta(days=1)
        one = AccessException(
            exception_id(person, app_id), person, app_id, "request", "req_1", "", "key:a", now, until
        )
        store.transact(now).put(store.exceptions.op(one)).commit()

    def used(kind: Any) -> Usage:
        with company.meter.measured() as spent:
            company.do(Work(store.tenant_id, kind))
        company.settle()
        return spent

    for kind in ("score.whole", "people.join"):
        used(kind)
    before = {kind: used(kind).total_calls for kind in ("score.whole", "people.join")}
    allowed(alice, app)
    for number in range(30):
        allowed(f"per_{number:016}", app)
    company.clock.forward(days=2)
    assert used("score.whole").total_calls < before["score.whole"] + 20
    assert used("people.join").total_calls < before["people.join"] + 20
    (finding,) = company.findings("personal-exception-expired")
    assert (finding.group.id, finding.status) == (app, "open")
    used("score.whole")
    assert company.findings("personal-exception-expired")[0].status == "open", "unknown leaves it as it is"
    company.world.accounts["alice"].grants.clear()
    company.hint("alice")
    used("people.join")
    assert company.findings("personal-exception-expired")[0].status == "resolved"
