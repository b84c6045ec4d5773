"""Operators on the deployed template: through their role, as far as it reaches and no further."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from lantern.domain.work import Work
from lantern.services.queue import encode_work
from scripts.admin_cli.app import app
from scripts.admin_cli.target import Backend, enter
from scripts.admin_cli.verbs import Wiring
from tests.stack.deployment import Customer, Deployment, wait_for

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]

Admin = Callable[..., Any]


@pytest.fixture(scope="session")
def backend(deployment: Deployment) -> Backend:
    """The deployment as operators enter it."""
    env = deployment.cloud.env
    session = boto3.Session(
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        region_name=env["AWS_REGION"],
    )
    return enter(session, "local", "the local cloud", deployment.cloud.endpoint)


@pytest.fixture
def admin(backend: Backend) -> Admin:
    """Runs a command and returns its exit code and its JSON."""

    def run(*arguments: str) -> tuple[int, Any]:
        result = CliRunner().invoke(
            app, [*arguments, "--json"], obj=Wiring(connect=lambda _: backend), catch_exceptions=False
        )
        return result.exit_code, json.loads(result.stdout)

    return run


@pytest.fixture(scope="session")
def customer(deployment: Deployment) -> Customer:
    """A small customer whom only these tests disturb."""
    return deployment.customer(employees=10, seed=11, domain="operated.example").read()


def test_the_role_reaches_one_tenant_at_a_time(
    deployment: Deployment, backend: Backend, customer: Customer
) -> None:
    tenant, other = _tenant(customer), "0" * 20
    assert ":assumed-role/lantern-local-OperatorRole-" in backend.client("sts").get_caller_identity()["Arn"]
    key = {"pk": {"S": f"T#{tenant}#TENANT"}, "sk": {"S": "TENANT"}}
    with pytest.raises(ClientError, match="AccessDenied"):
        backend.client("dynamodb").get_item(TableName=deployment.outputs["TenantTable"], Key=key)
    with pytest.raises(ClientError, match="AccessDenied"):
        backend.client("dynamodb").scan(TableName=deployment.outputs["PlatformTable"])
    with pytest.raises(ClientError, match="AccessDenied"):
        backend.client("secretsmanager").get_secret_value(SecretId=deployment.outputs["GoogleOAuthSecret"])
    found = backend.tenant(tenant).tenants.get()
    assert found is not None
    assert found.id == tenant
    assert backend.tenant(other).tenants.get() is None


def test_a_key_of_an_operator_works_and_a_revoked_one_does_not(admin: Admin, customer: Customer) -> None:
    supporter = _with_new_key(admin, customer, "read")
    assert supporter.tenant_id == _tenant(customer)
    assert supporter.send("GET", "/v1/keys").status_code == 403, "it only reads"
    # Revoked before its first use: API Gateway keeps an answer for a minute.
    revoked = _with_new_key(admin, customer, "read")
    _, listed = admin("key", "list", _tenant(customer))
    newest = next(row["id"] for row in listed["data"] if row["id"].removeprefix("key_") in revoked.key)
    assert admin("key", "revoke", _tenant(customer), newest)[0] == 0
    assert revoked.send("GET", "/v1/tenant").status_code == 401


def test_operators_publish_and_whoever_looks_sees_it(
    admin: Admin, customer: Customer, backend: Backend, tmp_path: Path
) -> None:
    name = f"Harbour {uuid.uuid4().hex[:8]}"
    file = tmp_path / "update.yaml"
    file.write_text(
        f"note: Seen this week\nentries:\n  harbour: {{name: {name}, category: ai_agent, kind: ai}}\n"
    )
    code, told = admin("catalog", "publish", str(file))
    assert (code, told["published"]) == (0, True)
    assert admin("catalog", "overlay", "list")[1]["version"] == told["version"]
    # Nobody has asked this function's environment before, or it shows within five minutes.
    answer = customer.send("GET", f"/v1/catalog/products?name={name.replace(' ', '%20')}")
    assert answer.status_code == 200, answer.text
    version = str(told["version"])
    backend.queue.send(Work(_tenant(customer), "score.catalog", body={"operators": version}))
    wait_for(lambda: _applied(backend, customer) == told["version"], "the tenant follows the operators")
    assert admin("catalog", "overlay", "retract", "harbour", "--note", "over")[0] == 0


def _applied(backend: Backend, customer: Customer) -> int | None:
    applied = backend.tenant(_tenant(customer)).catalog.applied()
    return applied.operators if applied else None


def _with_new_key(admin: Admin, customer: Customer, *scopes: str) -> Customer:
    """The customer with a key that API Gateway has not seen yet."""
    chosen = [word for scope in scopes for word in ("--scope", scope)]
    tenant = _tenant(customer)
    code, issued = admin("key", "issue", tenant, "--name", "support", *chosen)
    assert code == 0
    return Customer(
        customer.deployment, issued["key"], customer.customer_id, customer.admin, customer.connection_id
    )


def test_a_suspended_tenant_stands_still_and_resuming_reads_it_anew(
    admin: Admin, deployment: Deployment, customer: Customer
) -> None:
    tenant, runs = _tenant(customer), deployment.outputs["RunsQueue"]
    assert admin("tenant", "suspend", tenant)[0] == 0
    try:
        refused = _with_new_key(admin, customer, "read").send("GET", "/v1/tenant")
        assert (refused.status_code, refused.json()["code"]) == (403, "tenant_suspended")
        wait_for(lambda: _is_empty(deployment, runs), "earlier work to be done")
        _, before = admin("sync", "status", tenant)
        body = encode_work(Work(tenant, "connection.full", customer.connection_id, cause="too late"))
        deployment.aws("sqs").send_message(QueueUrl=runs, MessageBody=body, MessageGroupId=tenant)
        wait_for(lambda: _is_empty(deployment, runs), "the message to be acknowledged")
        _, after = admin("sync", "status", tenant)
        assert after == {**before, "tenant_status": "suspended"}, "nothing was read"
        assert admin("sync", "run", tenant)[0] == 1
    finally:
        assert admin("tenant", "resume", tenant)[0] == 0
    again = _with_new_key(admin, customer, "read")
    wait_for(
        lambda: [r for r in again.runs() if r["cause"] == "resume" and r["state"] == "complete"],
        "the reading after resuming",
    )


def _tenant(customer: Customer) -> str:
    """The tenant's id, asked without a key: a suspended tenant's keys tell nothing."""
    organisation = customer.customer_id
    for item in customer.deployment.items():
        if item["pk"]["S"] == f"ORG#google#{organisation}":
            return str(item["tenant_id"]["S"])
    raise AssertionError(f"nobody has {organisation}")


def _is_empty(deployment: Deployment, url: str) -> bool:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = deployment.aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return all(int(found[name]) == 0 for name in names)


def test_dead_letters_are_listed_explained_and_replayed(
    admin: Admin, deployment: Deployment, customer: Customer
) -> None:
    tenant, connection = _tenant(customer), customer.connection_id
    cause = f"dead-{uuid.uuid4().hex[:8]}"
    body = encode_work(Work(tenant, "connection.full", connection, cause=cause))
    deployment.aws("sqs").send_message(QueueUrl=deployment.outputs["RunsDeadLetters"], MessageBody=body)

    _, listed = admin("queue", "list")
    (row,) = [row for row in listed["data"] if row["queue"] == "runs"]
    assert row["dead_letters"] >= 1
    assert row["oldest_dead_letter_at"]
    for _ in range(2):
        _, peeked = admin("queue", "peek", "runs", "--limit", "100")
        (letter,) = [letter for letter in peeked["data"] if letter["cause"] == cause]
        assert (letter["kind"], letter["tenant_id"], letter["attempts"]) == ("connection.full", tenant, 6)
    code, replayed = admin("queue", "replay", "runs", "--id", letter["id"])
    assert (code, replayed["replayed"], replayed["kept"]) == (0, [letter["id"]], [])
    wait_for(lambda: [run for run in customer.runs() if run["cause"] == cause], "the replayed run")


def test_the_audit_log_is_verified_in_place_and_from_an_export(
    admin: Admin, customer: Customer, tmp_path: Any
) -> None:
    code, verdict = admin("audit", "verify", _tenant(customer))
    assert (code, verdict["sound"], verdict["end_checked"]) == (0, True, True)
    entries = customer.every("/v1/audit")
    export = tmp_path / "export.jsonl"
    export.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    head = f"{entries[-1]['seq']}:{entries[-1]['hash']}"
    code, verdict = admin("audit", "verify", "--file", str(export), "--head", head)
    assert (code, verdict["sound"], verdict["entries"]) == (0, True, len(entries))
    entries[1]["actor"] = "somebody else"
    export.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    code, verdict = admin("audit", "verify", "--file", str(export))
    assert (code, verdict["first_bad_seq"]) == (1, entries[1]["seq"])
