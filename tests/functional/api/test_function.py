"""The deployed entries with nothing injected: environment, STS, Secrets Manager, SQS, both tables."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.session import Session
from moto import mock_aws

from functions.api import app as api_function
from functions.authorizer import app as authorizer_function
from lantern.domain import apikeys
from lantern.runtime import wiring_api, wiring_platform
from lantern.store.platform import KeyEntry, TenantEntry
from tests.functional.api.world import Planted, World, make_tables

ARN = "arn:aws:execute-api:eu-west-1:1:api/test/GET/v1/tenant"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An empty deployment on moto, where clients that nobody injected find it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        make_tables(_client())
        yield World(_client)


def _client() -> Any:
    return Session().create_client("dynamodb", region_name="eu-west-1")


@pytest.fixture
def deployed(world: World, planted: Planted, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The environment of a deployment, and an administrator's key."""
    session = Session()
    sqs = session.create_client("sqs", region_name="eu-west-1")
    secret = session.create_client("secretsmanager", region_name="eu-west-1")
    values = {
        "LANTERN_STAGE": "test",
        "AWS_REGION": "eu-west-1",
        "TENANT_TABLE": "tenants",
        "PLATFORM_TABLE": "platform",
        "TENANT_ROLE_ARN": "arn:aws:iam::123456789012:role/tenant-data",
        "HINTS_QUEUE_URL": sqs.create_queue(QueueName="hints")["QueueUrl"],
        "RUNS_QUEUE_URL": sqs.create_queue(QueueName="runs")["QueueUrl"],
        "CURSOR_SECRET_ID": secret.create_secret(Name="cursor", SecretString="a text")["ARN"],
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    key = apikeys.issue("test", world.random)
    world.platform.put_tenant(TenantEntry(planted.tenant_id, "T", "active", world.now))
    world.platform.put_key(KeyEntry(key.id, planted.tenant_id, frozenset({"admin"}), key.hash))
    monkeypatch.setattr(wiring_platform, "logging_once", lambda service: None)
    wiring_api.reset()
    yield key.text
    wiring_api.reset()


def _call(key: str, method: str, path: str, query: dict[str, list[str]] | None = None) -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    allowed = authorizer_function.handler({"methodArn": ARN, "headers": headers}, None)
    assert allowed["policyDocument"]["Statement"][0]["Effect"] == "Allow"
    event = {
        "httpMethod": method,
        "path": path,
        "headers": headers,
        "multiValueQueryStringParameters": query,
        "requestContext": {"requestId": "r", "authorizer": {**allowed["context"], "principalId": "x"}},
        "body": None,
    }
    answer = api_function.handler(event, None)
    return answer["statusCode"], json.loads(answer["body"])


def test_from_key_to_answer(deployed: str, planted: Planted, world: World) -> None:
    status, body = _call(deployed, "GET", "/v1/tenant")
    assert (status, body["id"]) == (200, planted.tenant_id)
    status, body = _call(deployed, "POST", f"/v1/connections/{planted.connection_id}/sync")
    assert status == 202, body
    sqs = Session().create_client("sqs", region_name="eu-west-1")
    url = sqs.get_queue_url(QueueName="runs")["QueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"])["connection_id"] == planted.connection_id
    store = world.store(planted.tenant_id)
    status, _ = _call(deployed, "DELETE", f"/v1/keys/{planted.key_id}")
    assert status == 200
    assert store.keys.get(planted.key_id).revoked_at is not None


def test_cursors_are_sealed_with_the_platform_secret(deployed: str, planted: Planted, world: World) -> None:
    store = world.store(planted.tenant_id)
    for number in range(2):
        from lantern.domain.audit import AuditEvent

        store.transact(world.now).audit(AuditEvent("a", f"b{number}", "c")).commit()
    status, body = _call(deployed, "GET", "/v1/audit", {"limit": ["1"]})
    assert status == 200
    status, body = _call(deployed, "GET", "/v1/audit", {"limit": ["1"], "cursor": [body["next_cursor"]]})
    assert (status, body["data"][0]["seq"]) == (200, 2)


def test_the_tenant_role_is_assumed_with_the_tenant_as_tag(
    deployed: str, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lantern.runtime import wiring_platform

    asked: list[dict[str, Any]] = []
    made = wiring_platform.client

    def spy(service: str, **config: Any) -> Any:
        client = made(service, **config)
        client.meta.events.register(
            "provide-client-params.sts.AssumeRole", lambda params, **_: asked.append(params)
        )
        return client

    monkeypatch.setattr(wiring_platform, "client", spy)
    assert _call(deployed, "GET", "/v1/tenant")[0] == 200
    (request,) = asked
    assert request["Tags"] == [{"Key": "tenant", "Value": planted.tenant_id}]
