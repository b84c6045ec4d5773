"""The simple aggregates: tenants, connections, secrets, leases, runs, apps, findings, jobs, access."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lantern.domain import ids
from lantern.domain.access import ApiKeyInfo, ConsentLink, DelegationChange, DelegationRecord, StoredChannel
from lantern.domain.apps import AppDecision, AppSummary
from lantern.domain.errors import (
    ConflictError,
    LeaseLostError,
    NotFoundError,
    RevisionConflictError,
)
from lantern.domain.inventory import App
from lantern.domain.jobs import ActionRecord, Job, PlanSummary, Selector, cancel, request_approval
from lantern.domain.tenancy import Connection, Coverage, Run, RunCounts, Tenant
from lantern.store.apps import PARTS, summary_part
from lantern.store.tenant import TenantStore
from tests.contract.store.factories import CID, NOW, Organisation, StoredFinding

CONNECTION = Connection(
    CID, "google", "C01", "Example", "active", frozenset({"a", "b"}), frozenset(), NOW, shards=4
)
RUN = Run("run_1", CID, "full", "running", "schedule", NOW)


def test_a_tenant_is_written_on_its_revision(store: TenantStore) -> None:
    assert store.tenants.get() is None
    first = store.tenants.put(Tenant(store.tenant_id, "Example", "active", NOW))

    assert (first.rev, store.tenants.get()) == (1, first)
    second = store.tenants.put(replace(first, status="suspended"))
    with pytest.raises(RevisionConflictError):
        store.tenants.put(replace(first, name="Other"))
    assert store.tenants.get() == second


def test_connections_are_listed_and_read_back_whole(store: TenantStore) -> None:
    one = store.connections.put(CONNECTION)
    other = store.connections.put(
        replace(CONNECTION, id="con_2", attention="consent", remedy="Connect again.")
    )

    assert store.connections.list() == (one, other)
    assert store.connections.get(CID) == one
    assert store.connections.get("con_3") is None
    with pytest.raises(NotFoundError):
        store.connections.get(f"{CID}#P")


def test_secrets_are_kept_apart_and_forgotten(store: TenantStore) -> None:
    store.secrets.put(CID, b"\x00ciphertext", NOW)
    store.secrets.put(CID, b"\x01newer", NOW)

    assert store.secrets.get(CID) == b"\x01newer"
    assert store.secrets.get("con_2") is None
    store.secrets.delete(CID)
    store.secrets.delete(CID)
    assert store.secrets.get(CID) is None


def test_cursors_are_per_stream(store: TenantStore) -> None:
    store.cursors.put(CID, "token", "c1", NOW)
    store.cursors.put(CID, "admin", "c2", NOW)
    store.cursors.put(CID, "token", "c3", NOW)

    assert store.cursors.get(CID, "token") == "c3"
    store.cursors.delete(CID, "token")
    assert (store.cursors.get(CID, "token"), store.cursors.get(CID, "admin")) == (None, "c2")


def test_a_lease_has_one_holder_and_a_growing_fence(store: TenantStore) -> None:
    first = store.leases.acquire(CID, "full", "w1", 60, NOW)
    with pytest.raises(LeaseLostError):
        store.leases.acquire(CID, "full", "w2", 60, NOW + timedelta(seconds=59))
    renewed = store.leases.renew(CID, "full", first, 60, NOW + timedelta(seconds=50))
    with pytest.raises(LeaseLostError):
        store.leases.acquire(CID, "full", "w2", 60, NOW + timedelta(seconds=61))

    second = store.leases.acquire(CID, "full", "w2", 60, NOW + timedelta(seconds=110))

    assert (first.fence, renewed.fence, second.fence) == (1, 1, 2)
    with pytest.raises(LeaseLostError):
        store.leases.renew(CID, "full", renewed, 60, NOW + timedelta(seconds=111))
    store.leases.release(CID, "full", renewed)
    with pytest.raises(LeaseLostError):
        store.leases.acquire(CID, "full", "w3", 60, NOW + timedelta(seconds=120))
    store.leases.release(CID, "full", second)
    assert store.leases.acquire(CID, "full", "w3", 60, NOW + timedelta(seconds=120)).fence == 3
    assert store.leases.acquire(CID, "changes", "w1", 60, NOW).fence == 1


def test_a_message_delivered_again_takes_its_lease_over(store: TenantStore) -> None:
    slow = store.leases.acquire(CID, "full", "message-1", 60, NOW)
    again = store.leases.acquire(CID, "full", "message-1", 60, NOW + timedelta(seconds=5))
    assert again.fence == slow.fence + 1
    with pytest.raises(LeaseLostError):
        store.leases.renew(CID, "full", slow, 60, NOW + timedelta(seconds=6))


def test_of_two_workers_that_see_a_free_lease_one_gets_it(store: TenantStore) -> None:
    real = store.leases._read

    def slow(cid: str, chain: str) -> object:
        held = real(cid, chain)
        store.leases._read = real  # type: ignore[method-assign] # once
        store.leases.acquire(cid, chain, "faster", 60, NOW)
        return held

    store.leases._read = slow  # type: ignore[method-assign,assignment] # another worker in between
    with pytest.raises(LeaseLostError):
        store.leases.acquire(CID, "full", "slower", 60, NOW)


def test_channels_and_delegations_are_listed(store: TenantStore) -> None:
    channel = StoredChannel("ch_1", "r1", "grants", "authorize", NOW, "hash")
    store.channels.put(CID, channel)
    store.cursors.put(CID, "token", "c", NOW)
    assert store.channels.list(CID) == (channel,)
    store.channels.delete(CID, "ch_1")
    assert store.channels.list(CID) == ()

    change = DelegationChange(NOW, frozenset({"s"}), removed=False, by=None)
    record = DelegationRecord("1234", frozenset({"s"}), removed=False, changed_at=NOW, history=(change,))
    stored = store.delegations.put(CID, record)
    assert store.delegations.list(CID) == (stored,)
    assert store.delegations.get(CID, "1234") == stored


def test_runs_are_listed_newest_first_in_pages(store: TenantStore) -> None:
    coverage = Coverage(3, 2, ("pri_x",), {"forbidden": 1})
    runs = [
        store.runs.put(replace(RUN, id=ids.time_id("run", NOW + timedelta(days=n), bytes), coverage=coverage))
        for n in range(5)
    ]

    first = store.runs.list(CID, 2, None)
    second = store.runs.list(CID, 2, first.cursor)
    third = store.runs.list(CID, 2, second.cursor)

    assert (*first.items, *second.items, *third.items) == tuple(reversed(runs))
    assert third.cursor is None
    done = store.runs.put(replace(runs[0], state="complete", counts=RunCounts(principals=3)))
    assert store.runs.get(CID, done.id) == done


# --- apps -------------------------------------------------------------------------------------------


def test_facts_are_written_when_new_or_changed_and_keep_their_first_day(store: TenantStore) -> None:
    app = Organisation().apps[0]
    assert store.apps.put_facts(app)
    assert not store.apps.put_facts(app)
    assert not store.apps.put_facts(replace(app, first_seen=NOW + timedelta(days=3)))
    assert store.apps.put_facts(replace(app, name="Renamed", first_seen=NOW + timedelta(days=3)))

    assert store.apps.get_facts(app.id) == replace(app, name="Renamed")
    assert store.apps.batch_facts([app.id, Organisation().apps[1].id]) == {
        app.id: replace(app, name="Renamed")
    }


def test_a_view_is_facts_risk_and_decision_in_one_query(store: TenantStore) -> None:
    apps = Organisation().apps[:3]
    store.apps.put_all_facts(apps)
    risk = {"score": 71, "reasons": ["reads mail"]}
    assert store.apps.put_risk(apps[0].id, "f1", risk)
    assert not store.apps.put_risk(apps[0].id, "f1", {"score": 0})
    assert store.apps.put_risk(apps[0].id, "f2", risk)
    decision = AppDecision(apps[0].id, "restricted", "key_1", NOW, "no mail")
    store.transact(NOW).put(store.apps.decision_op(decision)).commit()

    view = store.apps.view(apps[0].id)

    assert view.facts == apps[0]
    assert view.risk is not None
    assert (view.risk.fingerprint, view.risk.body, view.risk.rev) == ("f2", risk, 2)
    assert view.decision == replace(decision, rev=1)
    assert view.decision == store.apps.decision(apps[0].id)
    assert list(store.apps.all_facts()) == sorted(apps, key=lambda app: app.id)
    empty = store.apps.view(ids.app_id("google", "nobody"))
    assert (empty.facts, empty.risk, empty.decision) == (None, None, None)


def test_the_apps_list_is_written_by_parts_and_read_at_once(store: TenantStore) -> None:
    rows = [
        AppSummary(app.id, "google", app.name, "oauth", "unknown", confidence=40, holders=n, first_seen=NOW)
        for n, app in enumerate(Organisation().apps[:60])
    ]
    for number in range(PARTS):
        mine = [row for row in rows if summary_part(row.app_id) == number]
        assert store.apps.put_summary_part(number, mine)
        assert not store.apps.put_summary_part(number, list(reversed(mine)))

    assert sorted(store.apps.summary(), key=lambda r: r.holders) == rows
    number = summary_part(rows[0].app_id)
    assert rows[0] in store.apps.summary_parts([number])[number]
    with pytest.raises(ValueError, match="another part"):
        store.apps.put_summary_part((number + 1) % PARTS, rows[:1])


def test_scope_sets_are_written_once_and_collisions_noticed(
    store: TenantStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = Organisation().scope_sets
    assert store.apps.put_scope_sets(sets) == len(sets)
    assert store.apps.put_scope_sets(sets) == 0
    assert TenantStore(store.documents.session).apps.put_scope_sets(sets) == 0
    assert store.apps.scope_sets([*sets, "ss_0000000000"]) == sets

    with pytest.raises(ValueError, match="not the id of its scopes"):
        store.apps.put_scope_sets({next(iter(sets)): frozenset({"other"})})
    monkeypatch.setattr(ids, "scope_set_id", lambda _: next(iter(sets)))
    with pytest.raises(ConflictError):
        store.apps.put_scope_sets({next(iter(sets)): frozenset({"other"})})


# --- findings and jobs ------------------------------------------------------------------------------


def finding(number: int, severity: str = "high", status: str = "open", rule: str = "stale") -> StoredFinding:
    return StoredFinding(f"fnd_{number}", rule, status, severity, NOW + timedelta(minutes=number))


def test_findings_come_worst_and_latest_first_by_status(store: TenantStore) -> None:
    made = [
        finding(1, "low"),
        finding(2, "critical"),
        finding(3, "high"),
        finding(4, "high"),
        finding(5, "high", "resolved"),
        finding(6, "medium", rule="leaver"),
    ]
    stored = {f.id: store.findings.put(f) for f in made}

    first = store.findings.page("open", 2)
    rest = store.findings.page("open", 10, first.cursor)
    assert [f.id for f in (*first.items, *rest.items)] == ["fnd_2", "fnd_4", "fnd_3", "fnd_6", "fnd_1"]
    assert [f.id for f in store.findings.open_by_rule("leaver")] == ["fnd_6"]
    assert len(store.findings.page(None, 10).items) == 6

    store.findings.put(replace(stored["fnd_2"], status="resolved"))
    assert [f.id for f in store.findings.page("resolved", 10).items] == ["fnd_2", "fnd_5"]
    assert "fnd_2" not in [f.id for f in store.findings.with_status("open")]
    assert set(store.findings.batch_get(["fnd_1", "fnd_9"])) == {"fnd_1"}
    with pytest.raises(RevisionConflictError):
        store.findings.put(replace(stored["fnd_2"], status="snoozed"))


def test_jobs_are_newest_first_and_leave_the_worklist_when_closed(store: TenantStore) -> None:
    jobs = [
        store.jobs.put(
            Job(
                ids.time_id("job", NOW + timedelta(minutes=n), bytes),
                "revoke_grants",
                "planned",
                "key_1",
                NOW,
                Selector(app_id="app_1"),
            )
        )
        for n in range(3)
    ]
    waiting = store.jobs.put(request_approval(jobs[1], PlanSummary(2, 2, 1)))
    closed = store.jobs.put(cancel(jobs[0], "key_1", NOW))

    assert store.jobs.page(10).items == (jobs[2], waiting, closed)
    assert store.jobs.page(10, only_open=True).items == (jobs[2], waiting)
    first = store.jobs.page(1, only_open=True)
    assert store.jobs.page(1, first.cursor, only_open=True).items == (waiting,)
    assert store.jobs.get(waiting.id) == waiting


def test_there_is_one_action_per_target(store: TenantStore) -> None:
    actions = [ActionRecord("job_1", f"gr_{n:016d}.x", "planned", NOW) for n in range(30)]
    store.jobs.plan_actions(actions)

    planned = list(store.jobs.actions("job_1"))
    assert planned == [replace(action, rev=1) for action in actions]
    applied = store.jobs.put_action(replace(planned[0], state="applied"))
    with pytest.raises(RevisionConflictError):
        store.jobs.put_action(replace(planned[0], state="failed"))
    assert store.jobs.action("job_1", actions[0].target_id) == applied
    assert len(store.jobs.actions_page("job_1", 7).items) == 7


# --- access -----------------------------------------------------------------------------------------


def test_key_metadata_is_listed(store: TenantStore) -> None:
    info = ApiKeyInfo("key_1", "CI", frozenset({"read", "write"}), NOW, "key_0", "a1b2")
    stored = store.keys.put(info)
    revoked = store.keys.put(replace(stored, revoked_at=NOW))

    assert store.keys.list() == (revoked,)
    assert store.keys.get("key_1") == revoked


def test_a_link_is_used_once_and_not_after_it_expired(store: TenantStore) -> None:
    link = ConsentLink("lnk_1", "google", "key_1", NOW, NOW + timedelta(hours=1))
    store.links.put(link)
    store.links.put(replace(link, id="lnk_2"))

    assert store.links.consume("lnk_1", NOW) == link
    assert store.links.consume("lnk_1", NOW) is None
    assert store.links.consume("lnk_2", NOW + timedelta(hours=1)) is None
    assert store.links.consume("lnk_3", NOW) is None


def test_two_tenants_in_one_table_see_nothing_of_each_other(new_store: object) -> None:
    one, other = new_store(), new_store()  # type: ignore[operator] # a fixture
    one.connections.put(CONNECTION)
    one.apps.put_facts(App(Organisation().apps[0].id, "google", "c", "n"))
    one.findings.put(finding(1))

    assert other.connections.list() == ()
    assert other.connections.get(CID) is None
    assert list(other.apps.all_facts()) == []
    assert other.findings.page("open", 10).items == ()
