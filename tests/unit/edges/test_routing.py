"""Stream records → messages."""

import base64
import json
import logging
import zlib
from typing import Any

import pytest

from lantern.domain.errors import InvalidInputError
from lantern.domain.work import Work
from lantern.services import routing
from lantern.services.queue import encode_work
from lantern.store.records import pack

TENANT, OTHER = "a" * 20, "b" * 20


def _record(pk: str, sk: str, image: dict[str, object] | None, name: str = "INSERT", number: int = 1):
    keys = {"pk": {"S": pk}, "sk": {"S": sk}}
    change: dict[str, object] = {"Keys": keys, "SequenceNumber": str(number)}
    if image is not None:
        change["NewImage"] = {**keys, **image}
    return {"eventName": name, "dynamodb": change}


def _outbox(work: Work, *, pk: str | None = None, body: bytes | None = None, number: int = 1):
    raw = pack(work) if body is None else body
    image = {"kind": {"S": "outbox"}, "body": {"B": base64.b64encode(raw).decode()}}
    return _record(pk or f"T#{work.tenant_id}#OUTBOX", f"out_{number}", image, number=number)


def _bundle(cause: str, sk: str = "pri_1", name: str = "MODIFY", number: int = 1):
    image = {"kind": {"S": "bundle"}, "cause": {"S": cause}}
    return _record(f"T#{TENANT}#C#con_1#P", sk, image, name, number)


class _Table:
    def __init__(self, fail: bool = False) -> None:
        self.deleted: list[dict[str, object]] = []
        self.fail = fail

    def delete_item(self, **kwargs: object) -> None:
        if self.fail:
            raise RuntimeError("no answer")
        self.deleted.append(kwargs)


@pytest.mark.parametrize("filler", ["", "x" * 3_000])
def test_a_new_outbox_item_is_the_message_it_holds(filler: str):
    work = Work(TENANT, "job.run", "con_1", {"job": "job_1", "note": filler[:1_900]}, hop=2, cause="act")
    assert routing.route(_outbox(work)) == work


def test_compressed_bodies_are_read():
    work = Work(TENANT, "score.app", None, {"app": "app_1"})
    assert routing.route(_outbox(work, body=zlib.compress(encode_work(work).encode(), 9))) == work


def test_a_message_in_anothers_outbox_is_refused():
    with pytest.raises(InvalidInputError):
        routing.route(_outbox(Work(OTHER, "score.run", "con_1"), pk=f"T#{TENANT}#OUTBOX"))


@pytest.mark.parametrize("cause", ["hint", "act"])
@pytest.mark.parametrize("name", ["INSERT", "MODIFY"])
def test_a_bundle_changed_by_hint_or_act_is_scored(cause: str, name: str):
    assert routing.route(_bundle(cause, name=name)) == Work(
        TENANT, "score.bundle", "con_1", {"principal": "pri_1"}, cause=cause
    )


def test_the_apps_that_changed_are_named():
    """One that was taken away is in no bundle any more when scoring looks."""
    record = _bundle("act")
    record["dynamodb"]["NewImage"] |= {"kind": {"S": "bundle_cut"}, "apps": {"S": "app_1,app_2"}}
    work = routing.route(record)
    assert work is not None
    assert work.body == {"principal": "pri_1", "apps": "app_1,app_2"}


@pytest.mark.parametrize(
    "record",
    [
        _bundle("run"),
        _bundle("hint", sk="pri_1~00000002~001"),
        _record(f"T#{TENANT}#OUTBOX", "out_1", None, "REMOVE"),
        _record(f"T#{TENANT}#TENANT", "TENANT", {"kind": {"S": "tenant"}}),
        _record("T#short#C#con_1#P", "pri_1", {"kind": {"S": "bundle"}, "cause": {"S": "hint"}}),
        _record(f"T#{TENANT}#C#con_1#F#00", "x", {"kind": {"S": "bundle"}, "cause": {"S": "hint"}}),
        _record(f"T#{TENANT}#X", "x", {}),
    ],
)
def test_everything_else_is_no_message(record):
    assert routing.route(record) is None


def test_a_batch_sends_in_order_and_forgets_outbox_items_only():
    works = [Work(TENANT, "job.run", None, {"job": f"job_{n}"}) for n in range(3)]
    sent: list[Work] = []
    table = _Table()
    records = [_outbox(works[0], number=1), _bundle("hint", number=2), _outbox(works[2], number=3)]
    assert routing.handle({"Records": records}, sent.append, table, "tenants") == {"batchItemFailures": []}
    assert [work.kind for work in sent] == ["job.run", "score.bundle", "job.run"]
    assert [item["Key"]["sk"]["S"] for item in table.deleted] == ["out_1", "out_3"]  # type: ignore[index]
    assert {item["Key"]["pk"]["S"] for item in table.deleted} == {f"T#{TENANT}#OUTBOX"}  # type: ignore[index]


def test_work_stops_at_the_first_failure_and_resumes_there(caplog: pytest.LogCaptureFixture):
    sent: list[Work] = []

    def send(work: Work) -> None:
        if work.body["job"] == "job_1":
            raise RuntimeError("canary")
        sent.append(work)

    records = [_outbox(Work(TENANT, "job.run", None, {"job": f"job_{n}"}), number=n) for n in range(3)]
    table = _Table()
    with caplog.at_level(logging.INFO):
        answer = routing.handle({"Records": records}, send, table, "tenants")
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert [work.body["job"] for work in sent] == ["job_0"]
    assert len(table.deleted) == 1
    assert "canary" not in caplog.text


def test_a_message_is_not_forgotten_before_it_was_sent():
    table = _Table(fail=True)
    sent: list[Work] = []
    answer = routing.handle(
        {"Records": [_outbox(Work(TENANT, "score.run", "con_1"))]}, sent.append, table, "t"
    )
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert len(sent) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"\x78junk", json.dumps({"kind": "x"}).encode()])
def test_a_poisoned_record_is_reported_not_raised(body: bytes):
    record = _outbox(Work(TENANT, "score.run", "con_1"), body=body, number=7)
    answer = routing.handle({"Records": [record]}, lambda _: None, _Table(), "t")
    assert answer == {"batchItemFailures": [{"itemIdentifier": "7"}]}


def _dropped(*keys: str) -> dict[str, Any]:
    return {"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": key}}} for key in keys]}


def test_a_file_that_has_come_is_read_for_the_tenant_in_its_key() -> None:
    sent: list[Work] = []
    event = _dropped("abcdefghij0123456789/imp_0abc", "abcdefghij0123456789%2Fimp_1abc")
    assert routing.is_drop(event)
    assert not routing.is_drop({"Records": [{"eventSource": "aws:dynamodb"}]})
    assert routing.announce(event, sent.append) == 2
    assert [(one.tenant_id, one.kind, one.body) for one in sent] == [
        ("abcdefghij0123456789", "import.read", {"import_id": "imp_0abc"}),
        ("abcdefghij0123456789", "import.read", {"import_id": "imp_1abc"}),
    ]


def test_what_is_no_upload_is_passed_over() -> None:
    sent: list[Work] = []
    keys = (
        "imp_1", "ABC/imp_1", "abcdefghij0123456789/../imp_1", "abcdefghij0123456789/job_1",
        "abcdefghij0123456789/imp_1/x", "x/abcdefghij0123456789/imp_1", "abcdefghij0123456789/imp_1%0a",
    )  # fmt: skip
    assert routing.announce(_dropped(*keys), sent.append) == 0
    assert not sent


def test_an_event_whose_message_cannot_be_sent_is_repeated() -> None:
    def broken(_work: Work) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        routing.announce(_dropped("abcdefghij0123456789/imp_0abc"), broken)
