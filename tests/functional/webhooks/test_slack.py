"""What may arrive at Slack's webhook, and what must happen."""

import base64
import hashlib
import hmac
import itertools
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from moto import mock_aws

from lantern.connectors.pushing import Receipt
from lantern.connectors.slack.push import signature
from lantern.domain.errors import StorageError
from lantern.services import push, web
from lantern.store.platform import OrgRoute
from tests.functional.webhooks.test_google import NOW, OTHER, TENANT, World

SECRET, OLD = "8f742231b10e8888abcd99yyyzzz85a5", "1a742231b10e8888abcd99yyyzzz85a5"
STAMP = int(NOW.timestamp())
TEAM, ENTERPRISE = "T0HARBOUR00", "E0SEASIDE00"


class SlackWorld(World):
    def __init__(self) -> None:
        super().__init__()
        for tenant, organisation in ((TENANT, TEAM), (OTHER, ENTERPRISE)):
            self.platform.claim_org(OrgRoute("slack", organisation, tenant, f"con_{organisation}"))

    def take(self, event: dict[str, Any], now: datetime = NOW) -> Receipt:
        receiver = push.Receiver(self.platform, self.sent.append, lambda: now, lambda _: SECRET)
        return push.handle(receiver, lambda: web.read(event))


EVENTS = itertools.count(1)
"""Events have ids of their own; within a test the same one is meant."""
_event_id = "Ev0"


@pytest.fixture(scope="module")
def shared() -> Iterator[SlackWorld]:
    with mock_aws():
        yield SlackWorld()


@pytest.fixture
def world(shared: SlackWorld, monkeypatch: pytest.MonkeyPatch) -> SlackWorld:
    monkeypatch.setitem(globals(), "_event_id", f"Ev{next(EVENTS)}")
    shared.sent.clear()
    return shared


def joined(team: str = TEAM, user: str = "U1", event_id: str = "", **more: Any) -> dict[str, Any]:
    return {
        "token": "verification-canary",
        "team_id": team,
        "api_app_id": "A0LANTERN00",
        "event": {"type": "team_join", "user": {"id": user, "name": "person-canary"}, "event_ts": "1.2"},
        "type": "event_callback",
        "event_id": event_id or _event_id,
        "event_time": STAMP,
        **more,
    }


@dataclass
class Message:
    """A request as Slack makes it; `headers` replace or remove what it would carry."""

    body: bytes
    stamp: int = STAMP
    secret: str = SECRET
    path_id: str = "events"

    def event(self, headers: dict[str, list[str] | None] | None = None) -> dict[str, Any]:
        given: dict[str, list[str] | None] = {
            "X-Slack-Request-Timestamp": [str(self.stamp)],
            "X-Slack-Signature": [signature(self.secret, str(self.stamp), self.body)],
            "Content-Type": ["application/json"],
            **(headers or {}),
        }
        return {
            "path": f"/webhooks/slack/{self.path_id}",
            "pathParameters": {"source": "slack", "id": self.path_id},
            "multiValueHeaders": {name: values for name, values in given.items() if values is not None},
            "body": base64.b64encode(self.body).decode(),
            "isBase64Encoded": True,
            "requestContext": {"requestId": "r-1"},
        }


def message(body: dict[str, Any] | None = None, **more: Any) -> Message:
    return Message(json.dumps(joined() if body is None else body).encode(), **more)


def test_a_good_message_names_the_account_to_read_again(world: SlackWorld) -> None:
    assert world.take(message().event()).status == 200
    (work,) = world.sent
    assert (work.tenant_id, work.kind, work.connection_id) == (TENANT, "bundle.read", f"con_{TEAM}")
    assert (work.body["native_id"], work.body["event"]) == ("U1", "team_join")
    assert "canary" not in repr(work)


def test_the_challenge_is_answered_in_plain_text_and_only_if_signed(world: SlackWorld) -> None:
    body = {"type": "url_verification", "token": "x", "challenge": "3eZbrw1aBm2rZgRN"}
    receipt = world.take(message(body).event())
    assert (receipt.status, receipt.body) == (200, "3eZbrw1aBm2rZgRN")
    assert receipt.content_type == "text/plain; charset=utf-8"
    assert world.take(message(body, secret=OLD).event()).body == ""
    assert world.sent == []


def test_no_changed_bit_passes(world: SlackWorld) -> None:
    good = message()
    headers = {"X-Slack-Signature": [signature(SECRET, str(STAMP), good.body)]}
    for position in range(0, len(good.body) * 8, 7):
        changed = bytearray(good.body)
        changed[position // 8] ^= 1 << position % 8
        assert world.take(Message(bytes(changed)).event(headers)).status == 401
    assert world.sent == []


def test_reordered_json_is_another_body_and_signed_anew_the_same_message(world: SlackWorld) -> None:
    good = message()
    shuffled = json.dumps(dict(reversed(joined().items())), indent=2).encode()
    headers = {"X-Slack-Signature": [signature(SECRET, str(STAMP), good.body)]}
    assert world.take(Message(shuffled).event(headers)).status == 401
    assert world.take(good.event()).status == 200
    assert world.take(Message(shuffled).event()).status == 200
    assert len(world.sent) == 1


PLAIN = message()


def _signed(digest: str, secret: str = SECRET) -> str:
    base = f"v0:{STAMP}:".encode() + PLAIN.body
    return hmac.new(secret.encode(), base, digest).hexdigest()


GOOD = signature(SECRET, str(STAMP), PLAIN.body)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Slack-Signature": None},
        {"X-Slack-Signature": [""]},
        {"X-Slack-Signature": [GOOD, GOOD]},
        {"X-Slack-Signature": [f"{GOOD},{GOOD}"]},
        {"X-Slack-Signature": [GOOD.removeprefix("v0=")]},
        {"X-Slack-Signature": [GOOD.upper()]},
        {"X-Slack-Signature": [GOOD[:-1]]},
        {"X-Slack-Signature": [GOOD + "0"]},
        {"X-Slack-Signature": [GOOD.replace("v0=", "v1=")]},
        {"X-Slack-Signature": ["v0=" + _signed("sha256", OLD)]},
        {"X-Slack-Signature": ["v0=" + _signed("sha1")]},
        {"X-Slack-Signature": ["v0=" + _signed("sha512")]},
        {"X-Slack-Signature": ["v0=" + hashlib.sha256(PLAIN.body).hexdigest()]},
        {"X-Slack-Signature": ["v0=\u00e9"]},
        {"X-Slack-Request-Timestamp": None},
        {"X-Slack-Request-Timestamp": [str(STAMP), str(STAMP)]},
        {"X-Slack-Request-Timestamp": [str(STAMP + 1)]},
        {"X-Slack-Request-Timestamp": [f" {STAMP}"]},
        {"X-Slack-Request-Timestamp": ["-1"]},
        {"X-Slack-Request-Timestamp": ["\u0661"]},
        {"X-Slack-Request-Timestamp": ["9" * 40]},
    ],
)
def test_a_signature_that_does_not_fit_is_refused(world: SlackWorld, headers: Any) -> None:
    receipt = world.take(PLAIN.event(headers))
    assert (receipt.status, receipt.body) == (401, "")
    assert world.sent == []


def test_the_secret_of_before_is_worth_nothing(world: SlackWorld) -> None:
    assert world.take(message(secret=OLD).event()).status == 401
    assert world.sent == []


@pytest.mark.parametrize(("seconds", "believed"), [(-300, True), (300, True), (-301, False), (301, False)])
def test_five_minutes_in_either_direction(world: SlackWorld, seconds: int, believed: bool) -> None:
    receipt = world.take(message(stamp=STAMP + seconds).event())
    assert (receipt.status == 200, bool(world.sent)) == (believed, believed)


def test_a_repetition_of_slacks_and_a_hundred_of_others_have_one_effect(world: SlackWorld) -> None:
    retry = {"X-Slack-Retry-Num": ["1"], "X-Slack-Retry-Reason": ["http_timeout"]}
    events = [message(stamp=STAMP + n % 60).event(retry if n % 2 else None) for n in range(100)]
    with ThreadPoolExecutor(8) as pool:
        assert {receipt.status for receipt in pool.map(world.take, events)} == {200}
    assert len(world.sent) == 1


@pytest.mark.parametrize("size", [1_000_001, 3_000_000])
def test_a_body_over_a_megabyte_is_refused_unread(world: SlackWorld, size: int) -> None:
    assert world.take(Message(b"x" * size).event()).status == 413


def test_an_organisation_nobody_connected_is_answered_and_dropped(world: SlackWorld) -> None:
    assert world.take(message(joined(team="T0ELSEWHERE")).event()).status == 200
    assert world.sent == []


def test_the_organisation_is_told_where_lantern_is_installed_on_it(world: SlackWorld) -> None:
    def authorized(whole: bool) -> dict[str, Any]:
        row = {"enterprise_id": ENTERPRISE, "team_id": TEAM, "is_enterprise_install": whole}
        return joined(event_id=f"{_event_id}-{whole}", enterprise_id=ENTERPRISE, authorizations=[row])

    assert world.take(message(authorized(whole=True)).event()).status == 200
    assert [work.tenant_id for work in world.sent] == [OTHER]
    assert world.take(message(authorized(whole=False)).event()).status == 200
    assert [work.tenant_id for work in world.sent] == [OTHER, TENANT]


@pytest.mark.parametrize("kind", ["app_uninstalled", "tokens_revoked"])
def test_the_end_of_our_access_makes_us_look(world: SlackWorld, kind: str) -> None:
    body = {**joined(), "event": {"type": kind}}
    assert world.take(message(body).event()).status == 200
    assert [work.kind for work in world.sent] == ["connection.changes"]


def test_what_is_signed_and_makes_no_sense_is_not_repeated(world: SlackWorld) -> None:
    receipt = world.take(Message(b"{").event())
    assert (receipt.status, receipt.headers) == (400, {"X-Slack-No-Retry": "1"})


def test_trouble_of_ours_asks_for_a_repetition(world: SlackWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: str) -> None:
        raise StorageError("canary")

    monkeypatch.setattr(world.platform, "get_org", down)
    receipt = world.take(message().event())
    assert (receipt.status, dict(receipt.headers)) == (503, {})


def test_what_could_not_be_handed_on_is_taken_when_it_comes_again(world: SlackWorld) -> None:
    """An event, and a command that somebody typed: the queue does not answer the first time."""
    typed = {
        "team_id": TEAM,
        "user_id": "U1",
        "trigger_id": f"13345224609.{_event_id}",
        "text": "request Otter",
        "response_url": "https://hooks.slack.com/commands/T1/2/x",
    }
    command = Message(urlencode(typed).encode(), path_id="commands")

    def full(_: object) -> None:
        raise StorageError("the queue did not answer")

    for given, kind in ((message(), "bundle.read"), (command, "slack.command")):
        failing = push.Receiver(world.platform, full, lambda: NOW, lambda _: SECRET)
        assert push.handle(failing, lambda given=given: web.read(given.event())).status == 503
        assert [world.take(given.event()).status for _ in range(3)] == [200] * 3
        assert [work.kind for work in world.sent] == [kind]
        world.sent.clear()


def test_a_message_of_long_ago_is_not_heard_again(world: SlackWorld) -> None:
    assert world.take(message().event()).status == 200
    assert world.take(message().event(), NOW + timedelta(days=6)).status == 404
    assert len(world.sent) == 1


def test_logs_hold_neither_secrets_nor_people(world: SlackWorld, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="lantern"):
        world.take(message().event())
        world.take(message(secret=OLD).event())
    text = repr([record.__dict__ for record in caplog.records if record.name.startswith("lantern")])
    for secret in (SECRET, OLD, GOOD, "canary"):
        assert secret not in text
