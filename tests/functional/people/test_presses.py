"""Buttons in Slack: signed, acknowledged at once, and believed of nobody but who was asked."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest

from lantern.connectors.slack.push import signature
from lantern.domain.work import Work
from lantern.services import push, web
from lantern.services.people import presses
from lantern.store.platform import OrgRoute, TenantEntry
from tests.functional.people.test_follow import actions, stored
from tests.functional.people.test_nudges import ask, reply
from tests.support.company import Company

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
BACK = "https://hooks.slack.com/actions/T1/2/abc"


@dataclass
class Slack:
    """A workspace in which Alice and Bob have accounts, and the web hook that its app posts to."""

    company: Company
    at: str
    team: str
    sent: list[Work] = field(default_factory=list)
    told: list[tuple[str, str, bool]] = field(default_factory=list)

    def press(
        self,
        nudge_id: str,
        answer: str,
        user: str = "U1",
        *,
        secret: str = SECRET,
        ts: str = "1.1",
        **more: Any,
    ) -> int:
        """What Slack posts when somebody presses; the status it is answered with."""
        bench = self.company.bench
        payload = {
            "type": "block_actions",
            "team": {"id": self.team},
            "user": {"id": user},
            "actions": [{"action_id": f"nudge.{answer}", "value": nudge_id, "action_ts": ts}],
            "response_url": BACK,
        } | more
        body = urlencode({"payload": json.dumps(payload)})
        stamp = str(int(bench.clock.now().timestamp()))
        event = {
            "path": "/webhooks/slack/interactions",
            "httpMethod": "POST",
            "pathParameters": {"source": "slack", "id": "interactions"},
            "headers": {
                "X-Slack-Request-Timestamp": stamp,
                "X-Slack-Signature": signature(secret, stamp, body.encode()),
            },
            "body": body,
        }
        receiver = push.Receiver(bench.platform, self.sent.append, bench.clock.now, lambda _: SECRET)
        return push.handle(receiver, lambda: web.read(event)).status

    def work(self) -> list[str]:
        """Do what the web hook put on the queue; what people were told."""
        bench = self.company.bench

        def back(url: str, text: str, replace: bool) -> bool:
            self.told.append((url, text, replace))
            return True

        done = [presses.press(bench.store, bench.clock, back, work) for work in self.sent]
        self.sent.clear()
        bench.settle()
        return done


@pytest.fixture
def slack(company: Company) -> Slack:
    """Connected and read; people are joined by their addresses."""
    bench = company.bench
    at, world = bench.connect("slack", 2)
    world.add("U1", email="alice@example.com")
    world.add("U2", email="bob@example.com")
    bench.full(at)
    bench.channels.secrets[at] = "xoxb-1"
    connection = bench.store.connections.get(at)
    assert connection is not None
    tenant = bench.store.tenant_id
    bench.platform.put_tenant(TenantEntry(tenant, "Acme", "active", bench.clock.now()))
    bench.platform.claim_org(OrgRoute("slack", connection.organisation_id, tenant, at))
    return Slack(company, at, connection.organisation_id)


def test_a_press_answers_once(slack: Slack) -> None:
    """Alice is asked in Slack; a double click is one answer, one job, one text in place of buttons."""
    company = slack.company
    nudge = ask(company).nudge
    company.bench.settle()
    assert stored(company, nudge.id).sent_via == "slack"
    assert [one.to for one in company.bench.channels.slack.sent] == ["U1"]
    assert {slack.press(nudge.id, "revoke") for _ in range(2)} == {200}
    assert len(slack.sent) == 1
    assert slack.press(nudge.id, "revoke", ts="1.2") == 200
    first, second = slack.work()
    assert first.startswith("Your answer: Remove its access.")
    assert second == first
    assert slack.told[0] == (BACK, first, True)
    found = stored(company, nudge.id)
    assert (found.answer, found.answered_via) == ("revoke", "slack")
    assert "otter" not in company.bench.world.accounts["alice"].grants
    assert len(company.bench.store.jobs.page(10).items) == 1


def test_nobody_answers_for_somebody_else(slack: Slack) -> None:
    """Bob presses Alice's button, a stranger does, somebody without our secret: nothing changes."""
    company = slack.company
    nudge = ask(company).nudge
    for user in ("U2", "U9", "U1' OR 1"):
        slack.press(nudge.id, "revoke", user)
    assert slack.work() == [presses.OTHER] * 3
    assert [replace for _, _, replace in slack.told] == [False] * 3
    assert slack.press(nudge.id, "revoke", secret="other") == 401
    assert slack.press(nudge.id, "revoke", team={"id": "T0ELSEWHERE"}) == 200
    assert slack.sent == []
    assert stored(company, nudge.id).state == "sent"
    assert actions(company, nudge.id).count("nudge.press_refused") == 3


def test_late_and_odd_presses_are_answered_politely(slack: Slack) -> None:
    """After another answer, after the end, with an unknown answer or question."""
    company = slack.company
    kept, late = ask(company).nudge, ask(company, client="notion").nudge
    reply(company, kept.id, "keep", reason="notes")
    slack.press(kept.id, "revoke")
    slack.press("ndg_nothing", "revoke")
    slack.press(late.id, "explode")
    company.bench.clock.forward(days=7)
    slack.press(late.id, "revoke", ts="2")
    answered, nothing, unknown, ended = slack.work()
    assert answered.startswith(presses.ANSWERED)
    assert {nothing, unknown, ended} == {presses.ENDED}
    assert stored(company, kept.id).answer == "keep"


@pytest.mark.parametrize(
    "back",
    [
        "http://hooks.slack.com/a",
        "https://hooks.slack.com.evil.example/a",
        "https://hooks.slack.com@evil.example/",
        "https://hooks.slack.com:444/a",
        "https://169.254.169.254/",
    ],
)
def test_only_slack_is_answered_to(slack: Slack, back: str) -> None:
    """The address in a signed message is Slack's own, or it is not used."""
    nudge = ask(slack.company).nudge
    slack.press(nudge.id, "revoke", response_url=back)
    assert "back" not in slack.sent[0].body


@pytest.mark.parametrize(
    "more", [{"type": "view_submission"}, {"actions": []}, {"actions": "x"}, {"user": None}, {"team": 5}]
)
def test_what_is_no_press_is_acknowledged(slack: Slack, more: dict[str, Any]) -> None:
    """Slack shows an error to who pressed a button that is not acknowledged; nothing is done."""
    assert slack.press("ndg_1", "revoke", **more) == 200
    assert slack.sent == []
