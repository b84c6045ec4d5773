"""A file through the whole pipeline: read, stored, scored; the same again, in parts, cut short."""

import json
from collections import Counter
from datetime import date
from typing import Any

import pytest

from lantern.domain import ids
from lantern.domain.errors import ConflictError, InvalidInputError
from lantern.domain.imports import ImportRecord
from lantern.domain.jobs import Selector
from lantern.domain.work import Work
from lantern.runtime import wiring, workers
from lantern.services import decisions_connections, housekeeping, remediation, tenants
from lantern.services.imports.accept import accept
from lantern.services.imports.bundles import NOT_TOLD_SCOPE, connection_id
from tests.support.tenant import Bench
from tests.unit.imports.samples import ASSIGNMENT, GAM, MSGRAPH, MSUSER, PERMISSION, PRINCIPAL, SAMPLES, USERS

DRIVE = "https://www.googleapis.com/auth/drive"
HEAD = GAM.partition("\n")[0] + "\n"


def hand_in(bench: Bench, content: str | bytes, provider: Any = None) -> ImportRecord:
    """Hand a file in, and do all that follows."""
    raw = content if isinstance(content, bytes) else content.encode()
    random = __import__("random").Random(bench.messages).randbytes
    record = accept(bench.store, raw, provider=provider, by="key:k", now=bench.clock.now(), random=random)
    bench.settle()
    found = bench.store.imports.get(record.id)
    assert found is not None
    return found


def connection_of(bench: Bench, provider: Any = "google") -> Any:
    return bench.store.connections.get(connection_id(bench.store.tenant_id, provider))


def bundles(bench: Bench, provider: Any = "google") -> dict[str, Any]:
    found = bench.store.bundles.all(connection_id(bench.store.tenant_id, provider))
    return {one.principal.native_id: one for one in found}


def scopes(bench: Bench, bundle: Any) -> dict[str, frozenset[str]]:
    sets = bench.store.apps.scope_sets({grant.scope_set for grant in bundle.grants})
    return {grant.app_id: sets[grant.scope_set] for grant in bundle.grants}


def test_a_file_becomes_a_connection_with_apps_and_findings(bench: Bench) -> None:
    record = hand_in(
        bench,
        HEAD + f"ada@x.example,c1,Perplexity,,,101,{DRIVE}\nben@x.example,c1,Perplexity,,,102,{DRIVE}\n",
    )
    assert (record.state, record.format) == ("done", "gam-tokens")
    assert (record.counts.rows, record.counts.people, record.counts.grants, record.counts.added) == (
        2,
        2,
        2,
        2,
    )
    connection = connection_of(bench)
    assert (connection.kind, connection.provider, connection.status) == ("import", "google", "active")
    assert record.connections == (connection.id,)
    app = ids.app_id("google", "c1")
    assert set(bundles(bench)) == {"ada@x.example", "ben@x.example"}
    assert scopes(bench, bundles(bench)["ada@x.example"]) == {app: frozenset({DRIVE})}
    assert len(bench.store.footprints.holders(connection.id, app)) == 2
    rows = [row for part in bench.store.apps.summary_parts(range(16)).values() for row in part]
    assert [(row.name, row.verdict, row.holders, row.connections) for row in rows] == [
        ("Perplexity", "ai", 2, (connection.id,))
    ]
    assert {one.rule_id for one in bench.findings()} == {
        "ai-app-sensitive-scope",
        "unsanctioned-ai-app",
        "vendor-trains-on-data",
    }
    assert bench.store.imports.content(record.id) is None
    actions = [entry.action for entry in bench.store.audit.entries()]
    assert {"import.requested", "import.finished"} <= set(actions)


def test_the_same_file_again_writes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "user,app,client_id,scopes,last_used\n" + f"ada@x.example,Perplexity,c1,{DRIVE},2026-01-01\n"
    hand_in(bench, text)
    before = bundles(bench)
    kinds: Counter[str] = Counter()
    put, write_all = bench.store.documents.put, bench.store.documents.write_all

    def counted_put(doc: Any, rev: int | None) -> Any:
        kinds.update([doc.kind])
        return put(doc, rev)

    def counted_writes(puts: Any = (), deletes: Any = ()) -> None:
        given = list(puts)
        kinds.update(doc.kind for doc in given)
        write_all(given, deletes)

    monkeypatch.setattr(bench.store.documents, "put", counted_put)
    monkeypatch.setattr(bench.store.documents, "write_all", counted_writes)
    record = hand_in(bench, text)
    assert record.counts.bundles_written == 0
    assert bundles(bench) == before
    assert set(kinds) <= {"import", "import_part"}


def test_whoever_a_file_does_not_name_is_left_alone(bench: Bench) -> None:
    hand_in(
        bench,
        HEAD
        + f"ada@x.example,c1,ChatGPT,,,1,{DRIVE}\nada@x.example,c2,Claude,,,1,openid\n"
        + "ben@x.example,c1,ChatGPT,,,2,openid\n",
    )
    record = hand_in(bench, HEAD + "ada@x.example,c2,Claude,,,1,openid\n")
    assert (record.counts.removed, record.counts.added) == (1, 0)
    found = bundles(bench)
    assert [grant.app_id for grant in found["ada@x.example"].grants] == [ids.app_id("google", "c2")]
    assert [grant.app_id for grant in found["ben@x.example"].grants] == [ids.app_id("google", "c1")]
    assert len(bench.store.footprints.holders(connection_of(bench).id, ids.app_id("google", "c1"))) == 1


def test_a_list_of_people_tells_leavers_and_later_files_do_not_forget_them(bench: Bench) -> None:
    hand_in(bench, HEAD + "ben@x.example,c1,ChatGPT,,,102,openid\n")
    hand_in(bench, USERS)
    found = bundles(bench)
    assert (found["ben@x.example"].principal.status, found["ada@x.example"].principal.admin) == (
        "suspended",
        True,
    )
    assert found["ada@x.example"].grants is None
    assert [one.rule_id for one in bench.findings("departed-employee-grant")] == ["departed-employee-grant"]
    hand_in(bench, HEAD + "ben@x.example,c1,ChatGPT,,,102,openid\n")
    assert bundles(bench)["ben@x.example"].principal.status == "suspended"


def test_dates_of_a_list_are_kept(bench: Bench) -> None:
    hand_in(
        bench,
        "user,app,client_id,scopes,granted_at,last_used\n"
        f"a@x.example,Figma,c1,{DRIVE},2025-01-02,2025-03-04\n",
    )
    (grant,) = bundles(bench)["a@x.example"].grants
    assert grant.granted_on == date(2025, 1, 2)
    connection = connection_of(bench)
    (used,) = bench.store.use.last_use(connection.id, 0, connection.shards).values()
    assert used == {grant.app_id: date(2025, 3, 4)}
    assert bench.findings("stale-grant")


def test_permissions_that_a_file_does_not_tell_are_not_none(bench: Bench) -> None:
    hand_in(bench, "user,app\na@x.example,Perplexity\n")
    assert set(scopes(bench, bundles(bench)["a@x.example"]).values()) == {frozenset({NOT_TOLD_SCOPE})}
    assert bench.findings("ai-app-sensitive-scope")


def test_graph_in_one_file(bench: Bench) -> None:
    whole = {
        "servicePrincipals": [MSGRAPH, PRINCIPAL], "oauth2PermissionGrants": [PERMISSION],
        "appRoleAssignments": [ASSIGNMENT], "users": [MSUSER],
    }  # fmt: skip
    record = hand_in(bench, json.dumps(whole))
    found = bundles(bench, "entra")
    app = ids.app_id("entra", str(PRINCIPAL["appId"]))
    assert set(found) == {"ada@x.example", "organisation"}
    assert found["organisation"].principal.kind == "organisation"
    assert scopes(bench, found["organisation"]) == {app: frozenset({"Mail.Read"})}
    assert scopes(bench, found["ada@x.example"]) == {app: frozenset({"Files.Read.All", "Mail.Read"})}
    assert record.connections == (connection_of(bench, "entra").id,)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_format_is_imported(bench: Bench, name: str) -> None:
    record = hand_in(bench, SAMPLES[name][1])
    assert (record.state, record.counts.bad_rows) == ("done", 0)
    assert record.counts.rows > 0


def test_bad_rows_are_kept_with_their_reason(bench: Bench) -> None:
    record = hand_in(bench, GAM + ",c,Tool,,,,openid\n" * 300)
    assert (record.counts.bad_rows, len(record.bad)) == (300, 200)
    assert (record.bad[0].line, record.bad[0].reason) == (4, "the column user is empty")


@pytest.mark.parametrize("content", [b"", b"hello", b"{}", b"\x00\xff"])
def test_what_nobody_recognises_is_refused_at_once(bench: Bench, content: bytes) -> None:
    with pytest.raises(InvalidInputError, match=r"body"):
        hand_in(bench, content)
    assert bench.store.imports.page(10).items == ()


def test_a_large_file_takes_several_items_and_messages(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lantern.store.imports.PART_BYTES", 1_000)
    many = HEAD + "".join(f"p{n}@x.example,c{n % 7},ChatGPT,,,{n},openid\n" for n in range(250))
    passed = iter([False] * 150)
    real = bench.deadline()

    class Short:
        def passed(self) -> bool:
            return next(passed, True)

    monkeypatch.setattr(Bench, "deadline", lambda self: Short() if self.messages < 2 else real)
    record = hand_in(bench, many)
    assert record.state == "done"
    assert bench.messages > 2
    assert len(bundles(bench)) == 250
    assert len(bench.store.footprints.holders(connection_of(bench).id, ids.app_id("google", "c0"))) == 36


def test_many_people_are_cut_into_shards(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lantern.services.imports.storing.PRINCIPALS_PER_SHARD", 20)
    hand_in(bench, HEAD + "".join(f"p{n}@x.example,c,ChatGPT,,,{n},openid\n" for n in range(30)))
    assert connection_of(bench).shards == 2
    hand_in(bench, HEAD + "".join(f"q{n}@x.example,c,ChatGPT,,,{n + 50},openid\n" for n in range(30)))
    connection = connection_of(bench)
    assert connection.shards == 4
    assert len(bench.store.footprints.holders(connection.id, ids.app_id("google", "c"))) == 60


def test_a_repeated_message_does_nothing_more(bench: Bench) -> None:
    record = hand_in(bench, GAM)
    bench.do(Work(bench.store.tenant_id, "import.read", body={"import_id": record.id}))
    bench.do(Work(bench.store.tenant_id, "import.read", body={"import_id": "imp_unknown"}))
    assert bench.store.imports.get(record.id) == record


def test_a_file_that_is_gone_fails_with_a_reason(bench: Bench) -> None:
    record = accept(bench.store, GAM.encode(), provider=None, by="key:k", now=bench.clock.now(), random=bytes)
    bench.store.imports.forget_content(record.id)
    bench.settle()
    failed = bench.store.imports.get(record.id)
    assert failed is not None
    assert (failed.state, failed.error) == ("failed", "The file is not kept any more; hand it in again.")


def test_there_is_nothing_to_read_or_revoke_behind_a_file(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(bench, GAM)
    connection = connection_of(bench)
    store, now = bench.store, bench.clock.now()
    with pytest.raises(ConflictError, match="POST /v1/imports"):
        decisions_connections.sync(store, bench, connection.id, by="key:k", now=bench.clock.now())
    with pytest.raises(ConflictError, match="connection_id"):
        decisions_connections.start(
            store, None, provider="google", connection_id=connection.id, by="k", now=now, random=bytes
        )
    with pytest.raises(ConflictError, match="known from a file"):
        remediation.request_job(
            store, requested_by="k",
            selector=Selector(app_id=ids.app_id("google", "1.apps.googleusercontent.com")),
            dry_run=True, now=now, random=bytes,
        )  # fmt: skip
    assert housekeeping.age_hours(connection, now.replace(year=now.year + 1)) == 0
    monkeypatch.setattr(wiring, "tenant_store", lambda _tenant: store)
    context = type("Context", (), {"tenant_id": "", "get_remaining_time_in_millis": lambda self: 60_000})()
    workers.discover(Work(store.tenant_id, "connection.full", connection.id), context)
    assert connection_of(bench) == connection


def test_resuming_a_tenant_goes_on_with_what_was_handed_in(bench: Bench) -> None:
    hand_in(bench, GAM)
    record = accept(bench.store, GAM.encode(), provider=None, by="key:k", now=bench.clock.now(), random=bytes)
    bench.drain_outbox()
    bench.sent.clear()
    tenants._catch_up(bench.store, bench.clock.now())
    bench.drain_outbox()
    asked = [(work.kind, work.connection_id or work.body.get("import_id")) for work in bench.sent]
    assert ("import.read", record.id) in asked
    assert ("connection.full", connection_of(bench).id) not in asked
