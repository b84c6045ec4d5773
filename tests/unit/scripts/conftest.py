"""A deployment on moto, and a way to run the CLI on it."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from lantern.domain.findings import Finding
from lantern.store.session import TenantSession
from lantern.store.tenant import TenantStore
from scripts.admin_cli import deadletters
from scripts.admin_cli.app import app
from scripts.admin_cli.target import Backend
from scripts.admin_cli.verbs import Wiring

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
REGION = "eu-central-1"


class MotoBackend(Backend):
    """The tenant role is left out: moto does not evaluate it. The guard is on."""

    def tenant(self, tenant_id: str) -> TenantStore:
        session = TenantSession.open(tenant_id, self.outputs["TenantTable"], client("dynamodb"))
        return TenantStore(session, finding_type=Finding, sleep=lambda _: None)


def client(service: str) -> Any:
    return boto3.client(
        service, region_name=REGION, aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret"
    )


def make_table(name: str, *, index: bool) -> None:
    names = ["pk", "sk", *(["gsi1pk", "gsi1sk"] if index else [])]
    gsi = {
        "IndexName": "gsi1",
        "KeySchema": [
            {"AttributeName": "gsi1pk", "KeyType": "HASH"},
            {"AttributeName": "gsi1sk", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "ALL"},
    }
    client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in names],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        **({"GlobalSecondaryIndexes": [gsi]} if index else {}),
    )


def make_queues() -> dict[str, str]:
    sqs = client("sqs")
    urls = {
        name: sqs.create_queue(QueueName=name)["QueueUrl"]
        for name in ("HintsDeadLetters", "RunsDeadLetters", "StreamDeadLetters", "HintsQueue", "RunsQueue")
    }
    for name in ("Hints", "Runs"):
        dead = sqs.get_queue_attributes(QueueUrl=urls[f"{name}DeadLetters"], AttributeNames=["QueueArn"])
        policy = {"deadLetterTargetArn": dead["Attributes"]["QueueArn"], "maxReceiveCount": 6}
        sqs.set_queue_attributes(
            QueueUrl=urls[f"{name}Queue"], Attributes={"RedrivePolicy": json.dumps(policy)}
        )
    return urls


@pytest.fixture
def outputs() -> Iterator[dict[str, str]]:
    """A stack's outputs, with what they name."""
    with mock_aws():
        make_table("tenant", index=True)
        make_table("platform", index=False)
        yield {
            "TenantTable": "tenant",
            "PlatformTable": "platform",
            "TenantDataRole": "arn:aws:iam::123456789012:role/lantern-test-TenantDataRole-X",
            "OperatorRole": "arn:aws:iam::123456789012:role/lantern-test-OperatorRole-X",
            **make_queues(),
        }


@pytest.fixture
def backend(outputs: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Backend:
    monkeypatch.setattr(deadletters, "WAIT_S", 0)  # moto has one server
    return MotoBackend(
        stage="test",
        label="the test stage",
        outputs=outputs,
        client=client,
        operator="opr_0123456789abcdef",
        region=REGION,
    )


@dataclass
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


Admin = Callable[..., Ran]


@pytest.fixture
def admin(backend: Backend) -> Admin:
    """Runs the CLI."""
    seeded = random.Random(11)
    wiring = Wiring(connect=lambda _: backend, now=lambda: NOW, random=seeded.randbytes)

    def run(*arguments: str, stdin: str | None = None) -> Ran:
        # A wide terminal: what is asserted is what is said, not where lines break.
        result = CliRunner(env={"COLUMNS": "240"}).invoke(app, list(arguments), obj=wiring, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def tenant(admin: Admin) -> str:
    """The id of a fresh tenant."""
    return str(admin("tenant", "create", "Harbour Line", "--json").data["id"])
