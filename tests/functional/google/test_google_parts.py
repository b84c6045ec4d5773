"""What a bundle holds beside OAuth grants, against the simulator: each part is told, and nothing is concluded
from a list that did not come to its end."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from lantern.connectors.google import extensions, passwords, seen
from lantern.connectors.google.manifest import AUDIT, CHROME, CHROME_DETAILS, MANIFEST
from lantern.connectors.google.normalize import ORGANISATION
from lantern.connectors.protocol import Connector, Hint
from lantern.domain import ids, inventory
from lantern.domain.inventory import Observation
from tests.contract.connectors.google_rig import GoogleRig, google
from tests.simulators.google.control_extras import extension_id

MONICA = "ofpnmcalabcbjgholdjcjblkibolbppb"


@pytest.fixture
def rig() -> Iterator[GoogleRig]:
    with google() as made:
        yield made


def active(rig: GoogleRig) -> list[str]:
    return sorted(k for k, v in rig.truth().items() if v["state"] == "active")


def read(rig: GoogleRig, connector: Connector | None = None) -> dict[str, Observation]:
    """A run's reading by a connector of its own: it lists everybody, then reads them."""
    connector = connector or rig.again()
    accounts, cursor = [], None
    while True:
        page = connector.principals(cursor)
        accounts += page.principals
        cursor = page.cursor
        if cursor is None:
            break
    outcomes = list(connector.read(accounts, rig.deadline()))
    assert all(isinstance(outcome, Observation) for outcome in outcomes), outcomes
    return {o.principal.native_id: o for o in outcomes}  # type: ignore[misc]


def held(seen_: Observation, source: str) -> dict[str, frozenset[str]]:
    return {g.app.client_id: g.scopes for g in seen_.grants or () if g.source == source}


def calls(rig: GoogleRig) -> dict[str, int]:
    return {name: row["calls"] for name, row in rig.simulator.control.metrics()["methods"].items()}


# -- extensions ---------------------------------------------------------------------------------------


def test_extensions_are_grants_of_whoever_has_them_with_what_they_may_do_and_where(rig: GoogleRig) -> None:
    control, (one, two, *_) = rig.simulator.control, active(rig)
    control.add_extension(
        "Monica", MONICA, permissions=["tabs", "storage"], sites=["<all_urls>"], risk="RISK_LEVEL_HIGH",
        publisher="Butterfly Effect",
    )  # fmt: skip
    mailer = control.add_extension(
        "Mail Helper", permissions=["cookies"], sites=["https://mail.google.com/*"]
    )
    own = control.add_extension("Sideloaded", permissions=["tabs"], listed=False)
    off = control.add_extension("Switched Off", permissions=["debugger"], disabled=True)
    theme = control.add_extension("A Theme", app_type="THEME")
    for identifier in (MONICA, mailer, own, off, theme):
        control.install_extension(one, identifier)
    control.install_extension(two, MONICA)
    found = read(rig)
    assert held(found[one], "extension") == {
        MONICA: {"chrome:tabs", "chrome:storage", "chrome:site:all"},
        mailer: {"chrome:cookies", "chrome:site:mail.google.com"},
        own: {"chrome:tabs", "chrome:site:unknown"},
    }
    assert held(found[two], "extension").keys() == {MONICA}
    app = next(g.app for g in found[one].grants or () if g.app.client_id == MONICA)
    assert (app.kind, app.name, app.publisher) == ("extension", "Monica", "Butterfly Effect")
    assert "extension" in (found[two].sources or ())
    assert found[two].as_of is not None
    listings = {listing.kind: listing for listing in rig.again().assets(rig.deadline())}
    facts = {asset.native_id: asset.facts for asset in listings["extension"].assets}
    assert facts[MONICA]["risk"] == "high"
    assert (facts[MONICA]["installations"], facts[own]["risk"]) == (2, None)
    assert off not in facts


def test_an_extension_that_was_removed_goes_only_by_a_complete_list(rig: GoogleRig) -> None:
    control, (one, two, *_) = rig.simulator.control, active(rig)
    for number in range(130):
        control.install_extension(one, control.add_extension(f"Tool {number}", permissions=["tabs"]))
    control.install_extension(two, extension_id("Tool 7"))
    before = read(rig)[one]
    assert len(held(before, "extension")) == 130
    stored = inventory.merge(None, before, now=rig.io.clock.now(), cause="run").bundle
    control.uninstall_extension(one, extension_id("Tool 7"))
    app = ids.app_id("google", extension_id("Tool 7"))

    def merged() -> tuple[Observation, Any]:
        found = read(rig)[one]
        after = inventory.merge(stored, found, now=rig.io.clock.now(), cause="run").bundle or stored
        assert after is not None
        return found, after

    for rule in (
        {"kind": "status", "path": "countInstalledApps", "status": 403},
        {"kind": "status", "path": "countInstalledApps", "status": 500, "skip": 1},
        {"kind": "status", "path": "findInstalledAppProfiles", "status": 500},
        {"kind": "cut", "path": "findInstalledAppProfiles"},
        {"kind": "status", "path": "apps/chrome/", "status": 503},
    ):
        control.fault(**rule)
        found, after = merged()
        assert "extension" not in (found.sources or ()), rule
        assert after.grant(app), rule
        assert len(after.grants) == len(stored.grants), rule
        rig.clear()
    # Half of them were read to their end: of those it is known who has them, of the others nothing.
    control.fault("cut", path="findInstalledAppProfiles", skip=60)
    found, after = merged()
    assert "extension" not in (found.sources or ())
    assert 0 < len(found.ended) < 130
    assert (after.grant(app) is None) == (app in found.ended)
    assert len(after.grants) == len(stored.grants) - (app in found.ended)
    rig.clear()
    control.quota(chrome_per_minute=10, enabled=True)
    assert "extension" not in (merged()[0].sources or ())
    control.quota(enabled=False)
    found, after = merged()
    assert "extension" in (found.sources or ())
    assert after.grant(app) is None
    assert len(after.grants) == len(stored.grants) - 1


def test_an_answer_cut_down_to_nothing_is_no_empty_list(
    rig: GoogleRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.simulator.control.install_extension(active(rig)[0], rig.simulator.control.add_extension("Tool"))
    monkeypatch.setattr("lantern.connectors.google.api.GoogleApi.ask", lambda *_, **__: {})
    found = read(rig)
    assert not any({"extension", "visit"} & (o.sources or frozenset()) for o in found.values())
    assert list(rig.again().assets(rig.deadline())) == []


@pytest.mark.parametrize(
    ("patterns", "scopes"),
    [
        (["<all_urls>"], {"all"}),
        (["*://*/*", "https://a.example/*"], {"all"}),
        (["https://*.com/*"], {"all"}),
        (["*://*.mail.google.com/*", "https://www.a.example:8443/x"], {"mail.google.com", "a.example"}),
        (["file:///*"], {"file"}),
        (["javascript:alert(1)", "\x00", "https:///"], {"all"}),
        (
            [f"https://s{n}.example/*" for n in range(30)] + ["https://docs.google.com/*"],
            {"many", "docs.google.com"},
        ),
        ([None, 7, ""], set()),
    ],
)
def test_match_patterns_are_read_as_wide_as_they_may_be(patterns: list[Any], scopes: set[str]) -> None:
    assert extensions.sites(patterns) == {f"chrome:site:{one}" for one in scopes}


# -- visits -------------------------------------------------------------------------------------------


def test_visits_of_ai_sites_are_seen_and_where_else_people_browse_is_not(rig: GoogleRig) -> None:
    control, (one, two, *_) = rig.simulator.control, active(rig)
    now = rig.io.clock.now()
    control.visit(one, "ChatGPT", "chatgpt.com", "Productivity", at=(now - timedelta(days=9)).timestamp())
    control.visit(
        two, "ChatGPT", "chatgpt.com", at=(now - timedelta(hours=1)).timestamp(), transfers=4, visits=6
    )
    control.visit(one, "Novel", "novel.example", "Generative AI")
    control.visit(one, "Private Matters", "clinic.example", "Health")
    found = read(rig)
    assert held(found[one], "visit") == {"chatgpt.com": {"web:visit"}, "novel.example": {"web:visit"}}
    assert "visit" in (found[one].sources or ())
    (app,) = {g.app for g in found[two].grants or () if g.source == "visit"}
    assert (app.kind, app.name, app.domains) == ("web", "ChatGPT", ("chatgpt.com",))
    sites = next(x for x in rig.again().assets(rig.deadline()) if x.kind == "site")
    facts = {asset.native_id: asset.facts for asset in sites.assets}
    assert facts["chatgpt.com"] == {"visits": 7, "people": 2, "transfers": 4}
    assert "clinic.example" not in facts
    asked = rig.simulator.control.metrics()["methods"]["chrome.customers.reports.findSaasUsageProfiles"][
        "calls"
    ]
    assert asked == 2 * 2, "two sites, by the run and by the assets"

    settled = now - timedelta(hours=2)
    pages = list(rig.again().history(settled - timedelta(days=2), settled, rig.deadline()))
    uses = {(u.native_id, u.client_id): u.last_at for page in pages for u in page.uses}
    assert (two, "chatgpt.com") in uses, "the latest visit lies behind the end of the last window"
    assert (one, "chatgpt.com") not in uses
    assert any("chatgpt.com" in page.apis for page in pages)
    pages = list(rig.again().history(now - timedelta(days=10), now - timedelta(days=8), rig.deadline()))
    assert {(u.native_id, u.client_id) for page in pages for u in page.uses} >= {(one, "chatgpt.com")}

    control.forget_site("ChatGPT", two)
    found = read(rig)
    assert not held(found[two], "visit")
    assert "visit" in (found[two].sources or ())
    control.fault("status", path="findSaasUsageProfiles", status=500)
    assert "visit" not in (read(rig)[two].sources or ())


# -- SAML and Gemini ----------------------------------------------------------------------------------


def test_sign_ins_and_gemini_are_seen_in_bundles_and_in_history(
    rig: GoogleRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    control, (one, two, *_) = rig.simulator.control, active(rig)
    now = rig.io.clock.now()
    control.saml(one, "Salesforce", at=(now - timedelta(days=3)).timestamp())
    control.saml(one, "Salesforce", at=(now - timedelta(days=2)).timestamp())
    control.saml(two, "Salesforce", ok=False)
    control.saml(two, "Old Tool", at=(now - timedelta(days=40)).timestamp())
    control.gemini(two, at=(now - timedelta(days=1)).timestamp())
    found = read(rig)
    assert held(found[one], "use") == {"saml:Salesforce": {"openid"}}
    assert held(found[two], "use") == {seen.GEMINI: {seen.GEMINI_SCOPE}}
    assert {g.app.kind for g in found[one].grants or () if g.source == "use"} == {"sso"}
    assert "use" in (found[one].sources or ())
    pages = list(rig.again().history(now - timedelta(days=5), now - timedelta(hours=2), rig.deadline()))
    assert pages[-1].last
    uses = {(u.native_id, u.client_id): u.events for page in pages for u in page.uses}
    assert uses[one, "saml:Salesforce"] == 2
    assert uses[two, seen.GEMINI] == 1

    # What is too long to be read on most nights adds what it finds and removes nothing.
    monkeypatch.setattr(seen, "reads_on", lambda *_: False)
    monkeypatch.setattr("lantern.connectors.google.reports._PAGE", "1")
    monkeypatch.setattr(seen, "PAGES", 2)
    found = read(rig)
    assert held(found[one], "use")
    assert "use" not in (found[one].sources or ())
    control.fault("status", path="applications/gemini_in_workspace_apps", status=403)
    pages = list(rig.again().history(now - timedelta(days=5), now - timedelta(hours=2), rig.deadline()))
    assert pages[-1].last, "an organisation without Gemini has a past all the same"
    assert "use" not in (read(rig)[one].sources or ())


# -- app passwords ------------------------------------------------------------------------------------


def test_every_account_is_asked_for_app_passwords_once_in_four_weeks(rig: GoogleRig) -> None:
    control, victim = rig.simulator.control, active(rig)[0]
    control.add_password(victim, "Outlook")
    control.add_password(victim, "Outlook")
    control.add_password(victim, "Old Phone \u202e")
    asked, told = 0, []
    for _ in range(passwords.NIGHTS):
        control.reset_metrics()
        found = read(rig)[victim]
        asked += calls(rig).get("directory.asps.list", 0)
        told += [found] if "password" in (found.sources or ()) else []
        control.advance(86_400)
    assert asked == len([v for v in rig.truth().values() if v["state"] != "deleted"])
    (once,) = told
    assert held(once, "password").keys() == {"asp:outlook", "asp:old phone \u202e"}
    grant = next(g for g in once.grants or () if g.app.client_id == "asp:outlook")
    assert (grant.app.kind, grant.scopes) == ("password", {"password:app"})
    assert grant.granted_on is not None


# -- delegation ---------------------------------------------------------------------------------------


def test_what_may_act_as_anyone_is_held_by_the_organisation_itself(rig: GoogleRig) -> None:
    control = rig.simulator.control
    drive = "https://www.googleapis.com/auth/drive"
    control.delegate("robot-1", [drive])
    control.delegate("robot-2", [drive])
    control.advance(60)
    first = rig.again().principals(None).principals[0]
    assert (first.kind, first.native_id) == ("organisation", ORGANISATION)
    seen_ = read(rig)[ORGANISATION]
    assert held(seen_, "application")["robot-1"] == {drive}
    assert seen_.sources == frozenset()
    stored = inventory.merge(None, seen_, now=rig.io.clock.now(), cause="run").bundle
    control.advance(170 * 86_400)
    control.undelegate("robot-1")
    control.advance(20 * 86_400)
    later = read(rig)[ORGANISATION]
    after = inventory.merge(stored, later, now=rig.io.clock.now(), cause="run").bundle
    assert after is not None
    assert after.grant(ids.app_id("google", "robot-1")) is None, "the log says it was taken back"
    assert after.grant(ids.app_id("google", "robot-2")), "the log has forgotten it: nothing is concluded"
    control.fault("status", path="applications/admin", status=500)
    assert rig.again().principals(None).principals[0].native_id == ORGANISATION
    (unread,) = rig.again().read([first], rig.deadline())
    assert not isinstance(unread, Observation)


def test_a_delegation_makes_the_organisation_be_read_again(rig: GoogleRig) -> None:
    control = rig.simulator.control
    cursor = list(rig.connector.changes(None, rig.deadline()))[-1].cursor
    control.advance(60)
    control.delegate("robot-9", ["https://mail.google.com/"])
    control.advance(60)
    pages = list(rig.connector.changes(cursor, rig.deadline()))
    hints = [hint for page in pages for hint in page.hints]
    assert [h.native_id for h in hints] == [ORGANISATION]
    account = rig.connector.principal(Hint(native_id=ORGANISATION))
    assert account is not None
    (told,) = rig.connector.read([account], rig.deadline())
    assert isinstance(told, Observation)
    assert "robot-9" in held(told, "application")


# -- permissions and cost -----------------------------------------------------------------------------


def test_without_a_permission_its_part_is_absent_and_never_asked_for() -> None:
    everything = [need.scope for need in MANIFEST.scopes]
    for lacking, asked, sources in (
        ({CHROME, CHROME_DETAILS}, "chrome.", {"extension", "visit"}),
        ({AUDIT}, "reports.", {"use"}),
    ):
        with google(scopes=[scope for scope in everything if scope not in lacking]) as rig:
            # Without the audit log the rig does not ask who consented.
            rig.simulator.control.reset_metrics()
            found = read(rig)
            assert not any(name.startswith(asked) for name in calls(rig))
            assert not any(sources & (o.sources or frozenset()) for o in found.values())
            assert all(o.sources is not None for o in found.values() if not o.gone)
    with google(scopes=[scope for scope in everything if scope != CHROME_DETAILS]) as rig:
        one = active(rig)[0]
        rig.simulator.control.install_extension(
            one, rig.simulator.control.add_extension("Tool", permissions=["tabs"], sites=["<all_urls>"])
        )
        (scopes,) = held(read(rig)[one], "extension").values()
        assert scopes == {"chrome:tabs", "chrome:site:unknown"}


def test_a_hint_reads_grants_alone_and_a_run_reads_lists_once(rig: GoogleRig) -> None:
    control, (one, *_) = rig.simulator.control, active(rig)
    control.install_extension(one, control.add_extension("Tool"))
    control.visit(one, "ChatGPT", "chatgpt.com")
    connector = rig.again()
    account = connector.principal(Hint(native_id=one))
    assert account is not None
    control.reset_metrics()
    (hinted,) = connector.read([account], rig.deadline())
    assert isinstance(hinted, Observation)
    assert (hinted.sources, hinted.as_of) == ({"consent"}, None)
    assert calls(rig) == {"directory.tokens.list": 1}
    connector = rig.again()
    first = read(rig, connector)
    control.reset_metrics()
    (again,) = connector.read([first[one].principal], rig.deadline())
    assert isinstance(again, Observation)
    assert (again.sources, again.as_of) == ({"consent"}, None), "somebody may have written what is newer"
    assert calls(rig) == {"directory.tokens.list": 1}
