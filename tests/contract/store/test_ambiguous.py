"""Writes whose reply was lost: tried again they meet themselves, and nothing is done twice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from lantern.domain.apps import AppDecision
from lantern.domain.audit import AuditEvent
from lantern.domain.errors import RevisionConflictError, StorageError
from lantern.domain.work import Work
from lantern.store.tenant import TenantStore
from tests.contract.store.factories import CID, NOW, Organisation

APP = Organisation().apps[0].id


@contextmanager
def lost_replies(store: TenantStore, operation: str, count: int = 1) -> Iterator[list[str]]:
    """The next `count` calls of an operation reach the table, but their answers do not come back."""
    lost: list[str] = []

    def lose(model: Any, **_: Any) -> None:
        if model.name == operation and len(lost) < count:
            lost.append(model.name)
            raise ReadTimeoutError(endpoint_url="table")

    events = store.documents._connection.connection.client.meta.events
    events.register_first("after-call.dynamodb", lose)
    try:
        yield lost
    finally:
        events.unregister("after-call.dynamodb", lose)


def test_a_bundle_whose_reply_was_lost_is_recognised_as_own(store: TenantStore) -> None:
    bundle = Organisation().bundle(1)
    with lost_replies(store, "PutItem") as lost, pytest.raises(StorageError):
        store.bundles.put(bundle)
    assert lost == ["PutItem"]

    stored = store.bundles.put(bundle)

    assert stored == replace(bundle, rev=1)
    assert store.bundles.get(CID, bundle.principal.id) == stored
    updated = replace(stored, cause="hint", delta=())
    with lost_replies(store, "PutItem"), pytest.raises(StorageError):
        store.bundles.put(updated)
    assert store.bundles.put(updated).rev == 2


def test_another_writer_in_between_is_a_conflict_all_the_same(store: TenantStore) -> None:
    bundle = store.bundles.put(Organisation().bundle(1))
    mine = replace(bundle, cause="hint", grants=())
    with lost_replies(store, "PutItem"), pytest.raises(StorageError):
        store.bundles.put(mine)
    store.bundles.put(replace(mine, rev=2, cause="act", grants=bundle.grants))

    with pytest.raises(RevisionConflictError):
        store.bundles.put(mine)


@pytest.mark.parametrize("changed", ["cause", "delta", "changed_at", "grants"])
def test_a_write_that_differs_in_anything_is_a_conflict(store: TenantStore, changed: str) -> None:
    bundle = Organisation().bundle(1)
    store.bundles.put(bundle)
    other: dict[str, Any] = {"cause": "act", "delta": (), "changed_at": None, "grants": ()}

    with pytest.raises(RevisionConflictError):
        store.bundles.put(replace(bundle, **{changed: other[changed]}))


def decide(store: TenantStore, status: Any = "approved") -> Callable[[], None]:
    decision = AppDecision(APP, status, "key_1", NOW)
    unit = (
        store.transact(NOW)
        .put(store.apps.decision_op(decision))
        .audit(AuditEvent("key_1", "app.decided", APP, {"status": status}))
        .outbox(Work(store.tenant_id, "score.app", body={"app": APP}))
    )
    return unit.commit


def test_a_transaction_whose_reply_was_lost_is_done_once(store: TenantStore) -> None:
    commit = decide(store)
    with lost_replies(store, "TransactWriteItems") as lost, pytest.raises(StorageError):
        commit()
    assert lost == ["TransactWriteItems"]

    commit()

    assert [entry.action for entry in store.audit.entries()] == ["app.decided"]
    assert store.audit.verify() is None
    decision = store.apps.decision(APP)
    assert decision is not None
    assert decision.rev == 1
    assert len(list(store.outbox.due(NOW.replace(year=2027)))) == 1


def test_a_lost_transaction_is_done_once_even_when_the_chain_has_gone_on(store: TenantStore) -> None:
    commit = decide(store)
    with lost_replies(store, "TransactWriteItems"), pytest.raises(StorageError):
        commit()
    store.transact(NOW).audit(AuditEvent("key_2", "key.made", "key_3")).commit()

    commit()

    assert [entry.action for entry in store.audit.entries()] == ["app.decided", "key.made"]
    assert store.audit.verify() is None


def test_a_transaction_that_never_arrived_is_done_when_tried_again(store: TenantStore) -> None:
    commit = decide(store)
    events = store.documents._connection.connection.client.meta.events
    failed: list[str] = []

    def fail(model: Any, **_: Any) -> None:
        if model.name == "TransactWriteItems" and not failed:
            failed.append(model.name)
            raise ReadTimeoutError(endpoint_url="table")

    events.register_first("before-call.dynamodb", fail)
    with pytest.raises(StorageError):
        commit()
    assert store.apps.decision(APP) is None

    commit()

    assert store.audit.head().seq == 1
    assert store.apps.decision(APP) is not None


def test_a_lost_footprint_history_and_use_write_is_recognised(store: TenantStore) -> None:
    bundle = Organisation().bundle(1, 2)
    pid, app_id = bundle.principal.id, bundle.delta[0].app_id
    with lost_replies(store, "PutItem"), pytest.raises(StorageError):
        store.footprints.add(CID, 0, 1, pid, [app_id])
    assert store.footprints.add(CID, 0, 1, pid, [app_id]) == 0
    assert store.footprints.holders(CID, app_id) == (pid,)


def test_a_lease_whose_reply_was_lost_is_held_until_it_expires(store: TenantStore) -> None:
    with lost_replies(store, "PutItem"), pytest.raises(StorageError):
        store.leases.acquire(CID, "full", "worker-1", 60, NOW)
    held = store.leases._read(CID, "full")
    assert held is not None
    assert (held.lease.owner, held.lease.fence) == ("worker-1", 1)
