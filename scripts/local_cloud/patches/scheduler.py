"""Gaps of EventBridge Scheduler: no universal targets, a tick every 10 s, no time zones.

Schedules are looked at every second, `at()` and `cron()` are read in the schedule's time zone, and the
universal target `aws-sdk:sqs:sendMessage` is delivered if the schedule's role may send to that queue.
When a schedule fired last is kept in its record, so that a restart neither repeats nor forgets an
occurrence. Expressions that AWS refuses are refused.
"""

import copy
import json
import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ministack.core import iam_evaluator, responses
from ministack.services import eventbridge, scheduler, sqs

from scripts.local_cloud.patches.seam import install, private, wrap

log = logging.getLogger("local_cloud.scheduler")

_TICK_S = 1
_SEND_MESSAGE = ":aws-sdk:sqs:sendMessage"
_LAST_FIRED = "_LocalCloudLastFired"
_AT = re.compile(r"\s*at\((.+)\)\s*")


def apply() -> None:
    """Replace the tick and validate expressions on create and update."""
    install(scheduler, "_SCHEDULE_TICK_INTERVAL", _TICK_S)
    install(scheduler, "_tick_schedules", tick)
    wrap(scheduler, "_create_schedule", _validated)
    wrap(scheduler, "_update_schedule", _validated)


def _validated(original: Callable[..., Any]) -> Callable[..., Any]:
    def create_or_update(name: str, body: dict[str, Any]) -> Any:
        expression = body.get("ScheduleExpression")
        if expression and not is_valid(expression, body.get("ScheduleExpressionTimezone")):
            return private(scheduler, "_error")(
                400, "ValidationException", f"Invalid Schedule Expression {expression}."
            )
        return original(name, body)

    return create_or_update


def is_valid(expression: str, timezone: str | None) -> bool:
    """Tell whether AWS would accept the expression and the time zone."""
    try:
        zone = ZoneInfo(timezone or "UTC")
        return (
            _at_epoch(expression, zone) is not None
            or _rate_s(expression) is not None
            or private(eventbridge, "_parse_cron_fields")(expression) is not None
        )
    except (ZoneInfoNotFoundError, ValueError):
        return False


def tick() -> None:
    """Fire every schedule that is due, each in its own account and region."""
    now = time.time()
    schedules = private(private(scheduler, "_schedules"), "_data")
    account, region = responses.get_account_id(), responses.get_region()
    try:
        for key, schedule in list(schedules.items()):
            responses.set_request_account_id(key[0])
            responses.set_request_region(key[1])
            if _is_over(schedule, now):
                if schedule.get("ActionAfterCompletion") == "DELETE":
                    schedules.pop(key, None)
                continue
            due = due_time(schedule, now)
            if due is not None:
                schedule[_LAST_FIRED] = due
                _fire(key[0], key[1], schedule, due)
    finally:
        responses.set_request_account_id(account)
        responses.set_request_region(region)


def _is_over(schedule: dict[str, Any], now: float) -> bool:
    end = private(scheduler, "_to_epoch")(schedule.get("EndDate"))
    if end is not None and now > end:
        return True
    return bool(_AT.fullmatch(schedule.get("ScheduleExpression", ""))) and _LAST_FIRED in schedule


def due_time(schedule: dict[str, Any], now: float) -> float | None:
    """Return the occurrence that is due at `now` (epoch seconds); None if there is none."""
    start = private(scheduler, "_to_epoch")(schedule.get("StartDate"))
    if schedule.get("State") != "ENABLED" or (start is not None and now < start):
        return None
    expression = schedule.get("ScheduleExpression", "")
    zone = ZoneInfo(schedule.get("ScheduleExpressionTimezone") or "UTC")
    at = _at_epoch(expression, zone)
    if at is not None:
        return at if now >= at else None
    since = float(schedule.get(_LAST_FIRED) or max(start or 0, schedule["LastModificationDate"]))
    interval = _rate_s(expression)
    if interval is not None:
        return since + interval * ((now - since) // interval) if now - since >= interval else None
    return _cron_due(expression, zone, since, now)


def _cron_due(expression: str, zone: ZoneInfo, since: float, now: float) -> float | None:
    """Return the occurrence missed since `since`; the emulator's cron arithmetic walks in local time."""
    fields = private(eventbridge, "_parse_cron_fields")(expression)
    if fields is None:
        return None
    local = datetime.fromtimestamp(since, zone).replace(tzinfo=UTC)
    following = private(eventbridge, "_cron_next_fire")(fields, local)
    if following is None:
        return None
    occurrence = float(following.replace(tzinfo=zone).timestamp())
    return max(occurrence, now - now % 60) if now >= occurrence else None


def _at_epoch(expression: str, zone: ZoneInfo) -> float | None:
    match = _AT.fullmatch(expression)
    return datetime.fromisoformat(match[1].strip()).replace(tzinfo=zone).timestamp() if match else None


def _rate_s(expression: str) -> int | None:
    seconds = private(eventbridge, "_parse_rate_seconds")(expression)
    return None if seconds is None else int(seconds)


def _fire(account: str, region: str, schedule: dict[str, Any], due: float) -> None:
    target = copy.deepcopy(schedule.get("Target") or {})
    if target.get("Input"):
        target["Input"] = _with_context(target["Input"], schedule, due)
    try:
        if target.get("Arn", "").endswith(_SEND_MESSAGE):
            _send_message(account, region, schedule, target)
        else:
            event = {
                "EventId": responses.new_uuid(),
                "Source": "aws.scheduler",
                "DetailType": "Scheduled Event",
                "Detail": "{}",
                "Time": due,
                "Resources": [schedule.get("Arn", "")],
                "Account": account,
                "Region": region,
            }
            private(eventbridge, "_invoke_target")(target, event, schedule)
    except Exception:  # one broken schedule must not stop the others; the log is where a developer looks
        log.exception("schedule %s could not be delivered", schedule.get("Arn"))


def _with_context(text: str, schedule: dict[str, Any], due: float) -> str:
    """Fill in the context attributes that AWS offers to a schedule's input."""
    moment = datetime.fromtimestamp(due, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    attributes = {
        "<aws.scheduler.schedule-arn>": schedule.get("Arn", ""),
        "<aws.scheduler.scheduled-time>": moment,
        "<aws.scheduler.execution-id>": responses.new_uuid(),
        "<aws.scheduler.attempt-number>": "1",
    }
    for name, value in attributes.items():
        text = text.replace(name, value)
    return text


def _send_message(account: str, region: str, schedule: dict[str, Any], target: dict[str, Any]) -> None:
    request = json.loads(target["Input"])
    queue = request["QueueUrl"].rsplit("/", 1)[-1]
    queue_arn = f"arn:aws:sqs:{region}:{account}:{queue}"
    if not role_may(target.get("RoleArn", ""), "sqs:SendMessage", queue_arn, account, region):
        log.warning(
            "schedule %s: %s may not sqs:SendMessage to %s", schedule["Arn"], target["RoleArn"], queue
        )
        return
    private(sqs, "_act_send_message")(request, request["QueueUrl"])


def role_may(role_arn: str, action: str, resource: str, account: str, region: str) -> bool:
    """Tell whether a schedule's role allows an action: unpatched, MiniStack acts as root."""
    context = iam_evaluator.EvalContext(
        principal_arn=role_arn,
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=region,
    )
    policies = private(iam_evaluator, "_gather_role_policies")(role_arn.rsplit("/", 1)[-1], account)
    return bool(iam_evaluator.evaluate(context, policies).decision == "Allow")
