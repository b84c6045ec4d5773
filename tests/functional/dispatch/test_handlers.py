"""The real handlers on moto: environment in, messages and answers out."""

import base64
import importlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session
from moto import mock_aws

from lantern.connectors.google.push import token_hash
from lantern.domain.audit import AuditEvent
from lantern.domain.tenancy import Connection
from lantern.domain.work import Work
from lantern.runtime import wiring, wiring_edges, wiring_platform
from lantern.services import housekeeping
from lantern.services.queue import parse_work
from lantern.store.platform import ChannelRoute, TenantEntry
from tests.functional.api.world import PLATFORM_TABLE, TENANT_TABLE, make_tables

TENANT = "a" * 20
REGION = "eu-central-1"


def _client(service: str) -> Any:
    session = Session()
    session.set_credentials("test", "test")
    return session.create_client(service, region_name=REGION)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    with mock_aws():
        sqs, s3 = _client("sqs"), _client("s3")
        urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("hints", "runs")}
        s3.create_bucket(Bucket="anchors", CreateBucketConfiguration={"LocationConstraint": REGION})
        make_tables(_client("dynamodb"))
        variables = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "TENANT_TABLE": TENANT_TABLE,
            "PLATFORM_TABLE": PLATFORM_TABLE,
            "TENANT_ROLE_ARN": "arn:aws:iam::123456789012:role/tenant",
            "HINTS_QUEUE_URL": urls["hints"],
            "RUNS_QUEUE_URL": urls["runs"],
            "ANCHORS_BUCKET": "anchors",
            "WORKER_TIMEOUT_S": "60",
            "DISCOVERY_FUNCTION": "d",
            "SCORING_FUNCTION": "s",
            "REMEDIATION_FUNCTION": "r",
            "OUTREACH_FUNCTION": "o",
            "POWERTOOLS_METRICS_NAMESPACE": "Lantern",
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        wiring.reset()
        wiring_edges.reset()
        now = datetime.now(UTC)
        wiring_platform.platform_store().put_tenant(TenantEntry(TENANT, "T", "active", now))
        yield {"sqs": sqs, "s3": s3, "urls": urls, "now": now}
        wiring.reset()
        wiring_edges.reset()


def _handler(name: str) -> Any:
    return importlib.import_module(f"functions.{name}.app").handler


def _messages(cloud: dict[str, Any], queue: str) -> list[Work]:
    answer = cloud["sqs"].receive_message(
        QueueUrl=cloud["urls"][queue], MaxNumberOfMessages=10, AttributeNames=["All"]
    )
    messages = answer.get("Messages", [])
    assert all(message["Attributes"]["MessageGroupId"] == TENANT for message in messages)
    return [parse_work(message["Body"]) for message in messages]


def test_a_push_message_becomes_work(cloud: dict[str, Any]):
    expires = cloud["now"] + timedelta(hours=1)
    route = ChannelRoute("chan-1", TENANT, "con_1", token_hash("s" * 43), expires)
    wiring_platform.platform_store().put_channel(route)
    activity = {
        "id": {"time": "2026-11-23T08:00:00Z", "uniqueQualifier": "1", "applicationName": "token"},
        "actor": {"profileId": "1001"},
        "events": [{"name": "revoke", "parameters": [{"name": "client_id", "value": "c"}]}],
    }
    event = {
        "pathParameters": {"source": "google", "id": "chan-1"},
        "multiValueHeaders": {
            "X-Goog-Channel-Id": ["chan-1"],
            "X-Goog-Channel-Token": ["s" * 43],
            "X-Goog-Resource-State": ["revoke"],
            "X-Goog-Message-Number": ["5"],
        },
        "body": json.dumps(activity),
    }
    for _ in range(3):
        answer = _handler("webhooks")(event, None)
        assert (answer["statusCode"], answer["body"]) == (200, "")
    (work,) = _messages(cloud, "hints")
    assert (work.kind, work.body["native_id"]) == ("bundle.read", "1001")


def test_a_decision_travels_from_the_outbox_to_its_queue_and_is_forgotten(cloud: dict[str, Any]):
    store = wiring.tenant_store(TENANT)
    wanted = Work(TENANT, "job.run", None, {"job": "job_1"}, cause="act")
    store.transact(cloud["now"]).outbox(wanted).audit(AuditEvent("key_1", "job.approved", "job_1")).commit()
    rows = _client("dynamodb").scan(TableName=TENANT_TABLE)["Items"]
    records = []
    for number, row in enumerate(rows):
        image = {name: dict(value) for name, value in row.items()}
        for value in image.values():
            if "B" in value:
                value["B"] = base64.b64encode(value["B"]).decode()
        keys = {"pk": row["pk"], "sk": row["sk"]}
        change = {"Keys": keys, "NewImage": image, "SequenceNumber": str(number)}
        records.append({"eventName": "INSERT", "dynamodb": change})
    assert _handler("router")({"Records": records}, None) == {"batchItemFailures": []}
    assert _messages(cloud, "runs") == [wanted]
    assert list(store.outbox.due(cloud["now"] + timedelta(days=1))) == []
    assert store.audit.head().seq == 1


def test_work_of_a_suspended_tenant_is_acknowledged(cloud: dict[str, Any]):
    wiring_platform.platform_store().put_tenant(TenantEntry(TENANT, "T", "suspended", cloud["now"]))
    wiring_platform.work_queue().send(Work(TENANT, "score.run", "con_1"))
    message = cloud["sqs"].receive_message(QueueUrl=cloud["urls"]["runs"])["Messages"][0]
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:runs",
        "attributes": {"ApproximateReceiveCount": "1"},
    }
    assert _handler("dispatcher")({"Records": [record]}, None) == {"batchItemFailures": []}


def test_a_message_nobody_can_read_is_made_visible_again_at_once(cloud: dict[str, Any]):
    cloud["sqs"].send_message(QueueUrl=cloud["urls"]["runs"], MessageBody="poison", MessageGroupId="x")
    message = cloud["sqs"].receive_message(QueueUrl=cloud["urls"]["runs"], VisibilityTimeout=5400)[
        "Messages"
    ][0]
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:runs",
        "attributes": {"ApproximateReceiveCount": "1"},
    }
    answer = _handler("dispatcher")({"Records": [record]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": message["MessageId"]}]}
    again = cloud["sqs"].receive_message(QueueUrl=cloud["urls"]["runs"], WaitTimeSeconds=3)
    assert [each["Body"] for each in again["Messages"]] == ["poison"]


def test_the_dispatchers_client_outwaits_the_worker_and_asks_once(cloud: dict[str, Any]):
    config = wiring_edges.dispatcher().invoker.meta.config  # type: ignore[attr-defined]
    assert config.read_timeout == 70
    assert config.retries["total_max_attempts"] == 1


def test_housekeeping_anchors_every_chain_and_measures_the_oldest_sync(
    cloud: dict[str, Any], capsys: pytest.CaptureFixture[str]
):
    store = wiring.tenant_store(TENANT)
    since = cloud["now"] - timedelta(hours=40)
    store.connections.put(Connection("con_1", "google", "C1", "T", "active", frozenset(), frozenset(), since))
    store.connections.put(
        Connection(
            "con_2", "google", "C2", "T", "disconnected", frozenset(), frozenset(), since - timedelta(days=9)
        )
    )
    store.transact(cloud["now"]).audit(AuditEvent("key_1", "x", "y")).commit()
    assert _handler("housekeeping")({}, None) == {"anchored": 1}
    key = housekeeping.anchor_key(TENANT, datetime.now(UTC))
    anchor = json.loads(cloud["s3"].get_object(Bucket="anchors", Key=key)["Body"].read())
    head = store.audit.head()
    assert (anchor["tenant"], anchor["seq"], anchor["hash"]) == (TENANT, head.seq, head.hash)
    metric = next(json.loads(line) for line in capsys.readouterr().out.splitlines() if "SyncAgeHours" in line)
    assert metric["service"] == "housekeeping"
    assert metric["SyncAgeHours"] == [pytest.approx(40, abs=0.1)]


def test_one_tenant_in_trouble_does_not_stop_the_others(
    cloud: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    platform = wiring_platform.platform_store()
    platform.put_tenant(TenantEntry("b" * 20, "U", "active", cloud["now"]))
    for tenant in (TENANT, "b" * 20):
        wiring.tenant_store(tenant).transact(cloud["now"]).audit(AuditEvent("a", "b", "c")).commit()
    open_store = wiring.tenant_store

    def broken(tenant_id: str) -> Any:
        if tenant_id == TENANT:
            raise RuntimeError("down")
        return open_store(tenant_id)

    monkeypatch.setattr(wiring, "tenant_store", broken)
    with pytest.raises(RuntimeError, match="1 tenants"):
        _handler("housekeeping")({}, None)
    listed = cloud["s3"].list_objects_v2(Bucket="anchors")["Contents"]
    assert [item["Key"].rpartition("/")[2] for item in listed] == [f"{'b' * 20}.json"]


@pytest.mark.parametrize("name", ["onboarding", "people", "webhooks", "dispatcher", "router", "housekeeping"])
def test_entries_are_short(name: str):
    source = importlib.import_module(f"functions.{name}.app").__file__
    assert source is not None
    assert len(Path(source).read_text().splitlines()) <= 40
