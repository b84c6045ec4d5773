"""The two EventBridge schedules of a connection: changes every 15 minutes, everything every night.

Both put a work message on a queue by the universal target `sqs:sendMessage`; no function runs in
between. Creating and deleting are idempotent.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from botocore.exceptions import ClientError

from lantern.domain.work import Queue, Work
from lantern.services.queue import encode_work

TARGET: Final = "arn:aws:scheduler:::aws-sdk:sqs:sendMessage"
CHANGES_MINUTES: Final = 15
NIGHT_STARTS_MINUTE: Final = 22 * 60
"""Nights are UTC: 22:00 to 04:00. The provider's quota is per organisation, so no organisation needs
its own night; spreading is for our concurrency."""
NIGHT_MINUTES: Final = 6 * 60
NIGHT_SLACK_MINUTES: Final = 15
RETRY_SECONDS: Final = 3_600
RETRIES: Final = 10


class Scheduler(Protocol):
    """The EventBridge Scheduler calls used here, as botocore names them."""

    def create_schedule(self, **kwargs: Any) -> Any:
        """`scheduler:CreateSchedule`."""
        ...

    def update_schedule(self, **kwargs: Any) -> Any:
        """`scheduler:UpdateSchedule`."""
        ...

    def delete_schedule(self, **kwargs: Any) -> Any:
        """`scheduler:DeleteSchedule`."""
        ...


@dataclass(frozen=True, slots=True)
class ScheduleGroup:
    """Where schedules live and send: group name, the role they send with, queue URLs by name."""

    name: str
    role_arn: str
    queue_urls: dict[Queue, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """One schedule: its name in the group, when it fires, how late it may, and what it sends."""

    name: str
    expression: str
    slack_minutes: int
    work: Work


def _spread(connection_id: str, buckets: int) -> int:
    return int.from_bytes(hashlib.sha256(connection_id.encode()).digest()[:8], "big") % buckets


def plans(tenant_id: str, connection_id: str) -> tuple[Plan, ...]:
    """The schedules of a connection; the night's minute is spread by hash of the connection id.

    The 15-minute schedule is a cron expression, not a rate, so that replacing it never restarts its
    clock; its offset in the quarter of an hour is spread too.
    """
    minute = (NIGHT_STARTS_MINUTE + _spread(connection_id, NIGHT_MINUTES)) % (24 * 60)
    offset = _spread(f"changes:{connection_id}", CHANGES_MINUTES)
    return (
        Plan(
            f"{connection_id}-full",
            f"cron({minute % 60} {minute // 60} * * ? *)",
            NIGHT_SLACK_MINUTES,
            Work(tenant_id, "connection.full", connection_id, cause="schedule"),
        ),
        Plan(
            f"{connection_id}-changes",
            f"cron({offset}/{CHANGES_MINUTES} * * * ? *)",
            0,
            Work(tenant_id, "connection.changes", connection_id, cause="schedule"),
        ),
    )


def _parameters(group: ScheduleGroup, plan: Plan) -> dict[str, Any]:
    window = (
        {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": plan.slack_minutes}
        if plan.slack_minutes
        else {"Mode": "OFF"}
    )
    message = {
        "QueueUrl": group.queue_urls[plan.work.queue],
        "MessageBody": encode_work(plan.work),
        "MessageGroupId": plan.work.tenant_id,
    }
    return {
        "GroupName": group.name,
        "Name": plan.name,
        "ScheduleExpression": plan.expression,
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": window,
        "State": "ENABLED",
        "Target": {
            "Arn": TARGET,
            "RoleArn": group.role_arn,
            "Input": json.dumps(message, separators=(",", ":")),
            "RetryPolicy": {"MaximumEventAgeInSeconds": RETRY_SECONDS, "MaximumRetryAttempts": RETRIES},
        },
    }


def create(scheduler: Scheduler, group: ScheduleGroup, tenant_id: str, connection_id: str) -> None:
    """Make the schedules of a connection; those that exist are brought up to date.

    Raises:
        ClientError: EventBridge refused.
    """
    for plan in plans(tenant_id, connection_id):
        parameters = _parameters(group, plan)
        try:
            scheduler.create_schedule(**parameters)
        except ClientError as error:
            if _code(error) != "ConflictException":
                raise
            scheduler.update_schedule(**parameters)


def delete(scheduler: Scheduler, group_name: str, connection_id: str) -> None:
    """Remove the schedules of a connection; those that are gone are gone.

    Raises:
        ClientError: EventBridge refused.
    """
    for name in names(connection_id):
        try:
            scheduler.delete_schedule(GroupName=group_name, Name=name)
        except ClientError as error:
            if _code(error) != "ResourceNotFoundException":
                raise


def names(connection_id: str) -> Iterator[str]:
    """The names of a connection's schedules."""
    return (plan.name for plan in plans("", connection_id))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
