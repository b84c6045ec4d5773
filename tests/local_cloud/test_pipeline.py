"""The shapes of the product's pipeline on the patched local cloud, and what survives a restart."""

import json
import uuid
from datetime import UTC, datetime

import pytest

from scripts.local_cloud import cloud as local_cloud
from tests.local_cloud.pipeline import Pipeline, wait_for

pytestmark = pytest.mark.stack


def test_schedule_to_queue_to_dispatcher_to_isolated_worker(patched):
    key = uuid.uuid4().hex
    body = json.dumps({"tenant": "acme", "id": key})
    message = json.dumps({"QueueUrl": patched.outputs["Runs"], "MessageBody": body, "MessageGroupId": "acme"})
    patched.schedule(
        key, when=f"at({datetime.now(UTC).strftime('%Y-%m-%dT%H:%M:%S')})", target={"Input": message}
    )
    assert wait_for(lambda: patched.log_item(key), "the worker's trace")["tenant"] == {"S": "acme"}


def test_poison_ends_in_the_dead_letter_queue(patched):
    poison = json.dumps({"tenant": "acme", "poison": True})
    sqs = patched.aws("sqs")
    sqs.send_message(QueueUrl=patched.outputs["Runs"], MessageBody=poison)

    def dead():
        found = sqs.receive_message(QueueUrl=patched.outputs["RunsDlq"], WaitTimeSeconds=1)
        return found.get("Messages")

    assert wait_for(dead, "the dead letter", seconds=30)[0]["Body"] == poison


def test_stream_to_router_to_queue(patched):
    table, key = patched.outputs["Table"], uuid.uuid4().hex
    for kind in ("note", "event"):
        item = {"pk": {"S": "T#acme#P"}, "sk": {"S": f"{kind}-{key}"}, "kind": {"S": kind}}
        patched.aws("dynamodb").put_item(TableName=table, Item=item)
    assert f"note-{key}" not in patched.await_inbox(f"event-{key}")


def test_an_unchanged_template_changes_nothing(patched):
    patched.deploy(Greeting="no key")
    assert patched.deploy(Greeting="no key").changed is False
    assert patched.deploy().changed is False, "a parameter that is not given keeps its value"


def test_state_survives_a_restart(tmp_path):
    pipeline = Pipeline(local_cloud.start(tmp_path))
    try:
        pipeline.deploy()
        secret = pipeline.aws("secretsmanager").get_secret_value(SecretId=pipeline.outputs["SecretRef"])
        item = {"pk": {"S": "kept"}, "kind": {"S": "é"}}
        pipeline.aws("dynamodb").put_item(TableName=pipeline.outputs["LogTable"], Item=item)
        for number in range(3):
            event = {"pk": {"S": "T#acme#P"}, "sk": {"S": f"before-{number}"}, "kind": {"S": "event"}}
            pipeline.aws("dynamodb").put_item(TableName=pipeline.outputs["Table"], Item=event)
        pipeline.await_inbox("before-2")
        later = {"ScheduleExpressionTimezone": "Pacific/Auckland"}
        pipeline.schedule("later", when="cron(30 2 * * ? *)", **later)
        assert local_cloud.start(tmp_path) == pipeline.cloud, "starting a running cloud returns it"

        assert local_cloud.stop(tmp_path) is True
        assert local_cloud.status(tmp_path) is None
        assert local_cloud.stop(tmp_path) is False
        restarted = local_cloud.start(tmp_path)
        assert restarted.endpoint == pipeline.cloud.endpoint

        pipeline = Pipeline(restarted, pipeline.outputs)
        assert pipeline.log_item("kept") == item
        again = pipeline.aws("secretsmanager").get_secret_value(SecretId=pipeline.outputs["SecretRef"])
        assert again["SecretString"] == secret["SecretString"]
        assert pipeline.get("/v1/apps", {"Authorization": "Bearer acme"})[1]["tenant"] == "acme"
        assert pipeline.get("/v1/apps")[1]["code"] == "unauthorized"
        assert pipeline.invoke("Worker", {}, TenantId="acme")["tenant"] == "acme"
        kept = pipeline.aws("scheduler").get_schedule(Name="later", GroupName=pipeline.outputs["Group"])
        assert kept["ScheduleExpression"] == "cron(30 2 * * ? *)"
        body = json.dumps({"tenant": "acme", "id": "after"})
        pipeline.aws("sqs").send_message(QueueUrl=pipeline.outputs["Runs"], MessageBody=body)
        assert wait_for(lambda: pipeline.log_item("after"), "the queue's mapping")["tenant"] == {"S": "acme"}
        item = {"pk": {"S": "T#acme#P"}, "sk": {"S": "restarted"}, "kind": {"S": "event"}}
        pipeline.aws("dynamodb").put_item(TableName=pipeline.outputs["Table"], Item=item)
        assert pipeline.await_inbox("restarted") == ["restarted"], "what was read is not read again"
        assert pipeline.deploy().changed is False
        assert pipeline.deploy(Greeting="changed").changed is True
    finally:
        local_cloud.reset(tmp_path)
    assert not tmp_path.exists()
