"""From finding to fixed, once: people asked, requests, reviews, rules, playbooks, incidents, proof."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from lantern.domain.assets import AssetKind
from tests.functional.api.world import rule_page
from tests.isolation import chat
from tests.isolation.account import Account, Customer
from tests.simulators.google.receiver import Receiver
from tests.simulators.slack import SlackSimulator

ASKED = "SciSpace"
"""The app that people are asked about."""
BREACHED = "ChatGPT"
PAGE = re.compile(r"https?://[^\s\"<>]+/(?:n|my|review|decide)/[a-z0-9]{20}\.[A-Za-z0-9_-]+")


@dataclass
class Guided:
    """The customer, a colleague with a key of their own, and the people by their addresses."""

    account: Account
    acme: Customer
    colleague: Customer
    slack: SlackSimulator
    hooks: Receiver
    emails: list[str]
    connection: str

    def done(self, method: str, path: str, body: Any = None) -> Any:
        """A write that works, with all that follows from it."""
        answer = self.acme(method, path, body)
        assert answer.status < 300, (method, path, answer.text)
        self.account.settle()
        return answer.json

    def decided(self, method: str, path: str, of: str, body: Any = None, by: Customer | None = None) -> Any:
        """A write on a revision that works, with all that follows from it."""
        answer = (by or self.acme).decide(method, path, of, body)
        assert answer.status < 300, (method, path, answer.text)
        self.account.settle()
        return answer.json

    def app(self, name: str) -> str:
        """The id of an app."""
        return str(next(a["id"] for a in self.acme.get("/v1/apps?limit=100")["data"] if a["name"] == name))

    def principal(self, email: str) -> Any:
        """Somebody's account at Google."""
        path = f"/v1/principals?connection_id={self.connection}&limit=100"
        return next(p for p in self.acme.get(path)["data"] if p["email"] == email)

    def mails(self) -> list[str]:
        """The text of every mail that was sent, the newest last."""
        sent = [call.params for call in self.account.calls if call.operation == "SendEmail"]
        return [params["Content"]["Simple"]["Body"]["Text"]["Data"] for params in sent]

    def mailed_page(self) -> str:
        """The address of a page in the last mail that has one."""
        found = [address for text in self.mails() for address in PAGE.findall(text)]
        assert found
        return str(found[-1])


def _settings(to: Guided) -> None:
    reviewer = to.principal(to.emails[0])["person_id"]
    assert to.acme.get("/v1/guidance")["weekly_nudges"] == 2
    body = {
        "reviewers": [reviewer],
        "escalate_to": [reviewer],
        "weekly_nudges": 5,
        "policy_url": "https://acme.example/ai",
    }
    to.decided("PUT", "/v1/guidance", "/v1/guidance", body)
    assert to.acme.get("/v1/alerts/settings")["time_zone"] == "UTC"
    to.decided("PUT", "/v1/alerts/settings", "/v1/alerts/settings", {"time_zone": "Europe/Berlin"})


def _ask(to: Guided, email: str, **other: str) -> Any:
    body = other or {"kind": "still_need", "app_id": to.app(ASKED)}
    body["principal_id"] = to.principal(email)["id"]
    asked = to.done("POST", "/v1/nudges", body)
    assert asked["refused"] is None, asked
    return to.acme.get(f"/v1/nudges/{asked['nudge']['id']}")


def _asked_by_slack(to: Guided) -> None:
    """A button answers at once; a page takes a reason; a question is taken back."""
    first, second = to.emails[1:3]
    nudge = _ask(to, first)
    assert nudge["sent_via"] == "slack"
    chat.press(to.account, to.slack, to.hooks, first, "nudge.revoke")
    answered = to.acme.get(f"/v1/nudges/{nudge['id']}")
    assert (answered["answer"], answered["answered_via"]) == ("revoke", "slack")
    assert to.acme.get(f"/v1/jobs/{answered['job_id']}")["counts"]["verified"] == 1
    assert to.account.replies
    kept = _ask(to, second)
    (address,) = chat.addresses(to.slack.control.messages(second)[-1])
    assert to.account.page(address)["statusCode"] == 200
    assert to.acme.get(f"/v1/nudges/{kept['id']}")["state"] == "sent", "opening changes nothing"
    assert to.account.page(address, {"answer": "keep", "reason": "my thesis"})["statusCode"] == 200
    to.account.settle()
    assert to.acme.get(f"/v1/nudges/{kept['id']}")["answer"] == "keep"
    assert [e["source_id"] for e in to.acme.get("/v1/exceptions")["data"]] == [kept["id"]]
    open_ = _ask(to, second, kind="acknowledge")
    to.decided("POST", f"/v1/nudges/{open_['id']}/withdraw", f"/v1/nudges/{open_['id']}")
    to.acme.get("/v1/nudges?state=open")


def _asked_by_mail(to: Guided) -> None:
    """Who has no account at Slack gets a mail."""
    nudge = _ask(to, to.emails[3])
    assert nudge["sent_via"] == "email"
    assert to.account.page(to.mailed_page(), {"answer": "revoke"})["statusCode"] == 200
    to.account.settle()
    answered = to.acme.get(f"/v1/nudges/{nudge['id']}")
    assert to.acme.get(f"/v1/jobs/{answered['job_id']}")["counts"]["verified"] == 1


def _requests(to: Guided) -> None:
    """By the API and by the person's own page; decided, and taken back."""
    person = to.principal(to.emails[3])["person_id"]
    to.done("POST", f"/v1/persons/{person}/tools-link")
    mine = to.mailed_page()
    assert to.account.page(mine)["statusCode"] == 200
    asked = to.account.page(mine, {"name": "Perplexity", "reason": "search"})
    assert (asked["statusCode"], "You asked for" in asked["body"]) == (200, True)
    to.account.settle()
    (address,) = chat.addresses(to.slack.control.messages(to.emails[0])[-1])
    assert "/decide/" in address
    assert to.account.page(address, {"decision": "person", "note": "enjoy"})["statusCode"] == 200
    to.account.settle()
    assert to.acme.get("/v1/requests?state=closed")["data"][0]["state"] == "approved"
    told = len(to.account.replies)
    chat.command(to.account, to.slack, to.emails[1], "request Perplexity for search")
    chat.command(to.account, to.slack, to.emails[1], "tools")
    assert len(to.account.replies) > told
    for waiting in to.acme.get("/v1/requests?state=waiting")["data"]:
        path = f"/v1/requests/{waiting['id']}"
        to.decided("POST", f"{path}/decide", path, {"decision": "approve", "conditions": "no customer data"})
    other = to.done("POST", "/v1/requests", {"person_id": person, "name": "Gamma", "reason": "slides"})
    path = f"/v1/requests/{other['request']['id']}"
    to.decided("POST", f"{path}/withdraw", path)
    for read in ("/v1/directory", f"/v1/persons/{person}/tools", f"/v1/persons/{person}"):
        to.acme.get(read)


def _reviews(to: Guided) -> None:
    """One review is decided and closed by silence for the rest, another is called off."""
    due = (datetime.now(UTC) + timedelta(days=20)).isoformat()
    reviewer = to.principal(to.emails[0])["person_id"]
    body = {"name": "q", "due_at": due, "silence": "revoke", "reviewers": [reviewer]}
    body |= {"scope": {"app_ids": [to.app(ASKED)]}}
    made = to.done("POST", "/v1/campaigns", body)
    path = f"/v1/campaigns/{made['id']}"
    items = to.acme.get(f"{path}/items")["data"]
    assert len(items) >= 2
    (address,) = chat.addresses(to.slack.control.messages(to.emails[0])[-1])
    assert "/review/" in address
    card = re.findall(r'name="(?!rest)([^"]+)" value="keep"', to.account.page(address)["body"])[-1]
    assert to.account.page(address, {card: "keep", "rest": "", "reason": "used"})["statusCode"] == 200
    to.done("POST", f"{path}/decisions", {"decisions": [{"grant_id": items[0]["id"], "decision": "keep"}]})
    undecided = to.acme.get(path)["counts"]["undecided"]
    assert 0 < undecided < len(items)
    to.decided("POST", f"{path}/close", path)
    closed = to.acme.get(path)
    assert (closed["state"], closed["counts"]["silent"]) == ("closed", undecided), closed
    again = to.done("POST", "/v1/campaigns", body)
    to.decided("POST", f"/v1/campaigns/{again['id']}/cancel", f"/v1/campaigns/{again['id']}")
    to.acme.get("/v1/campaigns")


def _rules(to: Guided) -> None:
    """Settings, a rule of the tenant's own, what either would do."""
    settings = {"stage": "enforce", "params": {}}
    to.acme.get("/v1/rules")
    to.decided("PUT", "/v1/rules/new-ai-app/settings", "/v1/rules/new-ai-app", settings)
    preview = to.done("POST", "/v1/policies/preview", {"rule_id": "new-ai-app", "settings": {"stage": "off"}})
    assert to.acme.get(f"/v1/policies/previews/{preview['id']}")["state"] == "done"
    page = rule_page("own-mail")
    to.done("POST", "/v1/rules", page)
    to.decided("PUT", "/v1/rules/own-mail", "/v1/rules/own-mail", page | {"severity": "high"})
    to.decided("DELETE", "/v1/rules/own-mail", "/v1/rules/own-mail")


def _assets(to: Guided) -> None:
    """What is listed beside grants, by kind, and one of them."""
    listed = [a for kind in get_args(AssetKind) for a in to.acme.get(f"/v1/assets?kind={kind}")["data"]]
    assert listed
    to.acme.get(f"/v1/assets/{listed[0]['id']}")


def _findings(to: Guided) -> None:
    found = to.acme.get("/v1/findings?status=open&limit=20")["data"]
    path = f"/v1/findings/{found[-1]['id']}"
    until = (datetime.now(UTC) + timedelta(days=20)).isoformat()
    to.decided("POST", f"{path}/feedback", path, {"verdict": "true_positive"})
    to.decided("POST", f"{path}/snooze", path, {"until": until})
    to.decided("POST", f"{path}/reopen", path, {"reason": "sooner"})
    read_at = datetime.now(UTC).isoformat()
    body = {"finding_ids": [found[0]["id"]], "decision": "acknowledge", "read_at": read_at}
    to.done("POST", "/v1/findings/decisions", body)


def _mail_headers(to: Guided) -> None:
    """Asked for, looked at, ended."""
    path = f"/v1/connections/{to.connection}/mail-headers"
    assert to.acme.get(path)["state"] == "never_asked"
    to.done("POST", path)
    assert to.acme.get(path)["state"] != "never_asked"
    assert to.acme("DELETE", path).status < 300
    to.account.settle()


def _channels(to: Guided) -> None:
    """Changed, used, ended by their reader, removed; a delivery is sent again."""
    (mail,) = [c for c in to.acme.get("/v1/alerts/channels")["data"] if c["kind"] == "email"]
    path = f"/v1/alerts/channels/{mail['id']}"
    to.decided("PUT", path, path, {"kind": "email", "name": "m", "to": mail["to"], "daily_cap": 7})
    to.acme.get(f"{path}/deliveries?limit=5")
    links = re.findall(r"/webhooks/unsubscribe/[A-Za-z0-9_-]+", "\n".join(to.mails()))
    assert links
    assert to.account.posted("GET", links[-1], {})["statusCode"] == 200
    assert to.account.posted("POST", links[-1], {})["statusCode"] == 200
    to.account.settle()
    assert to.acme.get(path)["unsubscribed"] == mail["to"]
    (hook,) = to.acme.get("/v1/webhook-endpoints")["data"]
    path = f"/v1/webhook-endpoints/{hook['id']}"
    sent = to.acme.get(f"{path}/deliveries?limit=1")["data"][0]["id"]
    to.acme.get(f"{path}/deliveries/{sent}")
    to.done("POST", f"{path}/deliveries/{sent}/replay")
    to.decided("PUT", path, path, {"description": "siem", "payload": "ocsf"})


def _playbooks(to: Guided) -> None:
    """One run is approved and asks people, one is declined, one is called off."""
    path = f"/v1/grants?app_id={to.app(BREACHED)}&connection_id={to.connection}"
    about = {"grant_ids": [next(g["id"] for g in to.acme.get(path)["data"] if g["email"])]}
    to.acme.get("/v1/playbooks")
    to.acme.get("/v1/playbooks/stale-grant-clean-up")
    to.done("POST", "/v1/playbooks/unsanctioned-app/runs", {**about, "dry_run": True})
    for verb, by in (("decline", to.colleague), ("cancel", to.acme), ("approve", to.colleague)):
        run = to.done("POST", "/v1/playbooks/stale-grant-clean-up/runs", {**about, "reason": verb})
        at = f"/v1/playbook-runs/{run['id']}"
        to.decided("POST", f"{at}/{verb}", at, by=by)
    to.acme.get("/v1/playbook-runs")
    to.acme.get(f"/v1/evidence/playbook-run/{run['id']}")


def _incident(to: Guided) -> None:
    """A vendor lost tokens: planned, approved by somebody else, revoked, holders asked to rotate, proved."""
    at = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    body = {"vendor_id": "openai", "occurred_at": at, "summary": "Tokens were stolen"}
    raised = to.done("POST", "/v1/incidents", body)
    assert raised["incident"]["grants"] >= 2, raised
    run = f"/v1/playbook-runs/{raised['run']['id']}"
    to.decided("POST", f"{run}/approve", run, by=to.colleague)
    came = to.acme.get(run)
    held = to.acme.get(f"/v1/grants?app_id={to.app(BREACHED)}&connection_id={to.connection}")["data"]
    assert [g for g in held if g["email"]] == [], came
    to.acme.get("/v1/incidents")
    incident = raised["incident"]["id"]
    to.acme.get(f"/v1/incidents/{incident}")
    assert to.acme("GET", f"/v1/evidence/incident/{incident}?format=html").status == 200
    to.acme.get("/v1/vendors/openai/blast-radius")
    to.acme.get(f"/v1/vendors/openai/people?connection_id={to.connection}")


def _leaver(to: Guided) -> None:
    """Somebody leaves: all that they hold anywhere ends."""
    person = to.principal(to.emails[4])["person_id"]
    run = to.done("POST", f"/v1/persons/{person}/offboard", {"reason": "left"})
    at = f"/v1/playbook-runs/{run['id']}"
    if run["approval"] == "waiting":
        to.decided("POST", f"{at}/approve", at, by=to.colleague)
    to.acme.get(f"/v1/evidence/offboarding/{run['id']}")
    grants = to.acme.get(
        f"/v1/principals/{to.principal(to.emails[4])['id']}/grants?connection_id={to.connection}"
    )
    assert grants["data"] == []


_STEPS = (
    _settings,
    _asked_by_slack,
    _asked_by_mail,
    _requests,
    _reviews,
    _rules,
    _assets,
    _findings,
    _mail_headers,
    _channels,
    _playbooks,
    _incident,
    _leaver,
)


def live(guided: Guided) -> None:
    """All of it."""
    for step in _STEPS:
        step(guided)
