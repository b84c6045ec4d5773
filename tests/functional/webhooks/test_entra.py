"""What arrives at Microsoft's webhook: the handshake, changes of accounts, lifecycle events."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from moto import mock_aws

from lantern.services import push, web
from tests.functional.webhooks.test_google import NOW, OTHER_SECRET, SECRET, TENANT, World


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        yield World()


def event(
    body: Any = None, *, query: dict[str, list[str]] | None = None, path_id: str = "chan-1"
) -> dict[str, Any]:
    raw = b"" if body is None else json.dumps(body).encode()
    return {
        "path": f"/webhooks/entra/{path_id}",
        "httpMethod": "POST",
        "pathParameters": {"source": "entra", "id": path_id},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "multiValueQueryStringParameters": query,
        "body": base64.b64encode(raw).decode(),
        "isBase64Encoded": True,
        "requestContext": {"requestId": "r-1"},
    }


def item(secret: str = SECRET, user: str = "u1", number: int = 1, **more: Any) -> dict[str, Any]:
    data = {"id": user, "sequenceNumber": number}
    return {
        "subscriptionId": "s",
        "clientState": secret,
        "changeType": "updated",
        "resourceData": data,
        **more,
    }


def receipt(world: World, given: dict[str, Any]) -> Any:
    receiver = push.Receiver(world.platform, world.sent.append, lambda: NOW, lambda _: "")
    return push.handle(receiver, lambda: web.read(given))


def test_the_handshake_is_answered_before_the_subscription_is_known(world: World):
    token = "Validation: Testing client application reachability <b>&"
    answer = receipt(world, event(query={"validationToken": [token]}))
    assert (answer.status, answer.body, answer.content_type) == (200, token, "text/plain; charset=utf-8")
    assert receipt(world, event(query={"validationToken": [token, token]})).status == 400, "given twice"
    assert receipt(world, event(query={"validationToken": [token]}, path_id="chan-9")).status == 404
    assert world.sent == []


def test_changes_of_accounts_are_enqueued_once_each(world: World):
    body = {"value": [item(user="u1"), item(user="u2"), item("other", "u3")]}
    assert [receipt(world, event(body)).status for _ in range(2)] == [202, 202]
    assert [(w.kind, w.body["native_id"], w.tenant_id) for w in world.sent] == [
        ("bundle.read", "u1", TENANT), ("bundle.read", "u2", TENANT),
    ]  # fmt: skip
    assert receipt(world, event({"value": [item(user="u1", number=2)]})).status == 202
    assert len(world.sent) == 3
    assert SECRET not in repr(world.sent)


def test_a_message_at_another_tenants_address_is_refused(world: World):
    assert receipt(world, event({"value": [item()]}, path_id="chan-2")).status == 401
    assert receipt(world, event({"value": [item(OTHER_SECRET)]})).status == 401
    assert world.sent == []


def test_lifecycle_events_open_the_channel_again_or_have_changes_read(world: World):
    lost = {"value": [item(lifecycleEvent="subscriptionRemoved")]}
    due = {"value": [item(lifecycleEvent="reauthorizationRequired")]}
    assert [receipt(world, event(one)).status for one in (lost, due, lost)] == [202] * 3
    assert [(w.kind, dict(w.body)) for w in world.sent] == [
        ("connection.channels", {"lost": "chan-1"}), ("connection.changes", {}),
    ]  # fmt: skip


def test_a_channel_that_is_over_takes_nothing(world: World):
    receiver = push.Receiver(world.platform, world.sent.append, lambda: NOW + timedelta(days=2), lambda _: "")
    answer = push.handle(receiver, lambda: web.read(event({"value": [item()]})))
    assert answer.status == 404
    assert world.sent == []
