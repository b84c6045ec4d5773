"""Google's parts of a bundle through the product: stored, identified, judged, acted on, kept when unread."""

from collections.abc import Iterator

import pytest

from lantern.connectors.google import passwords
from lantern.connectors.protocol import Hint
from lantern.domain import ids
from lantern.domain.inventory import Bundle
from lantern.domain.jobs import Selector
from lantern.domain.work import Work
from lantern.services import push, remediation
from lantern.services.scoring.knowledge import Knowledge, load_knowledge
from scripts.build.checkout import shipped_content
from tests.support.google_world import CUSTOMER, GoogleWorld
from tests.support.lab import Lab, make_lab

MONICA = "ofpnmcalabcbjgholdjcjblkibolbppb"


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    """What a release ships."""
    return load_knowledge(shipped_content())


@pytest.fixture
def lab(knowledge: Knowledge) -> Iterator[Lab]:
    with GoogleWorld.make().closing() as world:
        world.begin(3, employees=6, grants_per_user=2, events_per_user_day=0)
        yield make_lab(world, knowledge, 3)


def run(lab: Lab) -> None:
    lab.do(Work(lab.store.tenant_id, "connection.full", lab.connection_id))
    lab.settle()


def bundle(lab: Lab, native_id: str) -> Bundle:
    found = lab.store.bundles.get(lab.connection_id, ids.principal_id("google", CUSTOMER, native_id))
    assert found is not None
    return found


def test_what_is_no_oauth_grant_is_an_app_with_people_like_any_other(lab: Lab) -> None:
    control, person = lab.world.control, lab.world.org.users[2]
    control.add_extension("Some Name", MONICA, permissions=["tabs", "cookies"], sites=["<all_urls>"])
    control.install_extension(person.id, MONICA)
    control.visit(person.id, "ChatGPT", "chatgpt.com", transfers=3)
    control.saml(person.id, "Salesforce")
    control.gemini(person.id)
    control.delegate("115200000000000000001", ["https://mail.google.com/"])
    lab.clock.forward(hours=3)
    run(lab)
    rows = {row.name: row for row in lab.store.apps.summary()}
    extension = rows["Some Name"]
    assert (extension.kind, extension.verdict, extension.product) == ("extension", "ai", "Monica")
    assert (rows["ChatGPT"].kind, rows["ChatGPT"].verdict, rows["ChatGPT"].holders) == ("web", "ai", 1)
    assert (rows["Salesforce"].kind, rows["Salesforce"].holders) == ("sso", 1)
    assert rows["Gemini in Workspace"].verdict == "ai"
    assert rows["Salesforce"].last_used is not None
    everyone = rows["115200000000000000001"]
    assert everyone.risk is not None
    assert everyone.risk > rows["Salesforce"].risk
    page = lab.store.assets.page("site", lab.connection_id, limit=10, cursor=None)
    assert [stored.asset.facts["transfers"] for stored in page.items] == [3]

    control.uninstall_extension(person.id, MONICA)
    control.fault("status", path="countInstalledApps", status=500)
    lab.clock.forward(days=1)
    run(lab)
    app = ids.app_id("google", MONICA)
    assert bundle(lab, person.id).grant(app), "the list did not come: nothing is concluded"
    control.clear_faults()
    lab.clock.forward(days=1)
    run(lab)
    assert bundle(lab, person.id).grant(app) is None
    assert len(bundle(lab, person.id).grants or ()) == 5, "and only that"


def test_an_app_password_is_revoked_like_a_grant_and_gone_at_once(lab: Lab) -> None:
    control, person = lab.world.control, lab.world.org.users[2]
    control.add_password(person.id, "Outlook")
    app = ids.app_id("google", "asp:outlook")
    while not passwords.is_turn(person.id, lab.clock.now().date()):
        lab.clock.forward(days=1)
    run(lab)
    lab.clock.forward(days=1)
    run(lab)
    assert bundle(lab, person.id).grant(app), "it is not asked for again before its turn, and stays known"
    job = remediation.request_job(
        lab.store,
        kind="revoke_grants",
        requested_by="key_a",
        selector=Selector(grant_ids=(ids.grant_id(bundle(lab, person.id).principal.id, app),)),
        dry_run=False,
        now=lab.clock.now(),
        random=lambda size: bytes(range(size)),
    )
    if job.state == "awaiting_approval":
        remediation.approve(lab.store, job.id, "key_b", lab.clock.now())
    lab.settle()
    (action,) = lab.store.jobs.actions(job.id)
    assert action.state == "verified"
    assert control.passwords_of(person.id) == []
    assert bundle(lab, person.id).grant(app) is None


def test_a_push_about_an_account_asks_for_it_anew(lab: Lab) -> None:
    person = lab.world.org.users[2]
    run(lab)
    lab.world.set_state(person, "suspended")
    hint = Hint(native_id=person.id, event="update", event_id="c#2", account=True)
    work = push._work(push._Route(lab.store.tenant_id, lab.connection_id), hint, None)
    assert (work.kind, work.body["about"]) == ("bundle.read", "account")
    lab.do(Work(work.tenant_id, "bundle.read", lab.connection_id, {"native_id": person.id}))
    assert bundle(lab, person.id).principal.status == "active", "a hint about grants asks for grants alone"
    lab.do(work)
    assert bundle(lab, person.id).principal.status == "suspended"
    lab.world.set_state(person, "deleted")
    lab.do(work)
    gone = bundle(lab, person.id)
    assert (gone.principal.status, gone.grants) == ("deleted", ())
