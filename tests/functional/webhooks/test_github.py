"""What may arrive at GitHub's web hook, and what must happen."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from moto import mock_aws

from lantern.connectors.github.push import signature
from lantern.domain.work import Work
from lantern.services import push, web
from lantern.store.platform import OrgRoute, TenantEntry
from tests.functional.webhooks import test_google

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TENANT, OTHER = "a" * 20, "b" * 20
SECRET, OLD = "s" * 64, "o" * 64
GUID = "0b989ba4-242f-11e5-81e1-c7b6966d2516"


class World(test_google.World):
    """Two tenants, each with an organisation of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.secret = SECRET
        for tenant, organisation in ((TENANT, "9001"), (OTHER, "9002")):
            self.platform.claim_org(OrgRoute("github", organisation, tenant, f"con_{organisation}"))

    def post(self, event: dict[str, Any], now: datetime = NOW) -> int:
        receiver = push.Receiver(self.platform, self.sent.append, lambda: now, lambda _: self.secret)
        return push.handle(receiver, lambda: web.read(event)).status


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        yield World()


def member_added(organisation: int = 9001, user: int = 1001) -> dict[str, Any]:
    return {
        "action": "member_added",
        "membership": {"state": "active", "role": "member", "user": {"login": "canary-login", "id": user}},
        "organization": {"login": "harbourline", "id": organisation},
        "installation": {"id": 5},
        "sender": {"login": "ada", "id": 1},
    }


def event(
    body: Any = None,
    *,
    raw: bytes | None = None,
    name: str = "organization",
    guid: str = GUID,
    headers: dict[str, list[str] | None] | None = None,
) -> dict[str, Any]:
    sent = json.dumps(member_added() if body is None else body).encode() if raw is None else raw
    given: dict[str, list[str] | None] = {
        "X-GitHub-Event": [name],
        "X-GitHub-Delivery": [guid],
        "X-Hub-Signature-256": [signature(SECRET, sent)],
        **(headers or {}),
    }
    return {
        "path": "/webhooks/github/events",
        "pathParameters": {"source": "github", "id": "events"},
        "multiValueHeaders": {key: values for key, values in given.items() if values is not None},
        "body": base64.b64encode(sent).decode(),
        "isBase64Encoded": True,
        "requestContext": {"requestId": "r-1"},
    }


def sha1(raw: bytes) -> str:
    return "sha1=" + hmac.new(SECRET.encode(), raw, hashlib.sha1).hexdigest()


def told(works: list[Work]) -> list[tuple[str, str, str]]:
    return [(work.tenant_id, work.connection_id, work.body["native_id"]) for work in works]


def test_a_good_delivery_names_the_account_and_the_organisation(world: World):
    assert world.post(event()) == 200
    (work,) = world.sent
    assert (work.kind, work.queue, work.cause) == ("bundle.read", "hints", "hint")
    assert told(world.sent) == [(TENANT, "con_9001", "1001")]
    assert "canary-login" not in repr(work)
    assert world.post(event(member_added(9002, 7), guid="another-guid")) == 200
    assert told(world.sent)[1:] == [(OTHER, "con_9002", "7")]


def test_no_changed_bit_is_believed(world: World):
    raw = json.dumps(member_added()).encode()
    good = signature(SECRET, raw)
    for position in range(0, len(raw) * 8, 13):
        changed = bytearray(raw)
        changed[position // 8] ^= 1 << position % 8
        assert world.post(event(raw=bytes(changed), headers={"X-Hub-Signature-256": [good]})) == 401
    assert world.sent == []


def test_the_same_json_in_another_order_is_another_body(world: World):
    raw = json.dumps(member_added()).encode()
    shuffled = json.dumps(dict(reversed(member_added().items()))).encode()
    headers: dict[str, list[str] | None] = {"X-Hub-Signature-256": [signature(SECRET, raw)]}
    assert world.post(event(raw=shuffled, headers=headers)) == 401
    assert world.post(event(raw=shuffled)) == 200
    assert len(world.sent) == 1


FORGED: tuple[tuple[dict[str, list[str] | None], int], ...] = (
    ({"X-Hub-Signature-256": None}, 401),
    ({"X-Hub-Signature-256": [""]}, 401),
    ({"X-Hub-Signature-256": ["{good}", "{good}"]}, 401),
    ({"X-Hub-Signature-256": ["{good}, {good}"]}, 401),
    ({"X-Hub-Signature-256": ["{GOOD}"]}, 401),
    ({"X-Hub-Signature-256": ["{old}"]}, 401),
    ({"X-Hub-Signature-256": ["{cut}"]}, 401),
    ({"X-Hub-Signature-256": ["sha256=" + "é" * 64]}, 401),
    ({"X-Hub-Signature-256": None, "X-Hub-Signature": ["{sha1}"]}, 401),
    ({"X-Hub-Signature-256": ["{sha1}"]}, 401),
    ({"X-Hub-Signature-256": ["{sha512}"]}, 401),
    ({"X-GitHub-Event": None}, 400),
    ({"X-GitHub-Delivery": None}, 400),
    ({"X-GitHub-Delivery": ["short"]}, 400),
    ({"X-GitHub-Delivery": ["x" * 65]}, 400),
    ({"X-GitHub-Delivery": [GUID, GUID]}, 400),
)


def test_a_delivery_that_is_not_githubs_is_refused(world: World):
    raw = json.dumps(member_added()).encode()
    good = signature(SECRET, raw)
    words = {
        "{good}": good,
        "{GOOD}": good.upper(),
        "{old}": signature(OLD, raw),
        "{cut}": good[:-1],
        "{sha1}": sha1(raw),
        "{sha512}": "sha512=" + hmac.new(SECRET.encode(), raw, hashlib.sha512).hexdigest(),
    }

    def filled(value: str) -> str:
        for word, text in words.items():
            value = value.replace(word, text)
        return value

    for headers, status in FORGED:
        given = {k: v and [filled(one) for one in v] for k, v in headers.items()}
        assert world.post(event(raw=raw, headers=given)) == status, headers
    assert world.sent == []


def test_a_secret_that_was_replaced_is_worth_nothing(world: World):
    world.secret = "n" * 64
    assert world.post(event()) == 401
    assert world.sent == []


def test_a_body_over_a_megabyte_is_refused_unread(world: World):
    assert world.post(event(raw=b"x" * 1_000_001)) == 413


def test_a_signed_body_that_is_no_event_is_refused(world: World):
    for raw in (b"", b"{", b"null", b"[]", b"1", b"\xff\xfe", b"[" * 100_000):
        assert world.post(event(raw=raw)) == 400
    assert world.sent == []


def test_replays_at_once_have_one_effect(world: World):
    one = event()
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(world.post, [one] * 200)) == {200}
    assert len(world.sent) == 1


def test_an_organisation_that_nobody_connected_is_answered_and_dropped(world: World):
    for organisation in (4711, "9001", None, True, {"id": 9001}):
        assert world.post(event({**member_added(), "organization": {"id": organisation}})) == 200
    assert world.sent == []


def test_a_tenant_that_is_not_active_is_answered_and_dropped(world: World):
    world.platform.put_tenant(TenantEntry(TENANT, "T", "suspended", NOW))
    assert world.post(event()) == 200
    assert world.sent == []


def test_what_changes_no_inventory_is_taken_and_left(world: World):
    assert world.post(event({"zen": "Keep it simple.", "hook_id": 1}, name="ping")) == 200
    assert world.post(event(raw=b"not even json", name="push", guid="push-guid-1")) == 200
    revoked = {"action": "revoked", "sender": {"id": 1001, "type": "User"}}
    assert world.post(event(revoked, name="github_app_authorization", guid="revoked-1")) == 200
    created = {"action": "created", "organization": {"id": 9001}, "repository": {"id": 3}}
    assert world.post(event(created, name="repository", guid="repository-1")) == 200
    assert world.sent == []
