"""From grants at the provider to findings and back, message by message."""

from datetime import timedelta

import pytest

from lantern.domain import ids
from lantern.domain.errors import ConnectorError
from lantern.domain.jobs import Selector
from lantern.domain.work import Work
from lantern.services import queries_grants, remediation
from tests.support.tenant import Bench

CHATGPT, DRIVE = "chatgpt-client", "https://www.googleapis.com/auth/drive"


def org(bench: Bench, people: int = 10) -> None:
    for number in range(people):
        bench.world.add(f"u{number:03}", "slack-client", "zoom-client")
    bench.world.names |= {CHATGPT: "ChatGPT", "slack-client": "Slack", "zoom-client": "Zoom"}
    bench.world.consent("u001", CHATGPT, "openid", DRIVE)


def test_a_full_run_stores_what_the_provider_lists(bench: Bench) -> None:
    org(bench)
    bench.full()
    assert bench.stored() == bench.world.truth()
    second, first = bench.store.runs.list(bench.connection_id, 10).items
    assert first.state == second.state == "complete"
    assert first.coverage.listed == first.coverage.read == 10
    assert (first.counts.added, second.counts.added) == (21, 0), "the second dates what the first found"
    assert bench.connection.last_full_run == second.id


def test_an_ai_app_is_judged_and_found(bench: Bench) -> None:
    org(bench)
    bench.full()
    rows = {row.name: row for row in bench.store.apps.summary()}
    assert (rows["ChatGPT"].verdict, rows["Slack"].verdict) == ("ai", "embedded_ai")
    assert rows["ChatGPT"].risk > rows["Slack"].risk
    assert rows["ChatGPT"].holders == 1
    assert rows["Slack"].holders == 10
    (finding,) = bench.findings("unsanctioned-ai-app")
    assert finding.group.id == ids.app_id("google", CHATGPT)
    (sensitive,) = bench.findings("ai-app-sensitive-scope")
    assert len(sensitive.open_grants) == 1


def test_an_unchanged_organisation_writes_no_bundle(bench: Bench) -> None:
    org(bench)
    bench.full()
    bench.clock.forward(days=1)
    before = {b.principal.id: b.rev for b in bench.store.bundles.all(bench.connection_id)}
    bench.full()
    assert before == {b.principal.id: b.rev for b in bench.store.bundles.all(bench.connection_id)}
    assert bench.store.runs.list(bench.connection_id, 1).items[0].counts.bundles_written == 0


def test_an_unread_account_keeps_what_was_known(bench: Bench) -> None:
    org(bench)
    bench.full()
    bench.world.failing["u001"] = "provider_error"
    bench.clock.forward(days=1)
    bench.full()
    run = bench.store.runs.list(bench.connection_id, 1).items[0]
    assert run.state == "partial"
    assert run.coverage.reasons == {"provider_error": 1}
    assert bench.stored() == bench.world.truth()
    (finding,) = bench.findings("ai-app-sensitive-scope")
    assert finding.status == "open"
    assert bench.findings("unread-bundles")[0].status == "open"


def test_an_account_never_read_is_unknown_not_empty(bench: Bench) -> None:
    org(bench)
    bench.world.failing["u003"] = "forbidden"
    bench.full()
    bundle = bench.bundle("u003")
    assert bundle is not None
    assert bundle.grants is None


def test_a_hint_finds_a_new_app_at_once(bench: Bench) -> None:
    org(bench)
    bench.full()
    bench.world.names["claude-client"] = "Claude"
    bench.world.consent("u005", "claude-client", DRIVE)
    bench.hint("u005")
    assert bench.stored() == bench.world.truth()
    holders = bench.store.footprints.holders(bench.connection_id, ids.app_id("google", "claude-client"))
    assert holders == (ids.principal_id("google", "C0example", "u005"),)
    titles = {f.title for f in bench.findings("unsanctioned-ai-app")}
    assert any("Claude" in title for title in titles)


def test_a_deleted_account_leaves_no_grants(bench: Bench) -> None:
    org(bench)
    bench.full()
    del bench.world.accounts["u001"]
    bench.clock.forward(days=1)
    bench.full()
    bundle = bench.bundle("u001")
    assert bundle is not None
    assert (bundle.principal.status, bundle.grants) == ("deleted", ())
    assert bench.findings("ai-app-sensitive-scope")[0].status == "resolved"


def test_a_leaver_with_grants_is_found(bench: Bench) -> None:
    org(bench)
    bench.world.accounts["u002"].status = "suspended"
    bench.full()
    (finding,) = bench.findings("departed-employee-grant")
    assert len(finding.open_grants) == 2


def test_scope_expansion_is_found(bench: Bench) -> None:
    org(bench)
    bench.full()
    bench.clock.forward(days=1)
    bench.world.consent("u004", "zoom-client", "openid", DRIVE)
    bench.full()
    (finding,) = bench.findings("scope-expansion")
    assert len(finding.open_grants) == 1


def test_staleness_is_known_once_history_is_read(bench: Bench) -> None:
    org(bench)
    bench.world.events.clear()
    bench.world.use("u001", CHATGPT, days_ago=120)
    bench.world.use("u001", "slack-client", days_ago=2)
    bench.full()
    window = bench.store.use.window(bench.connection_id)
    assert window is not None
    assert (bench.clock.now() - window.complete_from).days >= 179
    stale = {f.group.id: f for f in bench.findings("stale-grant")}
    assert ids.grant_id(bench.bundle("u001").principal.id, ids.app_id("google", CHATGPT)) in (
        stale[ids.app_id("google", CHATGPT)].open_grants
    )
    slack = stale[ids.app_id("google", "slack-client")].open_grants
    assert ids.grant_id(bench.bundle("u001").principal.id, ids.app_id("google", "slack-client")) not in slack


def test_a_run_hands_itself_on_before_its_deadline(bench: Bench) -> None:
    org(bench, 12)
    bench.seconds = 0
    bench.do(Work(bench.store.tenant_id, "connection.full", bench.connection_id))
    assert [(w.kind, w.hop) for w in bench.sent] == [("connection.full", 1)]
    bench.seconds = 600
    bench.settle()
    assert bench.stored() == bench.world.truth()


def test_withdrawn_access_asks_for_attention(bench: Bench) -> None:
    bench.world.access_gone = True
    bench.do(Work(bench.store.tenant_id, "connection.full", bench.connection_id))
    assert bench.connection.status == "needs_attention"
    assert "POST /v1/connections" in (bench.connection.remedy or "")


def test_a_finding_follows_what_was_taken_away(bench: Bench) -> None:
    org(bench)
    bench.full()
    (finding,) = bench.findings("ai-app-sensitive-scope")
    assert finding.status == "open"
    grant = ids.grant_id(bench.bundle("u001").principal.id, ids.app_id("google", CHATGPT))
    request(bench, grant_ids=(grant,))
    bench.settle()
    bundle = bench.bundle("u001")
    # As the stream says it where there are too many apps to name.
    body = {"principal": bundle.principal.id}
    bench.do(Work(bench.store.tenant_id, "score.bundle", bench.connection_id, body, cause="act"))
    (finding,) = bench.findings("ai-app-sensitive-scope")
    assert (finding.status, finding.holds) == ("resolved", False)


def request(bench: Bench, **selector: object) -> object:
    return remediation.request_job(
        bench.store,
        requested_by="key_a",
        selector=Selector(**selector),
        dry_run=False,
        now=bench.clock.now(),
        random=bytes,
    )


def test_one_grant_is_revoked_and_verified(bench: Bench) -> None:
    org(bench)
    bench.full()
    grant = ids.grant_id(bench.bundle("u001").principal.id, ids.app_id("google", CHATGPT))
    job = request(bench, grant_ids=(grant,))
    bench.settle()
    done = bench.store.jobs.get(job.id)
    assert (done.state, done.counts.verified) == ("done", 1)
    assert bench.world.revoked == [("u001", CHATGPT)]
    assert bench.stored() == bench.world.truth()
    assert bench.store.audit.verify() is None
    actions = [entry.action for entry in bench.store.audit.entries()]
    assert actions[-3:] == ["job.requested", "grant.verified", "job.finished"]


def test_a_bulk_revocation_waits_for_somebody_else(bench: Bench) -> None:
    org(bench, 40)
    for number in range(2, 6):
        bench.world.consent(f"u{number:03}", CHATGPT, "openid")
    bench.full()
    job = request(bench, app_id=ids.app_id("google", CHATGPT))
    assert job.state == "awaiting_approval"
    bench.settle()
    assert bench.world.revoked == []
    remediation.approve(bench.store, job.id, "key_b", bench.clock.now())
    bench.settle()
    assert len(bench.world.revoked) == 5
    assert bench.store.jobs.get(job.id).state == "done"


def test_the_grants_of_a_finding_state_their_evidence(bench: Bench) -> None:
    org(bench)
    bench.world.events.clear()
    bench.world.use("u001", CHATGPT, days_ago=120)
    bench.full()
    stale = {f.group.id: f for f in bench.findings("stale-grant")}
    used, unused = (stale[ids.app_id("google", client)] for client in (CHATGPT, "zoom-client"))

    (row,) = queries_grants.by_finding(bench.store, used.id, bench.connection_id, None, 10).items
    assert (row.email, row.app_name) == ("u001@example.com", "ChatGPT")
    assert row.last_used == (bench.clock.now() - timedelta(days=120)).date()
    assert row.use_known_from is not None
    assert (bench.clock.now() - row.use_known_from).days >= 179

    rows = queries_grants.by_finding(bench.store, unused.id, bench.connection_id, None, 50).items
    assert len(rows) == 10
    assert {row.last_used for row in rows} == {None}
    assert all(row.use_known_from for row in rows)


class _Torn:
    """A connector that fails at everything it is asked."""

    def __init__(self, connector: object) -> None:
        self.manifest = connector.manifest

    def __getattr__(self, name: str) -> object:
        def fail(*_args: object, **_more: object) -> object:
            raise ConnectorError("transient", "The provider does not answer.")

        return fail


@pytest.mark.parametrize("kind", ["connection.changes", "connection.full"])
def test_a_failed_message_does_not_shut_out_the_next(bench: Bench, kind: str) -> None:
    org(bench)
    bench.full()
    bench.clock.forward(days=1)
    whole, bench.wrap = bench.wrap, _Torn
    with pytest.raises(ConnectorError):
        bench.do(Work(bench.store.tenant_id, kind, bench.connection_id))
    bench.wrap = whole
    bench.world.consent("u007", "late-client", "openid")
    bench.clock.forward(minutes=1)
    bench.do(Work(bench.store.tenant_id, kind, bench.connection_id))
    assert bench.stored() == bench.world.truth()
