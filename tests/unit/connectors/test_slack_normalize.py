"""Slack's JSON as records: rows as the reference pages show them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lantern.connectors.slack import normalize
from lantern.connectors.slack.normalize import MalformedError, Owner
from lantern.domain import ids

WORKSPACE = Owner("con_1", "T1", enterprise=False)
GRID = Owner("con_1", "E1", enterprise=True)
USER: dict[str, Any] = {
    "id": "W012A3CDE",
    "team_id": "T012AB3C4",
    "name": "spengler",
    "deleted": False,
    "real_name": "Egon Spengler",
    "profile": {"real_name": "Egon Spengler", "email": "Spengler@Ghostbusters.example", "team": "T012AB3C4"},
    "is_admin": True,
    "is_owner": False,
    "is_primary_owner": False,
    "is_restricted": False,
    "is_ultra_restricted": False,
    "is_bot": False,
    "updated": 1502138686,
}


def test_a_member() -> None:
    found = normalize.member(USER, WORKSPACE).principal
    assert (found.kind, found.status, found.admin, found.org_unit) == ("user", "active", True, None)
    assert (found.email, found.name) == ("spengler@ghostbusters.example", "Egon Spengler")
    assert found.id == ids.principal_id("slack", "T1", "W012A3CDE")


@pytest.mark.parametrize(
    ("change", "what", "wanted"),
    [
        ({"deleted": True}, "status", "suspended"),
        ({"is_bot": True}, "kind", "service"),
        ({"is_workflow_bot": True}, "kind", "service"),
        ({"id": "USLACKBOT"}, "kind", "service"),
        ({"is_restricted": True}, "org_unit", "Guests"),
        ({"is_restricted": True, "is_ultra_restricted": True}, "org_unit", "Guests (one channel)"),
        ({"is_admin": False}, "admin", False),
        ({"is_admin": None, "is_owner": None, "is_primary_owner": None}, "admin", None),
        ({"is_admin": False, "is_primary_owner": True}, "admin", True),
        ({"profile": {}}, "email", None),
        ({"profile": None, "real_name": "A\u0000B\u202e" + "x" * 300}, "name", "A B\u202e" + "x" * 196),
    ],
)
def test_a_member_that_differs(change: dict[str, Any], what: str, wanted: object) -> None:
    assert getattr(normalize.member({**USER, **change}, WORKSPACE).principal, what) == wanted


def test_in_an_organisation_the_ids_and_roles_of_the_organisation_count() -> None:
    inner = {"id": "W1", "enterprise_id": "E1", "is_admin": False, "is_owner": False, "teams": ["T1", "T2"]}
    found = normalize.member({**USER, "enterprise_user": inner}, GRID)
    assert (found.principal.native_id, found.principal.admin) == ("W1", False)
    assert found.teams == {"T1", "T2"}
    assert normalize.member({**USER, "enterprise_user": inner}, WORKSPACE).principal.native_id == "W012A3CDE"


@pytest.mark.parametrize("row", [None, [], "x", {}, {"id": 7}, {"id": ""}])
def test_a_member_without_an_id_is_refused(row: object) -> None:
    with pytest.raises(MalformedError):
        normalize.member(row, WORKSPACE)


def test_lines_of_the_integration_log_as_documented() -> None:
    service = {
        "service_id": 1234567890, "service_type": "Google Calendar", "user_id": "U1234ABCD",
        "user_name": "Johnny", "channel": "C1234567890", "date": "1392163200", "change_type": "enabled",
        "scope": "incoming-webhook",
    }  # fmt: skip
    app = {
        "app_id": "2345678901", "app_type": "Johnny App", "user_id": "U2345BCDE", "user_name": "Billy",
        "date": "1392163201", "change_type": "added", "scope": "chat:write:user,channels:read",
    }  # fmt: skip
    one, other = normalize.integration(service, "T1"), normalize.integration(app, "T1")
    assert one is not None
    assert other is not None
    assert (one.app_id, one.kind, one.whole, one.app_name) == (
        "1234567890",
        "enabled",
        True,
        "Google Calendar",
    )
    assert (other.app_id, other.user_id, other.kind, other.whole) == (
        "2345678901",
        "U2345BCDE",
        "added",
        False,
    )
    assert other.scopes == {"chat:write:user", "channels:read"}
    assert other.at == datetime(2014, 2, 12, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "refused"),
    [
        ({"app_id": "A1", "change_type": "added"}, True),
        ({"app_id": "A1", "change_type": "added", "date": "yesterday"}, True),
        ("x", True),
        ({"app_id": "A1", "change_type": "polished", "date": "1"}, False),
        ({"change_type": "added", "date": "1"}, False),
        ({"service_id": 1, "change_type": "added", "date": "1", "rss_feed": True}, False),
    ],
)
def test_lines_that_say_nothing_are_left_out_and_broken_ones_refused(row: Any, refused: bool) -> None:
    if refused:
        with pytest.raises(MalformedError):
            normalize.integration(row, "T1")
    else:
        assert normalize.integration(row, "T1") is None


def audit(action: str, entity: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "9d9b76ce",
        "date_create": 1659026894,
        "action": action,
        "actor": {"type": "user", "user": {"id": "W1", "name": "n", "email": "e@x.example", "team": "T1"}},
        "entity": entity,
        "context": {"location": {"type": "workspace", "id": "T1", "name": "w", "domain": "w"}},
        **more,
    }


APP = {"type": "app", "app": {"id": "A1", "name": "Claude", "scopes": ["chat:write"]}}


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (audit("app_installed", APP), ("added", "A1", "W1", "T1", {"chat:write"}, False)),
        (
            audit("app_scopes_expanded", APP, details={"new_scopes": ["a", "b"], "previous_scopes": ["a"]}),
            ("expanded", "A1", "W1", "T1", {"a", "b"}, False),
        ),
        (
            audit("app_installed", APP, details={"bot_scopes": ["a"], "user_scopes": ["u"]}),
            ("added", "A1", "W1", "T1", {"a", "u"}, False),
        ),
        (audit("app_uninstalled", APP), ("removed", "A1", "W1", "T1", {"chat:write"}, True)),
        (audit("app_approved", APP), ("touched", "A1", "W1", "T1", {"chat:write"}, False)),
        (
            audit("user_deactivated", {"type": "user", "user": {"id": "W9"}}),
            ("account", "", "W9", "", None, False),
        ),
    ],
)
def test_entries_of_the_audit_log(row: dict[str, Any], wanted: tuple[object, ...]) -> None:
    entry = normalize.audited(row)
    assert entry is not None
    scopes = set(entry.scopes) if entry.scopes is not None else None
    assert (entry.kind, entry.app_id, entry.user_id, entry.team, scopes, entry.whole) == wanted


def test_who_is_nobody_and_where_is_everywhere() -> None:
    row = audit("app_uninstalled", APP)
    row["actor"]["user"]["id"] = "USLACKUSER"
    row["context"]["location"] = {"type": "enterprise", "id": "E1"}
    entry = normalize.audited(row)
    assert entry is not None
    assert (entry.user_id, entry.team) == (None, "")
    # The entity of some entries is the workspace: they name no app.
    assert normalize.audited(audit("app_installed", {"type": "workspace", "workspace": {"id": "T1"}})) is None
    assert normalize.audited(audit("file_downloaded", {"type": "file", "file": {"id": "F1"}})) is None


def test_a_row_of_the_lists_of_apps() -> None:
    row = {
        "app": {
            "id": "A0W7UKG8E", "name": "Test App", "is_internal": False, "is_app_directory_approved": True,
            "app_homepage_url": "https://testapp.example", "privacy_policy_url": "https://testapp.example/p",
        },
        "scopes": [{"name": "app", "is_sensitive": True, "token_type": "bot"}, {"name": "users:read"}],
        "date_updated": 1574296707,
        "last_resolved_by": {"actor_id": "W0G82F4FD", "actor_type": "user"},
    }  # fmt: skip
    found = normalize.listed(row, "approved")
    assert (found.app.client_id, found.app.domains) == ("A0W7UKG8E", ("testapp.example",))
    assert (found.app.verified_publisher, found.by) == (True, "W0G82F4FD")
    assert found.permissions == {"app", "users:read"}
    for broken in ({}, {"app": {}}, {**row, "scopes": [{"is_sensitive": True}]}):
        with pytest.raises(MalformedError):
            normalize.listed(broken, "approved")
