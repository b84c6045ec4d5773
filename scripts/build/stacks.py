"""CloudFormation, as a deployment needs it: one change set, waited for, with failures said in words."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.literals import CapabilityType
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef, StackEventTypeDef, StackTypeDef

_CAPABILITIES: "tuple[CapabilityType, ...]" = (
    "CAPABILITY_IAM",
    "CAPABILITY_NAMED_IAM",
    "CAPABILITY_AUTO_EXPAND",
)
_NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed", "no changes")
_ABORTED = ("cancelled", "Cancelled")


class DeploymentError(RuntimeError):
    """A stack could not be brought to its template; the message lists the resources that failed and why."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The outcome: whether anything changed, the stack's outputs, and the parameters it has now."""

    stack: str
    changed: bool
    outputs: dict[str, str]
    parameters: dict[str, str]


def apply_template(
    client: "CloudFormationClient",
    *,
    stack: str,
    template_url: str,
    declared: frozenset[str],
    parameters: Mapping[str, str],
    report: Callable[[str], None],
    poll_s: float,
) -> Deployment:
    """Create or update a stack through a change set.

    Args:
        client: CloudFormation.
        stack: the stack's name.
        template_url: where the template was uploaded.
        declared: the names of the template's parameters.
        parameters: values for some of them; the others keep their previous value or take their default.
        report: told about every resource that changes.
        poll_s: seconds between two looks at the stack.

    Raises:
        DeploymentError: the change set or a resource failed.
    """
    current = _removable_leftover(client, stack, _describe(client, stack), poll_s)
    change_set = client.create_change_set(
        StackName=stack,
        ChangeSetName=f"deploy-{time.time_ns()}",
        ChangeSetType="CREATE"
        if current is None or current["StackStatus"] == "REVIEW_IN_PROGRESS"
        else "UPDATE",
        TemplateURL=template_url,
        Capabilities=_CAPABILITIES,
        Parameters=list(_parameters(current, declared, parameters)),
    )["Id"]
    if not _wait_for_change_set(client, change_set, poll_s):
        client.delete_change_set(ChangeSetName=change_set)
        return _deployment(_require(client, stack), changed=False)
    seen = {event["EventId"] for event in _events(client, stack)}
    client.execute_change_set(ChangeSetName=change_set)
    final = _wait_for_stack(client, stack, seen, report, poll_s)
    return _deployment(final, changed=True)


def _parameters(
    current: "StackTypeDef | None", declared: frozenset[str], given: Mapping[str, str]
) -> "Iterator[ParameterTypeDef]":
    unknown = sorted(set(given) - declared)
    if unknown:
        raise DeploymentError(f"the template has no parameter {', '.join(unknown)}")
    known = current.get("Parameters", []) if current else []
    previous = {item["ParameterKey"] for item in known}
    for name in sorted(declared):
        if name in given:
            yield {"ParameterKey": name, "ParameterValue": given[name]}
        elif name in previous:
            yield {"ParameterKey": name, "UsePreviousValue": True}


def _describe(client: "CloudFormationClient", stack: str) -> "StackTypeDef | None":
    try:
        return client.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def _require(client: "CloudFormationClient", stack: str) -> "StackTypeDef":
    found = _describe(client, stack)
    if found is None:
        raise DeploymentError(f"stack {stack} is gone")
    return found


def _removable_leftover(
    client: "CloudFormationClient", stack: str, current: "StackTypeDef | None", poll_s: float
) -> "StackTypeDef | None":
    """Remove what a failed creation left: such a stack holds nothing and cannot be updated."""
    if current is None or current["StackStatus"] not in {
        "ROLLBACK_COMPLETE",
        "ROLLBACK_FAILED",
        "CREATE_FAILED",
    }:
        return None if current is not None and current["StackStatus"] == "DELETE_COMPLETE" else current
    client.delete_stack(StackName=stack)
    while (left := _describe(client, stack)) and left["StackStatus"] != "DELETE_COMPLETE":
        if left["StackStatus"] == "DELETE_FAILED":
            raise DeploymentError(f"stack {stack} is the rest of a failed creation and cannot be deleted")
        time.sleep(poll_s)
    return None


def _wait_for_change_set(client: "CloudFormationClient", change_set: str, poll_s: float) -> bool:
    """Wait for a change set; False if it holds no change."""
    while True:
        found = client.describe_change_set(ChangeSetName=change_set)
        if found["Status"] == "CREATE_COMPLETE":
            return True
        if found["Status"] == "FAILED":
            reason = found.get("StatusReason", "")
            if any(text in reason for text in _NOTHING_TO_DO):
                return False
            raise DeploymentError(f"the template was refused: {reason}")
        time.sleep(poll_s)


def _wait_for_stack(
    client: "CloudFormationClient", stack: str, seen: set[str], report: Callable[[str], None], poll_s: float
) -> "StackTypeDef":
    failed: list[str] = []
    while True:
        current = _require(client, stack)
        for event in reversed(_events(client, stack)):
            if event["EventId"] not in seen:
                seen.add(event["EventId"])
                _tell(event, report, failed)
        status = current["StackStatus"]
        if not status.endswith("_IN_PROGRESS"):
            break
        time.sleep(poll_s)
    if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        reasons = "\n".join(failed) or current.get("StackStatusReason", "no reason given")
        raise DeploymentError(f"stack {stack} ended as {status}:\n{reasons}")
    return current


def _tell(event: "StackEventTypeDef", report: Callable[[str], None], failed: list[str]) -> None:
    status = event.get("ResourceStatus", "")
    name = event.get("LogicalResourceId", "")
    reason = event.get("ResourceStatusReason", "")
    if status.endswith("_FAILED") and not any(word in reason for word in _ABORTED):
        failed.append(f"  {name} ({event.get('ResourceType', '')}): {reason}")
    if status.endswith(("_COMPLETE", "_FAILED")):
        report(f"{name} {status.lower().replace('_', ' ')}")


def _events(client: "CloudFormationClient", stack: str) -> "list[StackEventTypeDef]":
    pages = client.get_paginator("describe_stack_events").paginate(StackName=stack)
    return [event for page in pages for event in page["StackEvents"]]


def _deployment(stack: "StackTypeDef", *, changed: bool) -> Deployment:
    outputs = {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}
    parameters = {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])}
    return Deployment(stack["StackName"], changed=changed, outputs=outputs, parameters=parameters)
