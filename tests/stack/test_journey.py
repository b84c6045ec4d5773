"""The main job through public surfaces: consent, discovery, finding, revoke, verified; push; schedule."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.stack.conftest import RISKY
from tests.stack.deployment import Customer, Deployment, wait_for

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]


def test_consent_shows_every_grant_of_everybody(deployment: Deployment, acme: Customer):
    first = acme.runs()[-1]
    assert (first["kind"], first["state"], first["cause"]) == ("full", "complete", "consent")
    truth = deployment.google.control.truth(acme.customer_id)
    # One more than people: the organisation itself, whose bundle holds what may act as anyone.
    assert first["coverage"]["read"] == first["coverage"]["listed"] == len(truth) + 1

    stored = {}
    for principal in acme.every(f"/v1/principals?connection_id={acme.connection_id}"):
        path = f"/v1/principals/{principal['id']}/grants?connection_id={acme.connection_id}"
        stored[principal["email"]] = len(acme.every(path))
    # What other tests did meanwhile is in the truth before it is in the API: only untouched people count.
    touched = {change["user_id"] for change in deployment.google.control.changes(0, acme.customer_id)}
    untouched = {
        row["email"]: len(row["grants"]) if row["state"] != "deleted" else 0
        for uid, row in truth.items()
        if uid not in touched
    }
    assert len(untouched) > 20
    assert {email: stored[email] for email in untouched} == untouched


def test_one_grant_is_found_revoked_and_verified(deployment: Deployment, acme: Customer):
    app = acme.app("Humata")
    assert (app["verdict"], app["holders"]) == ("ai", 2)
    risk = acme.get(f"/v1/apps/{app['id']}/risk")
    assert risk["score"] == app["risk"]
    assert risk["factors"]
    finding = acme.finding("ai-app-sensitive-scope", "Humata")
    wait_for(lambda: _open(acme, finding) == 2, "both grants in the finding", 20)

    grant = acme.grants(app["id"])[0]
    path = f"/v1/grants/{grant['id']}"
    job = acme.do("POST", f"{path}/revoke", {"reason": "not sanctioned"}, If_Match=acme.etag(path))
    done = acme.job(job["id"], "done")
    assert done["counts"]["verified"] == 1
    (action,) = acme.every(f"/v1/jobs/{job['id']}/actions")
    assert (action["target_id"], action["state"]) == (grant["id"], "verified")

    person = acme.get(f"/v1/principals/{grant['principal_id']}")["email"]
    held = {g["name"] for g in deployment.google.control.grants_of(person) if "name" in g}
    assert "Humata" not in held
    left = wait_for(lambda: len(acme.grants(app["id"])) == 1 and acme.grants(app["id"]), "one holder left")
    assert left[0]["principal_id"] != grant["principal_id"]
    wait_for(lambda: _open(acme, finding) == 1, "the finding follows")
    assert acme.get("/v1/audit/verify")["sound"] is True
    actions = [entry["action"] for entry in acme.every("/v1/audit") if entry["subject"] == job["id"]]
    assert {"job.requested", "job.finished"} <= set(actions)


def _open(customer: Customer, finding: dict[str, Any]) -> int:
    """How many grants a finding still concerns."""
    affected = customer.get(f"/v1/findings/{finding['id']}")["affected"]
    return len([grant for grant in affected if grant["state"] == "open"])


def test_a_bulk_revocation_waits_for_a_second_key(deployment: Deployment, acme: Customer):
    app = acme.app("ChatPDF")
    dry = acme.do("POST", "/v1/grants/revoke", {"app_id": app["id"], "dry_run": True})
    assert (dry["plan"]["targets"], dry["plan"]["refused_by"]) == (3, None)
    assert acme.send("GET", f"/v1/jobs/{dry['id']}").status_code == 404

    job = acme.do("POST", "/v1/grants/revoke", {"app_id": app["id"], "reason": "quarterly review"})
    assert job["state"] == "awaiting_approval"
    path = f"/v1/jobs/{job['id']}"
    own = acme.send("POST", f"{path}/approve", If_Match=acme.etag(path))
    assert (own.status_code, own.json()["code"]) == (403, "forbidden"), own.text
    reader = acme.colleague("read").send("POST", f"{path}/approve", If_Match=acme.etag(path))
    assert reader.status_code == 403
    assert len(acme.grants(app["id"])) == 3, "nothing happens before somebody else agrees"

    acme.colleague("read", "remediate").do("POST", f"{path}/approve", If_Match=acme.etag(path))
    assert acme.job(job["id"], "done")["counts"]["verified"] == 3
    truth = deployment.google.control.truth(acme.customer_id)
    client = next(
        a.client_id for a in deployment.google.world.org(acme.customer_id).app_list if a.name == "ChatPDF"
    )
    assert not [row for row in truth.values() if client in row["grants"]]


def test_a_consent_is_pushed_and_found_within_seconds(deployment: Deployment, acme: Customer):
    control = deployment.google.control
    wait_for(
        lambda: (
            _channels(deployment, acme)
            == {"token authorize", "token revoke", "admin", "directory.users update"}
        ),
        "push channels",
    )
    client = control.add_app("SciSpace", ["openid", RISKY], acme.customer_id)
    person = next(r for r in control.truth(acme.customer_id).values() if r["state"] == "active")["email"]
    control.grant(person, client_id=client)
    # Nothing but a push message brings it so soon: the next poll is minutes away.
    acme.finding("unsanctioned-ai-app", "SciSpace", 30)
    assert acme.app("SciSpace")["holders"] == 1


def _channels(deployment: Deployment, customer: Customer) -> set[str]:
    """The events that Google pushes about a customer."""
    opened = deployment.google.control.channels()
    mine = (channel for channel in opened if channel["customer_id"] == customer.customer_id)
    return {f"{channel['application']} {channel['event_name'] or ''}".strip() for channel in mine}


def test_a_schedule_fires_a_run(deployment: Deployment, acme: Customer):
    scheduler, group = deployment.aws("scheduler"), deployment.outputs["ScheduleGroup"]
    mine = {f"{acme.connection_id}-full", f"{acme.connection_id}-changes"}
    assert mine <= deployment.schedules()
    made = scheduler.get_schedule(GroupName=group, Name=f"{acme.connection_id}-changes")
    assert made["ScheduleExpression"].endswith("/15 * * * ? *)")
    # The changes after the first run are read without a schedule; they are over when this has a value.
    before = wait_for(lambda: acme.connection["last_changes_at"], "the first changes")
    scheduler.create_schedule(
        Name=f"test-{uuid.uuid4().hex}",
        GroupName=group,
        ScheduleExpression=f"at({datetime.now(UTC).strftime('%Y-%m-%dT%H:%M:%S')})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={key: made["Target"][key] for key in ("Arn", "RoleArn", "Input")},
        ActionAfterCompletion="DELETE",
    )

    wait_for(lambda: acme.connection["last_changes_at"] > before, "the changes")


def test_poison_is_given_up_repaired_and_replayed(deployment: Deployment, acme: Customer):
    sqs, runs = deployment.aws("sqs"), deployment.outputs["RunsQueue"]
    cause = f"operator-{uuid.uuid4().hex[:8]}"
    work = {"tenant_id": acme.tenant_id, "kind": "connection.full", "connection_id": acme.connection_id}
    poison = json.dumps({**work, "kind": "connection.unheard-of", "cause": cause})
    sqs.send_message(QueueUrl=runs, MessageBody=poison, MessageGroupId=acme.tenant_id)

    def dead():
        received = sqs.receive_message(QueueUrl=deployment.outputs["RunsDeadLetters"], WaitTimeSeconds=1)
        return [m for m in received.get("Messages", []) if m["Body"] == poison]

    (message,) = wait_for(dead, "the dead letter")
    repaired = json.dumps({**json.loads(message["Body"]), "kind": "connection.full"})
    sqs.send_message(QueueUrl=runs, MessageBody=repaired, MessageGroupId=acme.tenant_id)
    sqs.delete_message(QueueUrl=deployment.outputs["RunsDeadLetters"], ReceiptHandle=message["ReceiptHandle"])
    wait_for(
        lambda: [r for r in acme.runs() if r["cause"] == cause and r["state"] == "complete"],
        "the replayed run",
    )
