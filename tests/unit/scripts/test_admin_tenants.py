"""`tenant` and `key`: what operators do to customers."""

from dataclasses import replace

import pytest
from rich.console import Console

from lantern.domain import apikeys
from lantern.domain.audit import verify
from lantern.domain.jobs import Guards, Job, Selector
from lantern.domain.tenancy import Connection
from scripts.admin_cli.target import Backend
from scripts.admin_cli.terminal import Output
from tests.unit.scripts.conftest import NOW, Admin

HOSTILE = "Evil\x1b[2J\x1b]0;owned\x07 \u202egnp.exe\u2066 [red]x[/red] \u0301\u0301\u0301\u0301\n\rfake line"


def connection(cid: str, status: str = "active", name: str = "Harbour Line") -> Connection:
    return Connection(
        id=cid,
        provider="google",
        organisation_id="C01",
        name=name,
        status=status,  # type: ignore[arg-type]
        granted_scopes=frozenset(),
        missing_scopes=frozenset(),
        connected_at=NOW,
    )


def test_a_tenant_is_created_listed_and_shown(admin: Admin, backend: Backend, tenant: str) -> None:
    listed = admin("tenant", "list", "--json").data["data"]
    assert [(row["id"], row["name"], row["status"]) for row in listed] == [(tenant, "Harbour Line", "active")]
    shown = admin("tenant", "show", tenant)
    assert shown.code == 0
    assert "Harbour Line" in shown.out
    assert "No connection yet." in shown.out
    (entry,) = backend.tenant(tenant).audit.entries()
    assert (entry.actor, entry.action) == ("opr_0123456789abcdef", "tenant.created")


def test_suspending_and_resuming_say_what_they_did_and_are_audited(
    admin: Admin, backend: Backend, tenant: str
) -> None:
    assert admin("tenant", "suspend", tenant, "--json").data["changed"] is True
    assert admin("tenant", "suspend", tenant, "--json").data["changed"] is False
    registered = backend.platform.get_tenant(tenant)
    assert registered is not None
    assert registered.status == "suspended"
    assert admin("tenant", "resume", tenant, "--json").data == {
        "id": tenant,
        "status": "active",
        "changed": True,
    }
    store = backend.tenant(tenant)
    actions = [entry.action for entry in store.audit.entries()]
    assert actions == ["tenant.created", "tenant.suspended", "tenant.resumed"]
    assert verify(store.audit.entries(), head=store.audit.head()) is None


def test_resuming_reads_everything_anew_and_goes_on_with_jobs(
    admin: Admin, backend: Backend, tenant: str
) -> None:
    store = backend.tenant(tenant)
    for cid, status in (("con_a", "active"), ("con_b", "disconnected"), ("con_c", "disconnecting")):
        store.connections.put(connection(cid, status))
    job = Job(
        id="job_1",
        kind="revoke_grants",
        state="approved",
        requested_by="key_a",
        created_at=NOW,
        selector=Selector(app_id="app_1"),
        guards=Guards(),
        reason="",
    )
    store.jobs.put(job)
    store.jobs.put(replace(job, id="job_2", state="awaiting_approval"))
    admin("tenant", "suspend", tenant)
    admin("tenant", "resume", tenant)
    works = {
        (work.kind, work.connection_id or work.body["job_id"])
        for _, work in store.outbox.due(NOW.replace(year=2027))
    }
    assert works == {
        ("connection.full", "con_a"),
        ("connection.disconnect", "con_c"),
        ("job.run", "job_1"),
    }


def test_a_suspension_that_stopped_half_way_is_seen_and_finished(
    admin: Admin, backend: Backend, tenant: str
) -> None:
    entry = backend.platform.get_tenant(tenant)
    assert entry is not None
    backend.platform.put_tenant(replace(entry, status="suspended"))
    assert f"Finish it with: tenant suspend {tenant}" in admin("tenant", "show", tenant).out
    assert admin("tenant", "suspend", tenant, "--json").data["changed"] is True
    assert "half-way" not in admin("tenant", "show", tenant).out


def test_a_bad_tenant_id_names_the_argument_and_the_remedy(admin: Admin) -> None:
    ran = admin("tenant", "show", "Harbour Line")
    assert ran.code == 2
    assert "TENANT" in ran.err
    assert "`tenant list` shows them" in ran.err
    missing = admin("tenant", "show", "a" * 20, "--json")
    assert missing.code == 1
    assert missing.data["error"]["exit_code"] == 1


def test_an_empty_name_is_refused(admin: Admin) -> None:
    ran = admin("tenant", "create", "  ")
    assert ran.code == 2
    assert "1 to 200 characters" in ran.err
    assert admin("tenant", "list", "--json").data["data"] == []


def test_hostile_names_are_inert_on_a_terminal(admin: Admin, backend: Backend) -> None:
    tenant = admin("tenant", "create", HOSTILE, "--json").data["id"]
    backend.tenant(tenant).connections.put(connection("con_x", name=HOSTILE))
    for command in (("tenant", "list"), ("tenant", "show", tenant), ("sync", "status", tenant)):
        out = admin(*command).out
        assert not set("\x1b\x07\r\u202e\u2066") & set(out)
        assert "\nfake line" not in out
        assert "[red]x[/red]" in out, "markup is text"
    raw = admin("tenant", "show", tenant, "--json").out
    assert raw.isascii()
    assert "\x1b" not in raw


def test_a_key_is_shown_once_and_works(admin: Admin, backend: Backend, tenant: str) -> None:
    ran = admin("key", "issue", tenant, "--name", "partner", "--scope", "read", "--scope", "remediate")
    text = ran.out.strip()
    presented = apikeys.parse(text)
    assert presented is not None
    assert presented.environment == "test"
    known = backend.platform.get_key(presented.id)
    assert known is not None
    assert (known.tenant_id, known.scopes) == (tenant, {"read", "remediate"})
    assert apikeys.same_hash(presented.hash, known.hash)
    listed = admin("key", "list", tenant)
    assert presented.id in listed.out
    assert text not in listed.out
    assert text not in admin("key", "list", tenant, "--json").out


def test_a_revoked_key_is_revoked_twice_without_harm(admin: Admin, backend: Backend, tenant: str) -> None:
    key = admin("key", "issue", tenant, "--name", "x", "--scope", "admin", "--json").data["id"]
    assert admin("key", "revoke", tenant, key).code == 0
    assert admin("key", "revoke", tenant, key).code == 0
    known = backend.platform.get_key(key)
    assert known is not None
    assert known.status == "revoked"
    assert admin("key", "list", tenant, "--json").data["data"][0]["revoked_at"] is not None


def test_a_key_names_nobody_who_is_not_known(admin: Admin, tenant: str) -> None:
    ran = admin("key", "issue", tenant, "--name", "x", "--scope", "read", "--person", "per_0000000000000000")
    assert ran.code != 0
    assert "person" in ran.err
    assert admin("key", "list", tenant, "--json").data["data"] == []


def test_bad_keys_and_scopes_name_the_option(admin: Admin, tenant: str) -> None:
    scope = admin("key", "issue", tenant, "--name", "x", "--scope", "root")
    assert (scope.code, "--scope" in scope.err, "read, write, remediate, admin" in scope.err) == (
        2,
        True,
        True,
    )
    text = admin("key", "revoke", tenant, "lnt_test_0123")
    assert (text.code, "not its id" in text.err) == (2, True)
    unknown = admin("key", "revoke", tenant, "key_0000000000000000")
    assert (unknown.code, "no key key_0000000000000000" in unknown.err) == (1, True)


def test_the_key_of_another_tenant_is_not_there(admin: Admin, tenant: str, backend: Backend) -> None:
    other = admin("tenant", "create", "Other", "--json").data["id"]
    key = admin("key", "issue", other, "--name", "x", "--scope", "read", "--json").data["id"]
    assert admin("key", "revoke", tenant, key).code == 1
    known = backend.platform.get_key(key)
    assert known is not None
    assert known.status == "active"


def test_ids_are_never_cut_however_narrow_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(width=50, markup=False, highlight=False)
    out = Output(as_json=False, console=console)
    out.table(("tenant", "name", "status"), [("t" * 20, "A long name " * 4, "active")], empty="none")
    assert "t" * 20 in capsys.readouterr().out
