"""`queue` and `sync`: dead letters are explained and put back, and none is lost."""

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from lantern.domain.tenancy import Coverage, Run, RunCounts
from lantern.domain.work import Work
from lantern.services.queue import encode_work, parse_work
from scripts.admin_cli.target import Backend
from tests.unit.scripts.conftest import NOW, Admin
from tests.unit.scripts.test_admin_tenants import connection


def bury(backend: Backend, queue: str, body: str) -> None:
    backend.sqs.send_message(QueueUrl=backend.outputs[f"{queue}DeadLetters"], MessageBody=body)


def waiting(backend: Backend, output: str) -> list[str]:
    """The bodies on a queue; takes them."""
    bodies: list[str] = []
    url = backend.outputs[output]
    while batch := backend.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in batch:
            bodies.append(message["Body"])
            backend.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


def work(tenant: str, number: int = 0) -> Work:
    return Work(tenant, "connection.full", f"con_{number}", cause="schedule", hop=number)


def test_list_counts_and_ages(admin: Admin, backend: Backend, tenant: str) -> None:
    bury(backend, "Runs", encode_work(work(tenant)))
    backend.queue.send(work(tenant))
    rows = {row["queue"]: row for row in admin("queue", "list", "--json").data["data"]}
    assert rows["runs"]["dead_letters"] == 1
    assert rows["runs"]["waiting"] == 1
    assert rows["runs"]["oldest_dead_letter_at"] is not None
    assert rows["hints"]["dead_letters"] == 0
    assert rows["stream"]["waiting"] is None
    assert "queue peek" in admin("queue", "list").err


def test_peek_explains_and_consumes_nothing(admin: Admin, backend: Backend, tenant: str) -> None:
    store = backend.tenant(tenant)
    store.connections.put(connection("con_0"))
    store.runs.put(
        Run(
            "run_1",
            "con_0",
            "full",
            "failed",
            "schedule",
            NOW,
            NOW,
            Coverage(),
            RunCounts(),
            error="No quota",
        )
    )
    bury(backend, "Runs", encode_work(work(tenant)))
    for _ in range(3):
        (row,) = admin("queue", "peek", "runs", "--json").data["data"]
        assert (row["kind"], row["tenant_id"], row["attempts"]) == ("connection.full", tenant, 6)
        assert row["why"] == "run run_1: No quota"
    said = admin("queue", "peek", "runs")
    assert "No quota" in said.out
    assert waiting(backend, "RunsDeadLetters") == [encode_work(work(tenant))]


def test_peek_tells_poison_from_work(admin: Admin, backend: Backend) -> None:
    bury(backend, "Hints", '{"tenant_id": "x"}')
    (row,) = admin("queue", "peek", "hints", "--json").data["data"]
    assert row["kind"] is None
    assert "missing required field" in row["why"]


def test_replay_puts_every_message_back(admin: Admin, backend: Backend, tenant: str) -> None:
    for number in range(25):
        bury(backend, "Runs", encode_work(work(tenant, number)))
    ran = admin("queue", "replay", "runs", "--all", "--json")
    assert ran.code == 0
    assert len(ran.data["replayed"]) == 25
    back = [parse_work(body) for body in waiting(backend, "RunsQueue")]
    assert sorted(one.hop for one in back) == list(range(25))
    assert waiting(backend, "RunsDeadLetters") == []


def test_replay_of_one_leaves_the_others(admin: Admin, backend: Backend, tenant: str) -> None:
    for number in range(3):
        bury(backend, "Runs", encode_work(work(tenant, number)))
    chosen = admin("queue", "peek", "runs", "--json").data["data"][1]
    admin("queue", "replay", "runs", "--id", chosen["id"])
    assert [parse_work(body).hop for body in waiting(backend, "RunsQueue")] == [chosen["hop"]]
    assert len(waiting(backend, "RunsDeadLetters")) == 2


def test_replay_keeps_what_would_only_be_lost_or_come_back(
    admin: Admin, backend: Backend, tenant: str
) -> None:
    bury(backend, "Runs", encode_work(work(tenant)))
    bury(backend, "Runs", "poison")
    bury(backend, "Runs", encode_work(work("a" * 20)))
    admin("tenant", "suspend", tenant)
    ran = admin("queue", "replay", "runs", "--all", "--json")
    assert ran.code == 1
    assert ran.data["replayed"] == []
    reasons = " ".join(kept["reason"] for kept in ran.data["kept"])
    assert "Resume the tenant first" in reasons
    assert "no work message" in reasons
    assert "does not exist" in reasons
    assert len(waiting(backend, "RunsDeadLetters")) == 3
    assert waiting(backend, "RunsQueue") == []


def test_a_message_is_never_nowhere(
    admin: Admin, backend: Backend, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bury(backend, "Runs", encode_work(work(tenant)))

    def fail(**_: object) -> None:
        raise ClientError({"Error": {"Code": "InternalError"}}, "SendMessage")

    with monkeypatch.context() as patched:
        patched.setattr(backend.sqs, "send_message", fail)
        assert admin("queue", "replay", "runs", "--all").code == 3
    assert len(admin("queue", "peek", "runs", "--json").data["data"]) == 1, "visible again at once"
    with monkeypatch.context() as patched:
        patched.setattr(backend.sqs, "delete_message", fail)
        assert admin("queue", "replay", "runs", "--all").code == 3
    assert len(waiting(backend, "RunsQueue")) == len(waiting(backend, "RunsDeadLetters")) == 1


def test_replay_needs_to_know_which(admin: Admin, backend: Backend, tenant: str) -> None:
    bury(backend, "Runs", encode_work(work(tenant)))
    assert "--id or --all" in admin("queue", "replay", "runs").err
    assert admin("queue", "replay", "letters", "--all").code == 2
    assert "no dead letter nope on runs" in admin("queue", "replay", "runs", "--id", "nope").err
    assert "cannot be put back" in admin("queue", "replay", "stream", "--all").err
    assert len(waiting(backend, "RunsDeadLetters")) == 1


def test_sync_run_enqueues_a_full_reading_of_what_can_be_read(
    admin: Admin, backend: Backend, tenant: str
) -> None:
    assert admin("sync", "run", tenant).code == 1
    store = backend.tenant(tenant)
    store.connections.put(connection("con_0"))
    store.connections.put(connection("con_1", "disconnected"))
    assert admin("sync", "run", tenant, "--json").data == {"enqueued": ["con_0"], "left_out": ["con_1"]}
    (sent,) = [parse_work(body) for body in waiting(backend, "RunsQueue")]
    assert (sent.kind, sent.connection_id, sent.cause) == ("connection.full", "con_0", backend.operator)
    assert "no connection con_9" in admin("sync", "run", tenant, "con_9").err
    admin("tenant", "suspend", tenant)
    assert "tenant resume" in admin("sync", "run", tenant).err


def test_sync_status_says_what_was_not_read(admin: Admin, backend: Backend, tenant: str) -> None:
    store = backend.tenant(tenant)
    store.connections.put(connection("con_0"))
    coverage = Coverage(listed=10, read=9, unread=("pri_1",), reasons={"forbidden": 1})
    store.runs.put(
        Run(
            "run_1", "con_0", "full", "partial", "schedule", NOW - timedelta(hours=5),
            NOW - timedelta(hours=4), coverage, RunCounts(principals=10, grants=70),
        )
    )  # fmt: skip
    (row,) = admin("sync", "status", tenant, "--json").data["data"]
    assert row["runs"][0]["reasons"] == {"forbidden": 1}
    said = admin("sync", "status", tenant, "con_0").out
    assert "9/10, 1 unread" in said
    assert "5 h ago" in said
