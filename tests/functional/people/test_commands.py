"""`/lantern` in Slack: signed, acknowledged at once, done once; messages that Slack refuses go by mail."""

from typing import Any
from urllib.parse import urlencode

import pytest

from lantern.channels.protocol import Sent
from lantern.connectors.slack.commands import WAIT
from lantern.connectors.slack.push import signature
from lantern.domain.errors import ConflictError
from lantern.services import push, web
from lantern.services.people import commands, settings
from lantern.services.people.commands import NO_REASON, command, split
from lantern.services.people.tools_page import my_tools
from tests.functional.people.test_follow import actions, stored
from tests.functional.people.test_nudges import ask
from tests.functional.people.test_presses import SECRET, Slack, slack
from tests.functional.people.test_question_page import Browser, link
from tests.functional.people.test_requests import shop
from tests.support.company import Company

__all__ = ["shop", "slack"]
BACK = "https://hooks.slack.com/commands/T1/2/abc"


def typed(
    slack: Slack, text: str, user: str = "U1", *, trigger: str = "1.2.3", **more: Any
) -> tuple[int, str]:
    """What Slack posts when somebody types the command, and what it is answered at once."""
    bench = slack.company.bench
    form = {
        "token": "old",
        "command": "/lantern",
        "team_id": slack.team,
        "user_id": user,
        "text": text,
        "trigger_id": trigger,
        "response_url": BACK,
        "is_enterprise_install": "false",
    } | more
    secret, body = form.pop("secret", SECRET), urlencode(form)
    stamp = str(int(bench.clock.now().timestamp()))
    event = {
        "path": "/webhooks/slack/commands",
        "httpMethod": "POST",
        "pathParameters": {"source": "slack", "id": "commands"},
        "headers": {
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": signature(secret, stamp, body.encode()),
        },
        "body": body,
    }
    receiver = push.Receiver(bench.platform, slack.sent.append, bench.clock.now, lambda _: SECRET)
    receipt = push.handle(receiver, lambda: web.read(event))
    return receipt.status, receipt.body


def answers(slack: Slack) -> list[str]:
    """Do what is on the queue, every message twice; what people were told."""
    bench, told = slack.company.bench, []

    def back(url: str, text: str, replace: bool) -> bool:
        assert (url, replace) == (BACK, False)
        told.append(text)
        return True

    for work in slack.sent:
        assert command(bench.store, bench.clock, back, work) in told
        command(bench.store, bench.clock, back, work)
    slack.sent.clear()
    bench.settle()
    return told[::2]


def waiting(company: Company) -> list[tuple[str, str, str]]:
    """Requests that wait: who, which tool, what for."""
    found = company.bench.store.requests.page("waiting", 50).items
    return [(one.person_id, one.name, one.reason) for one in found]


def test_a_request_is_typed_and_made_once(shop: Company, slack: Slack) -> None:
    """Acknowledged before anything is done; the answer names what is approved for the same work."""
    assert typed(slack, "request Otter for  meeting notes") == (200, WAIT)
    assert typed(slack, "request Otter for  meeting notes") == (200, WAIT)
    assert len(slack.sent) == 1
    (said,) = answers(slack)
    assert said.startswith("You asked for Otter. You will hear from us by")
    assert said.endswith("Approved already for the same kind of work: fireflies.")
    assert waiting(shop) == [(shop.person("alice"), "Otter", "meeting notes")]
    typed(slack, "request Fireflies", trigger="2")
    assert answers(slack) == ["Fireflies is approved: you may use it now."]


def test_the_own_page_is_sent_not_shown(shop: Company, slack: Slack) -> None:
    """The address goes by direct message; at once again it is not sent again."""
    typed(slack, "tools")
    (said,) = answers(slack)
    assert said == "Sent: look at your direct messages."
    (sent,) = shop.bench.channels.slack.sent
    assert (sent.to, "/my/" in sent.payload) == ("U1", True)
    typed(slack, "tools", trigger="2")
    assert "a moment ago" in answers(slack)[0]


def test_a_key_sends_somebody_their_page_once_an_hour(shop: Company, slack: Slack) -> None:
    """Whoever has a key cannot fill a mailbox; the person may still ask alone, and others are free."""
    bench = shop.bench

    def send(native: str, by: str = "key:a") -> str:
        return settings.send_link(bench.store, shop.person(native), by=by, now=bench.clock.now())

    send("alice")
    bench.clock.forward(minutes=59)
    with pytest.raises(ConflictError, match="can be sent again at"):
        send("alice", "key:b")
    send("bob")
    typed(slack, "tools")
    assert answers(slack)[0] == "Sent: look at your direct messages."
    bench.clock.forward(minutes=59)
    with pytest.raises(ConflictError):
        send("alice")
    bench.clock.forward(minutes=2)
    send("alice")


def test_who_is_believed(shop: Company, slack: Slack) -> None:
    """Not who has no account here, nor an unsigned or foreign form, nor one that answers elsewhere."""
    typed(slack, "request Otter", "U9")
    typed(slack, "", trigger="2")
    typed(slack, "explode", trigger="3")
    assert answers(slack) == [commands.NOBODY, commands.HELP, commands.HELP]
    assert typed(slack, "request Otter", secret="other")[0] == 401
    assert typed(slack, "request Otter", team_id="T0ELSEWHERE")[0] == 200
    assert typed(slack, "request Otter", response_url="https://evil.example/")[0] == 400
    assert (slack.sent, waiting(shop)) == ([], [])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Otter for notes", ("Otter", "notes")),
        ("Otter - notes for all", ("Otter", "notes for all")),
        ("Otter: notes", ("Otter", "notes")),
        ("Otter", ("Otter", NO_REASON)),
        ("", ("", NO_REASON)),
    ],
)
def test_what_was_typed(text: str, parts: tuple[str, str]) -> None:
    """The tool, and the reason if there is one."""
    assert split(text) == parts


def test_one_person_asks_for_so_many_a_day(shop: Company, slack: Slack) -> None:
    """Page and Slack count together; others are not touched; the next day there is room again."""
    browser, url = Browser(shop), link(shop, shop.person("alice"), "tools")
    check = browser.check(browser(url, page=my_tools))
    for number in range(4):
        typed(slack, f"request Tool {number}", trigger=str(number))
    assert all(said.startswith("You asked for Tool") for said in answers(slack))
    fifth = browser(url, {"check": check, "name": "Tool 4", "reason": "r"}, page=my_tools)
    assert (fifth.status, "You asked for Tool 4" in fifth.body) == (200, True)
    sixth = browser(url, {"check": check, "name": "Tool 5", "reason": "r"}, page=my_tools)
    assert (sixth.status, "Please ask again tomorrow" in sixth.body) == (429, True)
    again = browser(url, {"check": check, "name": "Tool 4", "reason": "r"}, page=my_tools)
    assert again.status == 200
    typed(slack, "request Tool 6", trigger="a")
    typed(slack, "request Tool 6", "U2", trigger="b")
    refused, other = answers(slack)
    assert refused.startswith("You have asked for 5 tools within a day.")
    assert other.startswith("You asked for Tool 6.")
    shop.bench.clock.forward(days=1)
    typed(slack, "request Tool 7", trigger="c")
    assert answers(slack)[0].startswith("You asked for Tool 7.")


def test_what_slack_refuses_goes_by_mail(slack: Slack) -> None:
    """The account is not in the workspace any more: the same question by mail, noted; silence counts."""
    company = slack.company
    company.bench.channels.slack.answer = lambda _: Sent("refused", 200, "user_not_found")
    nudge = ask(company).nudge
    company.bench.settle()
    (mail,) = company.bench.channels.email.sent
    assert (mail.to, "/n/" in mail.text) == ("alice@example.com", True)
    assert stored(company, nudge.id).sent_via == "email"
    assert actions(company, nudge.id)[-1] == "message.other_way"
    found = company.bench.store.deliveries.get("people", stored(company, nudge.id).delivery_id or "")
    assert found is not None
    assert [(one.outcome, one.detail) for one in found.attempts] == [
        ("refused", "user_not_found"),
        ("sent", ""),
    ]
