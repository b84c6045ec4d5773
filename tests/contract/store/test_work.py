"""Units of work: decision, audit and messages together; contention; tampering in the table."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from lantern.domain.apps import AppDecision
from lantern.domain.audit import AuditEvent, AuditHead
from lantern.domain.errors import ConflictError, RevisionConflictError
from lantern.domain.work import Work
from lantern.store.documents import Delete
from lantern.store.records import pack
from lantern.store.tenant import TenantStore
from lantern.store.work import UnitOfWork
from tests.contract.store.factories import NOW, Organisation

APP = Organisation().apps[0].id


def work(store: TenantStore, kind: str = "score.app") -> Work:
    return Work(store.tenant_id, kind, body={"app": APP})


def event(number: int = 0) -> AuditEvent:
    return AuditEvent("key_1", "app.decided", APP, {"n": str(number)})


def test_everything_is_written_or_nothing(store: TenantStore) -> None:
    decision = AppDecision(APP, "approved", "key_1", NOW)
    unit = store.transact(NOW).put(store.apps.decision_op(decision)).audit(event()).outbox(work(store))
    unit.commit()

    late = store.transact(NOW).put(store.apps.decision_op(replace(decision, status="restricted")))
    with pytest.raises(RevisionConflictError):
        late.audit(event(1)).outbox(work(store)).commit()

    found = store.apps.decision(APP)
    assert found is not None
    assert found.status == "approved"
    assert store.audit.head().seq == 1
    due = list(store.outbox.due(NOW + timedelta(minutes=1)))
    assert due == [(unit.message_ids[0], work(store))]
    assert list(store.outbox.due(NOW)) == []
    assert store.outbox.get(unit.message_ids[0]) == work(store)
    store.outbox.delete(unit.message_ids[0])
    assert list(store.outbox.due(NOW + timedelta(minutes=1))) == []


def test_an_empty_unit_writes_nothing_and_a_deletion_is_part_of_one(store: TenantStore) -> None:
    store.transact(NOW).commit()
    assert store.audit.head() == AuditHead()

    decision = AppDecision(APP, "approved", "key_1", NOW)
    op = store.apps.decision_op(decision)
    store.transact(NOW).put(op).commit()
    store.transact(NOW).put(Delete(op.doc.key, expect_rev=1)).audit(event()).commit()
    assert store.apps.decision(APP) is None
    with pytest.raises(RevisionConflictError):
        store.transact(NOW).put(Delete(op.doc.key, expect_rev=1)).audit(event(1)).commit()


def test_a_writer_that_finds_the_chain_moved_on_chains_anew(store: TenantStore) -> None:
    real = store.audit.head
    moved = 0

    def stale() -> AuditHead:
        nonlocal moved
        head = real()
        if moved < 3:
            moved += 1
            UnitOfWork(
                store.documents,
                type(store.audit)(store.documents),
                store.outbox,
                NOW,
                random=bytes,
                sleep=lambda _: None,
            ).audit(event(moved)).commit()
        return head

    store.audit.head = stale  # type: ignore[method-assign] # others are faster three times
    store.transact(NOW).audit(event(99), event(100)).commit()
    store.audit.head = real  # type: ignore[method-assign] # back again

    assert [entry.detail["n"] for entry in store.audit.entries()] == ["1", "2", "3", "99", "100"]
    assert store.audit.verify() is None


def test_a_writer_that_never_gets_through_gives_up_and_writes_nothing(store: TenantStore) -> None:
    store.transact(NOW).audit(event()).commit()
    store.audit.head = AuditHead  # type: ignore[method-assign] # always stale
    decision = AppDecision(APP, "approved", "key_1", NOW)

    with pytest.raises(ConflictError, match="too many decisions"):
        store.transact(NOW).put(store.apps.decision_op(decision)).audit(event(1)).commit()
    assert store.apps.decision(APP) is None


def test_the_chain_reads_in_pages_both_ways(store: TenantStore) -> None:
    for number in range(5):
        store.transact(NOW).audit(event(number)).commit()

    first = store.audit.read(0, 2)
    second = store.audit.read(int(first.cursor or 0), 3)
    assert [entry.seq for entry in (*first.items, *second.items)] == [1, 2, 3, 4, 5]
    assert second.cursor is None
    newest = store.audit.latest(2)
    older = store.audit.latest(10, int(newest.cursor or 0))
    assert [entry.seq for entry in (*newest.items, *older.items)] == [5, 4, 3, 2, 1]


Tamper = Callable[[TenantStore], None]


def _delete(store: TenantStore) -> None:
    store.documents.delete(store.documents.keys.audit_entry(3))


def _edit(store: TenantStore) -> None:
    doc = store.documents.get(store.documents.keys.audit_entry(3))
    assert doc is not None
    store.documents.put(replace(doc, body=doc.body.replace(b"key_1", b"key_2")), None)


def _reorder(store: TenantStore) -> None:
    keys = store.documents.keys
    third, fourth = (store.documents.get(keys.audit_entry(seq)) for seq in (3, 4))
    assert third is not None
    assert fourth is not None
    store.documents.put(replace(third, body=fourth.body), None)
    store.documents.put(replace(fourth, body=third.body), None)


def _truncate(store: TenantStore) -> None:
    for seq in (3, 4, 5):
        store.documents.delete(store.documents.keys.audit_entry(seq))


def _truncate_with_head(store: TenantStore) -> None:
    _truncate(store)
    second = store.audit.read(1, 1).items[0]
    doc = store.documents.get(store.documents.keys.audit_head())
    assert doc is not None
    store.documents.put(replace(doc, body=pack(AuditHead(2, second.hash)), rev=2), None)


def _fork(store: TenantStore) -> None:
    _truncate_with_head(store)
    store.transact(NOW).audit(event(70), event(71), event(72)).commit()


@pytest.mark.parametrize("tamper", [_delete, _edit, _reorder, _truncate])
def test_the_verifier_names_the_first_bad_entry(store: TenantStore, tamper: Tamper) -> None:
    for number in range(5):
        store.transact(NOW).audit(event(number)).commit()
    assert store.audit.verify() is None

    tamper(store)

    assert store.audit.verify() == 3


@pytest.mark.parametrize("tamper", [_truncate_with_head, _fork])
def test_an_anchor_shows_what_the_table_alone_cannot(store: TenantStore, tamper: Tamper) -> None:
    for number in range(4):
        store.transact(NOW).audit(event(number)).commit()
    anchor = store.audit.head()
    store.transact(NOW).audit(event(4)).commit()

    tamper(store)

    assert store.audit.verify() is None
    assert store.audit.verify(anchor=anchor) in (3, 4)


@pytest.mark.engine
def test_parallel_decisions_all_end_up_in_one_chain(store: TenantStore, engine: str) -> None:
    assert engine == "local"
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(store.transact(NOW).audit(event(n)).commit) for n in range(8)]
        done = [job.exception() for job in jobs]

    written = [entry.detail["n"] for entry in store.audit.entries()]
    assert sorted(written) == sorted(str(n) for n, failed in enumerate(done) if failed is None)
    assert all(failed is None or isinstance(failed, ConflictError) for failed in done)
    assert store.audit.verify() is None
