"""The fixture stack, deployed on a local cloud, and the few verbs that tests use on it."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3

from scripts.build.deploy import deploy, local_clients
from scripts.build.stacks import Deployment
from scripts.build.targets import HOST
from scripts.local_cloud import cloud as local_cloud

TEMPLATE = Path(__file__).parent / "fixtures" / "pipeline" / "template.yaml"
STACK = "pipe"
T = TypeVar("T")


@dataclass
class Pipeline:
    cloud: local_cloud.LocalCloud
    outputs: dict[str, str] = field(default_factory=dict)

    def deploy(self, **parameters: str) -> Deployment:
        deployment = deploy(
            local_clients(self.cloud),
            HOST,
            template=TEMPLATE,
            stack=STACK,
            parameters={"Stage": "local", **parameters},
            report=lambda _step: None,
        )
        self.outputs = deployment.outputs
        return deployment

    def aws(self, service: str) -> Any:
        env = self.cloud.env
        return boto3.client(
            service,
            endpoint_url=env["AWS_ENDPOINT_URL"],
            region_name=env["AWS_REGION"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        )

    def invoke(self, output: str, event: dict[str, Any], **options: str) -> Any:
        answer = self.aws("lambda").invoke(
            FunctionName=self.outputs[output], Payload=json.dumps(event).encode(), **options
        )
        return json.loads(answer["Payload"].read())

    def probe(self, *calls: list[Any], role: str | None = None, **tags: str) -> list[str]:
        """Make AWS calls from inside a function, as a tenant's session if a role is named."""
        event: dict[str, Any] = {"calls": list(calls), "tags": tags}
        if role:
            event["role"] = self.outputs[role]
        return self.invoke("Probe", event)

    def get(self, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> tuple[int, Any]:
        url = self.cloud.rest_api_url(self.outputs["ApiId"], "local") + path
        request = urllib.request.Request(url, headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read())

    def schedule(self, name: str, *, when: str, role: str = "SchedulerRole", **options: Any) -> None:
        """Create a schedule that sends its own name to the inbox, by the universal target by default."""
        message = json.dumps(
            {"QueueUrl": self.outputs["Inbox"], "MessageBody": name, "MessageGroupId": "acme"}
        )
        target = {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "Input": message}
        self.aws("scheduler").create_schedule(
            Name=name,
            GroupName=self.outputs["Group"],
            ScheduleExpression=when,
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={**target, "RoleArn": self.outputs[role], **options.pop("target", {})},
            **options,
        )

    def inbox(self) -> list[str]:
        """Take what is in the inbox; waits up to a second for the first message."""
        sqs, url = self.aws("sqs"), self.outputs["Inbox"]
        taken = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get(
            "Messages", []
        )
        for message in taken:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in taken]

    def await_inbox(self, wanted: str, seconds: float = 20) -> list[str]:
        """Collect messages until `wanted` has come."""
        seen: list[str] = []
        deadline = time.monotonic() + seconds
        while wanted not in seen:
            assert time.monotonic() < deadline, f"{wanted} did not arrive, only {seen}; see {self.cloud.log}"
            seen += self.inbox()
        return seen

    def log_item(self, key: str) -> dict[str, Any] | None:
        found = self.aws("dynamodb").get_item(TableName=self.outputs["LogTable"], Key={"pk": {"S": key}})
        return found.get("Item")


def wait_for(look: Callable[[], T | None], what: str, seconds: float = 20) -> T:
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"{what}: nothing after {seconds} s"
        time.sleep(0.1)
    return found
