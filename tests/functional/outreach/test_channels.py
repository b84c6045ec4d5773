"""Ways out as they meet the other side: e-mail with its link to end them, Slack's words, Teams' limits."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import requests
import urllib3
from botocore.exceptions import ClientError

from lantern.channels.email import EmailChannel
from lantern.channels.protocol import Sent
from lantern.channels.safe_http import Answer
from lantern.channels.slack import SlackChannel
from lantern.channels.teams import TeamsChannel
from lantern.channels.webhook import retry_after
from lantern.domain.alerts import AlertChannel
from lantern.domain.errors import ConflictError, InvalidInputError, NotFoundError, StorageError
from lantern.domain.findings import Desired, Group, reconcile
from lantern.domain.messages import Outgoing
from lantern.domain.rules.vocabulary import Grade, GroupBy, Severity, Subject
from lantern.domain.work import Work
from lantern.services import unsubscribing
from lantern.services.outreach import settings
from tests.functional.outreach.test_webhooks import use
from tests.support.tenant import Bench

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MAIL = Outgoing(
    "dlv_1", "it@example.com", NOW, subject="S", text="t", html="<p>h</p>", unsubscribe="https://l/u"
)


class Ses:
    def __init__(self, code: str = "", suppression: str = "NotFoundException") -> None:
        self.code, self.suppression, self.sent = code, suppression, []

    def get_suppressed_destination(self, **kwargs: object) -> object:
        assert kwargs == {"EmailAddress": MAIL.to}
        if self.suppression:
            raise ClientError({"Error": {"Code": self.suppression}}, "GetSuppressedDestination")
        return {"SuppressedDestination": {"Reason": "BOUNCE"}}

    def send_email(self, **kwargs: object) -> object:
        if self.code:
            raise ClientError({"Error": {"Code": self.code}}, "SendEmail")
        self.sent.append(kwargs)
        return {"MessageId": "m-1"}


def a_critical(bench: Bench, number: int) -> None:
    group = Group(GroupBy.APP, f"app_{number:013}")
    grade = {"gr_1": Grade(Severity.CRITICAL, certain=True)}
    wanted = Desired("known-abused", "1", Subject.GRANT, group, f"App {number} is abused", grade)
    found, _ = reconcile(None, wanted, bench.clock.now())
    bench.store.findings.put(replace(found, rev=0))


def test_an_email_has_both_parts_and_the_headers_to_end_them():
    ses = Ses()
    sent = EmailChannel(ses, "Lantern <alerts@mail.example>").send(MAIL)
    assert (sent.outcome, sent.reference) == ("sent", "m-1")
    (asked,) = ses.sent
    simple = asked["Content"]["Simple"]
    assert asked["Destination"] == {"ToAddresses": ["it@example.com"]}
    assert simple["Body"]["Text"]["Data"] == "t"
    assert simple["Body"]["Html"]["Data"] == "<p>h</p>"
    assert {h["Name"]: h["Value"] for h in simple["Headers"]} == {
        "List-Unsubscribe": "<https://l/u>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def test_who_bounced_or_complained_is_not_written_to_and_that_is_said():
    ses = Ses(suppression="")
    assert EmailChannel(ses, "a@b.example").send(MAIL) == Sent("refused", detail="suppressed")
    assert ses.sent == []
    for unknown in ("TooManyRequestsException", "AccessDeniedException"):
        ses = Ses(suppression=unknown)
        assert EmailChannel(ses, "a@b.example", "set-1").send(MAIL).outcome == "sent", "no reason to hold it"
        assert ses.sent[0]["ConfigurationSetName"] == "set-1"


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("TooManyRequestsException", "retry"),
        ("MessageRejected", "refused"),
        ("SendingPausedException", "retry"),
    ],
)
def test_what_ses_refuses_is_tried_again_or_not(code: str, outcome: str):
    assert EmailChannel(Ses(code), "a@b.example").send(MAIL).outcome == outcome
    assert EmailChannel(Ses(), "").send(MAIL) == Sent("refused", detail="no_sender_configured")


@pytest.mark.parametrize(
    ("status", "body", "headers", "outcome", "detail"),
    [
        (200, {"ok": True, "channel": "C1", "ts": "1.2"}, {}, "sent", ""),
        (200, {"ok": False, "error": "channel_not_found"}, {}, "refused", "channel_not_found"),
        (200, {"ok": False, "error": "internal_error"}, {}, "retry", "internal_error"),
        (200, {"ok": False, "error": "<script>"}, {}, "refused", "status_200"),
        (429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "30"}, "retry", "status_429"),
        (502, None, {}, "retry", "status_502"),
    ],
)
def test_slacks_words(status: int, body: object, headers: dict, outcome: str, detail: str):
    class Reply(SimpleNamespace):
        def __enter__(self) -> "Reply":
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing to close."""

    raw = b"" if body is None else json.dumps(body).encode()
    reply = Reply(status_code=status, headers=headers, raw=SimpleNamespace(read=lambda *_a, **_k: raw))
    asked: list[dict] = []
    session = SimpleNamespace(post=lambda url, **kwargs: asked.append({"url": url, **kwargs}) or reply)
    sent = SlackChannel(session).send(  # type: ignore[arg-type]
        Outgoing("k", "C1", NOW, secret='{"bot": "xoxb-9"}', text="hi", payload="[]")
    )
    assert (sent.outcome, sent.detail) == (outcome, detail)
    assert asked[0]["headers"]["Authorization"] == "Bearer xoxb-9"
    assert asked[0]["allow_redirects"] is False
    assert sent.retry_after_s == (30.0 if headers else None)


@pytest.mark.parametrize("broken", ["connecting", "answer"])
def test_slack_that_cannot_be_reached_is_tried_again(broken: str):
    class Cut(SimpleNamespace):
        def __enter__(self) -> "Cut":
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing to close."""

    def down(*_args: object, **_kwargs: object) -> object:
        if broken == "connecting":
            raise requests.ConnectionError("xoxb-secret")
        return Cut(status_code=200, headers={}, raw=SimpleNamespace(read=cut))

    def cut(*_args: object, **_kwargs: object) -> None:
        raise urllib3.exceptions.ProtocolError("xoxb-secret")

    sent = SlackChannel(SimpleNamespace(post=down)).send(Outgoing("k", "C1", NOW, secret="x", payload="[]"))  # type: ignore[arg-type]
    assert (sent.outcome, sent.detail) == ("retry", "unreachable")


@pytest.mark.parametrize(
    "text",
    ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon, 01 Jan 2026 00:00:00 +99999999999999999", "soon"],
)
def test_a_wait_that_is_nonsense_is_no_wait(text: str):
    """A header of the customer's server; one that ended the pass would hold up everything behind it."""
    assert retry_after(text, NOW) is None


def test_teams_takes_cards_of_28_kilobytes_and_a_workflow_that_is_gone_is_not_asked_again():
    answers = iter([Answer(202), Answer(404), Answer(500)])
    channel = TeamsChannel(SimpleNamespace(post=lambda *_: next(answers)))  # type: ignore[arg-type]
    outcomes = [channel.send(Outgoing("k", "https://t", NOW, payload="{}")).outcome for _ in range(3)]
    assert outcomes == ["sent", "refused", "retry"]
    assert channel.send(Outgoing("k", "https://t", NOW, payload="x" * 29_000)).detail == "too_large"


# --- setting up and ending --------------------------------------------------------------------------


def test_emails_go_to_the_organisations_own_domains_and_end_by_their_link(bench: Bench):
    bench.store.connections.put(replace(bench.connection, domains=("acme.example",)))
    setting = replace(use(bench), platform=bench.platform)
    wanted = AlertChannel("", "email", "it", ("ada@acme.example", "bob@acme.example"))
    with pytest.raises(InvalidInputError):
        settings.add_channel(setting, replace(wanted, to=("x@elsewhere.example",)), None)
    channel = settings.add_channel(setting, wanted, None)
    bench.settle()
    a_critical(bench, 1)
    bench.do(Work(bench.store.tenant_id, "outreach.due"))
    first, second = bench.channels.email.sent
    assert first.unsubscribe.startswith("https://lantern.example/webhooks/unsubscribe/")
    assert first.unsubscribe in first.text
    assert first.unsubscribe != second.unsubscribe

    token = first.unsubscribe.rpartition("/")[2]
    now = bench.clock.now()
    page = unsubscribing.receive(bench.platform, bench.send, now, token, "GET")
    assert (page.status, bench.sent) == (200, []), "opening it changes nothing"
    assert "form" in page.body
    assert unsubscribing.receive(bench.platform, bench.send, now, "f" * 40, "POST").status == 404

    def full(*_: object) -> None:
        raise StorageError("the queue did not answer")

    with pytest.raises(StorageError):
        unsubscribing.receive(bench.platform, full, now, token, "POST")
    for _ in range(3):
        assert unsubscribing.receive(bench.platform, bench.send, now, token, "POST").status == 200
    assert len(bench.sent) == 1
    bench.settle()
    assert settings.channel(bench.store, channel.id).unsubscribed == (first.to,)
    a_critical(bench, 2)
    bench.do(Work(bench.store.tenant_id, "outreach.due"))
    assert [one.to for one in bench.channels.email.sent[2:]] == [second.to]


def test_where_a_channel_leads_is_checked(bench: Bench):
    setting = use(bench)
    slack = AlertChannel("", "slack", "s", ("C0123456789",), "con_none")
    with pytest.raises(NotFoundError):
        settings.add_channel(setting, slack, None)
    with pytest.raises(InvalidInputError):
        settings.add_channel(setting, replace(slack, connection_id=bench.connection_id), None)
    cid, _ = bench.connect("slack")
    there = bench.store.connections.get(cid)
    bench.store.connections.put(replace(there, missing_scopes=frozenset({"chat:write"})))
    with pytest.raises(ConflictError):
        settings.add_channel(setting, replace(slack, connection_id=cid), None)
    for url in (None, "https://10.0.0.1/", "http://hooks.example.com/"):
        with pytest.raises(InvalidInputError):
            settings.add_channel(setting, AlertChannel("", "teams", "t"), url)
    made = settings.add_channel(setting, AlertChannel("", "teams", "t"), "https://prod.example.com/w")
    assert bench.channels.secrets[made.id] == "https://prod.example.com/w"
    settings.remove_channel(setting, made)
    with pytest.raises(NotFoundError):
        settings.channel(bench.store, made.id)
    assert bench.store.secrets.get(made.id) is None


def test_what_waits_for_a_channel_that_is_gone_is_dropped(bench: Bench):
    setting = use(bench)
    made = settings.add_channel(setting, AlertChannel("", "teams", "t"), "https://prod.example.com/w")
    bench.channels.teams.answer = lambda _m: Sent("retry", 500)
    a_critical(bench, 1)
    bench.settle()
    assert len(bench.channels.teams.sent) == 1
    settings.remove_channel(setting, made)
    bench.clock.forward(minutes=10)
    bench.do(Work(bench.store.tenant_id, "outreach.due"))
    assert len(bench.channels.teams.sent) == 1
    assert bench.store.deliveries.page(made.id, 5).items[0].state == "withdrawn"
