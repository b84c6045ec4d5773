"""`connectors`: what providers can do, and which connections lack something."""

from dataclasses import replace
from datetime import timedelta

from lantern.connectors import manifests
from scripts.admin_cli.target import Backend
from tests.unit.scripts.conftest import NOW, Admin
from tests.unit.scripts.test_admin_tenants import connection


def test_every_provider_is_listed_and_shown_with_what_each_permission_is_for(admin: Admin) -> None:
    listed = admin("connectors", "list", "--json").data["data"]
    assert [one["provider"] for one in listed] == list(manifests.providers())
    for one in listed:
        assert admin("connectors", "show", one["provider"], "--json").data == one
        for need in manifests.manifest(one["provider"]).scopes:
            shown = admin("connectors", "show", one["provider"])
            assert shown.code == 0
            assert need.scope in shown.out
            break
        for fact in one["features"]:
            assert len(fact["permissions"]) == len(fact["lost"])


def test_an_unknown_provider_is_named_with_those_there_are(admin: Admin) -> None:
    refused = admin("connectors", "show", "myspace")
    assert refused.code == 2
    assert "google" in refused.err


def test_a_check_is_good_only_while_everything_is_fresh(admin: Admin, backend: Backend, tenant: str) -> None:
    store = backend.tenant(tenant)
    fresh = replace(connection("con_a"), last_full_at=NOW, last_changes_at=NOW)
    stored = store.connections.put(fresh)
    assert admin("connectors", "check", tenant).code == 0

    missing = manifests.manifest("google").scopes[-1].scope
    stored = store.connections.put(replace(stored, missing_scopes=frozenset({missing})))
    gap = admin("connectors", "check", tenant)
    assert gap.code == 0, "a permission that was left out on purpose is told, not an alarm"
    assert missing in gap.out

    store.connections.put(replace(stored, last_full_at=NOW - timedelta(days=3)))
    late = admin("connectors", "check", tenant, "--json")
    assert late.code == 1
    assert late.data["data"][0]["problems"] == ["last read in full 3 d ago"]
