"""Outgoing webhooks through the pipeline: signed, tried again on schedule, given up, disabled, sent again."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta
from itertools import cycle
from types import SimpleNamespace

import pytest
from py_ocsf_models.events.findings.detection_finding import DetectionFinding
from standardwebhooks import Webhook, WebhookVerificationError

from lantern.channels.safe_http import Answer
from lantern.channels.webhook import WebhookChannel, headers
from lantern.domain.alerts import AlertChannel
from lantern.domain.findings import Desired, Finding, FindingStatus, Group, reconcile
from lantern.domain.rules.vocabulary import Grade, GroupBy, Severity, Subject
from lantern.domain.webhooks import Endpoint
from lantern.domain.work import Work
from lantern.services import decisions
from lantern.services.outreach import settings
from lantern.store.findings import FindingRepository
from tests.support.tenant import Bench

NUMBERS = cycle(range(1, 250))


class Receiver:
    """A customer's server: answers as told, and checks with the stock library what it is sent."""

    def __init__(self) -> None:
        self.answer = Answer(200)
        self.got: list[tuple[dict[str, str], bytes]] = []

    def post(self, url: str, body: bytes, sent: dict[str, str]) -> Answer:
        assert url == "https://hooks.example.com/in"
        self.got.append((dict(sent), body))
        return self.answer


@pytest.fixture
def receiver(bench: Bench) -> Receiver:
    made = Receiver()
    bench.channels.webhook = WebhookChannel(made)
    return made


def use(bench: Bench) -> settings.Setting:
    def seal(secret_id: str, text: str) -> bytes:
        bench.channels.secrets[secret_id] = text
        return b"sealed"

    return settings.Setting(
        bench.store, "key:a", bench.clock.now(), lambda size: bytes([next(NUMBERS)]) * size, seal
    )


def add(bench: Bench, **more: object) -> tuple[Endpoint, str]:
    wanted = {"description": "", "events": (), "payload": "lantern", **more}
    return settings.add_endpoint(use(bench), "https://hooks.example.com/in", **wanted)


def a_finding(bench: Bench, number: int = 1) -> Finding:

    group = Group(GroupBy.APP, f"app_{number:013}")
    wanted = Desired(
        "unsanctioned-ai", "1", Subject.GRANT, group, f"App {number} is not sanctioned",
        {"gr_1": Grade(Severity.HIGH, certain=True)},
    )  # fmt: skip
    found, _ = reconcile(None, wanted, bench.clock.now())
    assert found is not None
    return bench.store.findings.put(replace(found, rev=0))


def look(bench: Bench) -> None:
    bench.do(Work(bench.store.tenant_id, "outreach.due"))
    bench.sent.clear()


def until_given_up(bench: Bench, endpoint: Endpoint) -> list[float]:
    start, at = bench.clock.now(), []
    while (row := bench.store.deliveries.page(endpoint.id, 1).items[0]).next_at is not None:
        bench.clock.forward(seconds=max(0.0, (row.next_at - bench.clock.now()).total_seconds()))
        at.append((bench.clock.now() - start).total_seconds())
        look(bench)
    return at


def test_each_change_is_one_signed_event(bench: Bench, receiver: Receiver):
    _, secret = add(bench)
    found = a_finding(bench)
    look(bench)
    look(bench)
    decisions.acknowledge(bench.store, found, note="", by="key:a", now=bench.clock.now())
    bench.settle()
    kinds = [json.loads(body)["type"] for _, body in receiver.got]
    assert kinds == ["finding.opened", "finding.acknowledged"]
    sent, body = receiver.got[0]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{sent['webhook-id']}.{sent['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert sent["webhook-signature"] == f"v1,{expected}"


def test_the_stock_library_verifies_and_notices_a_change(bench: Bench, receiver: Receiver):
    from datetime import UTC, datetime

    from lantern.domain.messages import Outgoing

    endpoint, old = add(bench)
    changed, new = settings.rotate(use(bench), endpoint)
    assert old != new
    now = datetime.now(UTC)
    signing = " ".join(bench.channels.secrets[one] for one in changed.secret_ids(bench.clock.now()))
    outgoing = Outgoing("dlv_1", "u", now, secret=signing, payload='{"type":"lantern.test"}')
    for secret in (old, new):
        assert Webhook(secret).verify(outgoing.payload, headers(outgoing)) == {"type": "lantern.test"}
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(outgoing.payload + " ", headers(outgoing))
    later = changed.secret_ids(bench.clock.now() + timedelta(hours=25))
    assert later == (changed.secret_id(2),), "a day later the old one signs no more"


def test_what_fails_is_tried_for_three_days_under_one_id_and_can_be_sent_again(
    bench: Bench, receiver: Receiver
):
    endpoint, _ = add(bench)
    a_finding(bench)
    receiver.answer = Answer(503)
    look(bench)
    at = until_given_up(bench, endpoint)
    hours = [round(seconds / 3_600, 2) for seconds in at]
    assert [round(seconds) for seconds in at[:4]] == [5, 305, 2_105, 9_305]
    assert hours[4:] == [7.58, 17.58, 27.58, 37.58, 47.58, 57.58, 67.58]
    assert len({sent["webhook-id"] for sent, _ in receiver.got}) == 1
    assert len({sent["webhook-timestamp"] for sent, _ in receiver.got}) == len(receiver.got)
    (row,) = bench.store.deliveries.page(endpoint.id, 5).items
    assert (row.state, row.tries) == ("failed", len(receiver.got))
    receiver.answer = Answer(200)
    current = settings.endpoint(bench.store, endpoint.id)
    settings.replay(use(bench), current, row)
    bench.settle()
    (row,) = bench.store.deliveries.page(endpoint.id, 5).items
    assert row.state == "sent"
    assert receiver.got[-1][0]["webhook-id"] == row.id
    assert settings.endpoint(bench.store, endpoint.id).failing_since is None


def test_an_endpoint_that_fails_for_five_days_is_disabled(bench: Bench, receiver: Receiver):
    endpoint, _ = add(bench)
    receiver.answer = Answer(None, problem="unreachable")
    for number in range(4):
        a_finding(bench, number)
        look(bench)
        until_given_up(bench, endpoint)
        bench.clock.forward(hours=1)
        current = settings.endpoint(bench.store, endpoint.id)
        if current.status == "disabled":
            break
    assert (current.status, current.why) == ("disabled", "failing")
    assert bench.clock.now() - current.failing_since >= timedelta(days=5)
    tries = len(receiver.got)
    a_finding(bench, 9)
    look(bench)
    assert len(receiver.got) == tries
    assert "webhook.disabled" in [entry.action for entry in bench.store.audit.entries()]


def test_who_says_gone_is_asked_no_more(bench: Bench, receiver: Receiver):
    endpoint, _ = add(bench)
    receiver.answer = Answer(410)
    a_finding(bench)
    a_finding(bench, 2)
    look(bench)
    assert len(receiver.got) == 1
    assert settings.endpoint(bench.store, endpoint.id).why == "gone"
    states = sorted(row.state for row in bench.store.deliveries.page(endpoint.id, 5).items)
    assert states == ["failed", "withdrawn"]


def test_ocsf_events_are_valid(bench: Bench, receiver: Receiver):
    add(bench, payload="ocsf", events=("finding.opened", "finding.resolved"))
    found = a_finding(bench)
    look(bench)
    noted = decisions.acknowledge(bench.store, found, note="", by="key:a", now=bench.clock.now())
    decisions.resolve(
        bench.store,
        noted,
        resolution="fixed",
        reason="r",
        by="key:a",
        now=bench.clock.now(),  # type: ignore[arg-type]
    )
    bench.settle()
    events = [DetectionFinding.model_validate_json(body) for _, body in receiver.got]
    assert [(e.class_uid, int(e.type_uid), int(e.status_id)) for e in events] == [
        (2004, 200401, 1),
        (2004, 200403, 4),
    ]
    assert events[0].metadata.version.startswith("1.")
    assert events[0].metadata.uid == receiver.got[0][0]["webhook-id"]


def test_a_snooze_ends_by_the_sweep_that_a_connections_poll_wakes(bench: Bench, receiver: Receiver):
    found = a_finding(bench)
    until = bench.clock.now() + timedelta(hours=2)
    decisions.snooze(bench.store, found, until=until, note="", by="key:a", now=bench.clock.now())
    bench.settle()
    assert bench.store.alerts.state().due_at == until
    bench.clock.forward(hours=2, minutes=1)
    bench.do(Work(bench.store.tenant_id, "connection.changes", bench.connection_id))
    assert [work.kind for work in bench.sent if work.kind.startswith("outreach")] == ["outreach.due"]
    bench.settle()
    assert bench.store.findings.get(found.id).status is FindingStatus.OPEN


def test_a_server_that_does_not_answer_keeps_nobody_waiting(bench: Bench, receiver: Receiver):
    endpoint, _ = add(bench)
    order: list[str] = []
    receiver.answer = Answer(None, problem="timeout")
    post, send = receiver.post, bench.channels.teams.send
    bench.channels.webhook = WebhookChannel(
        SimpleNamespace(post=lambda *of: order.append("system") or post(*of))
    )
    bench.channels.teams = SimpleNamespace(send=lambda of: order.append("people") or send(of))
    settings.add_channel(use(bench), AlertChannel("", "teams", "t"), "https://prod.example.com/w")
    for number in range(30):
        a_finding(bench, number)
    look(bench)
    assert order == ["people", "system"], "people first, and one wait for all thirty events"
    rows = bench.store.deliveries.page(endpoint.id, 50).items
    assert sorted(one.attempts[0].detail for one in rows) == ["endpoint_silent"] * 29 + ["timeout"]
    receiver.answer = Answer(200)
    bench.clock.forward(minutes=6)
    look(bench)
    rows = bench.store.deliveries.page(endpoint.id, 50).items
    assert {one.state for one in rows} == {"sent"}, "once it answers, it gets them all"
    assert settings.endpoint(bench.store, endpoint.id).silent_at is None


def test_a_pass_reads_every_worklist_once_whoever_is_told(
    bench: Bench, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Findings are the most that a pass reads: people's channels and systems share what it read."""
    add(bench)
    for number in (1, 2):
        channel = AlertChannel(f"chn_{number}", "email", "Us", to=("a@example.com",))
        bench.store.transact(bench.clock.now()).put(bench.store.alerts.channel_op(channel)).commit()
    asked: list[str] = []
    heads = FindingRepository.heads

    def counted(self: object, status: str) -> object:
        asked.append(status)
        return heads(self, status)

    monkeypatch.setattr(FindingRepository, "heads", counted)
    bench.do(Work("t", "outreach.due"))
    assert sorted(asked) == ["acknowledged", "exception", "open", "snoozed"]
