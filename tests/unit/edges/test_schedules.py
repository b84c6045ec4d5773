"""A connection's two schedules."""

import json
from collections import Counter

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lantern.domain.work import Work
from lantern.services import schedules
from lantern.services.queue import parse_work

TENANT = "a" * 20
GROUP = schedules.ScheduleGroup(
    "lantern-test",
    "arn:aws:iam::123456789012:role/send",
    {"runs": "https://sqs/runs", "hints": "https://sqs/hints"},
)


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("scheduler", region_name="eu-central-1")
        client.create_schedule_group(Name=GROUP.name)
        yield client


def test_creating_twice_makes_two_schedules_that_send_the_work(scheduler):
    for _ in range(2):
        schedules.create(scheduler, GROUP, TENANT, "con_1")
    listed = scheduler.list_schedules(GroupName=GROUP.name)["Schedules"]
    assert {item["Name"] for item in listed} == {"con_1-full", "con_1-changes"}
    sent = {}
    for item in listed:
        found = scheduler.get_schedule(GroupName=GROUP.name, Name=item["Name"])
        assert found["Target"]["Arn"] == "arn:aws:scheduler:::aws-sdk:sqs:sendMessage"
        assert found["Target"]["RoleArn"] == GROUP.role_arn
        assert found["ScheduleExpressionTimezone"] == "UTC"
        message = json.loads(found["Target"]["Input"])
        assert message["MessageGroupId"] == TENANT
        assert message["QueueUrl"] == "https://sqs/runs"
        work = parse_work(message["MessageBody"])
        sent[work.kind] = work, found["FlexibleTimeWindow"]
    assert sent["connection.full"] == (
        Work(TENANT, "connection.full", "con_1", cause="schedule"),
        {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
    )
    assert sent["connection.changes"] == (
        Work(TENANT, "connection.changes", "con_1", cause="schedule"),
        {"Mode": "OFF"},
    )


def test_deleting_is_idempotent(scheduler):
    schedules.create(scheduler, GROUP, TENANT, "con_1")
    schedules.create(scheduler, GROUP, TENANT, "con_2")
    for _ in range(2):
        schedules.delete(scheduler, GROUP.name, "con_1")
    left = scheduler.list_schedules(GroupName=GROUP.name)["Schedules"]
    assert {item["Name"] for item in left} == {"con_2-full", "con_2-changes"}


class _Refusing:
    def create_schedule(self, **_: object) -> None:
        raise ClientError({"Error": {"Code": "ValidationException"}}, "Schedule")

    update_schedule = delete_schedule = create_schedule


def test_other_refusals_are_not_swallowed():
    with pytest.raises(ClientError, match="ValidationException"):
        schedules.create(_Refusing(), GROUP, TENANT, "con_1")
    with pytest.raises(ClientError, match="ValidationException"):
        schedules.delete(_Refusing(), GROUP.name, "con_1")


def test_nights_are_spread_over_the_window_and_stay_put():
    minutes = Counter()
    for number in range(3_600):
        full, changes = schedules.plans(TENANT, f"con_{number}")
        assert full == schedules.plans(TENANT, f"con_{number}")[0]
        minute, hour = full.expression.removeprefix("cron(").split()[:2]
        minutes[int(hour) * 60 + int(minute)] += 1
        assert 0 <= int(changes.expression.removeprefix("cron(").partition("/")[0]) < 15
    inside = {(22 * 60 + offset) % 1440 for offset in range(360)}
    assert set(minutes) <= inside
    assert len(minutes) > 350
    assert max(minutes.values()) < 30


def test_names_fit_eventbridge():
    # Names: at most 64 characters of [0-9a-zA-Z-_.].
    assert all(len(name) <= 64 for name in schedules.names("con_" + "v" * 16))
