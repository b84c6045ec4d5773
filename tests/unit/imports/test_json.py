"""JSON formats: good, bad and hostile records, and reading on after a fault."""

import json
from datetime import date

import pytest

from lantern.connectors.imports.jsonstream import MAX_RECORD, Element, elements
from lantern.domain.exports.rows import AccountRow, AppRow, BadRow, GrantRow, Permission
from tests.unit.imports.samples import (
    ASSIGNMENT,
    DRIVE,
    MSGRAPH,
    MSUSER,
    OKTA_APP,
    OKTA_GRANT,
    OKTA_USER,
    PERMISSION,
    PRINCIPAL,
    SLACK_APP,
    SLACK_LOG,
    TOKEN,
    bad,
    everything,
    rows,
)


def found(text: str, size: int = 7) -> list[Element | BadRow]:
    return list(elements(text[at : at + size] for at in range(0, len(text), size)))


def values(text: str, size: int = 7) -> list[object]:
    return [one.value if isinstance(one, Element) else one.reason for one in found(text, size)]


@pytest.mark.parametrize("size", [1, 3, 64, 10_000])
@pytest.mark.parametrize(
    "text",
    [
        '[{"a": 1}, {"a": 2}]',
        '{"a": 1}\n{"a": 2}\n',
        '{"value": [{"a": 1}], "@odata.nextLink": "x"}{"value": [{"a": 2}]}',
        '[{"value": [{"a": 1}]}, {"value": [{"a": 2}]}]',
        '[[{"a": 1}], [{"a": 2}]]',
        '{"users": {"value": [{"a": 1}, {"a": 2}]}}',
        '{"x@y.example": {"items": [{"a": 1}]}, "z@y.example": [{"a": 2}]}',
        '\ufeff \x1e{"a": 1}\x1e{"a": 2}',
    ],
)
def test_all_shapes_give_the_same_records(text: str, size: int) -> None:
    assert values(text, size) == [{"a": 1}, {"a": 2}]


def test_a_record_knows_its_line_place_and_page() -> None:
    text = '{\n "kind": "k",\n "items": [\n  {"a": 1},\n  {"a": "x\\ny"}\n ]\n}\n{"a": 3}'
    elements_ = [one for one in found(text) if isinstance(one, Element)]
    assert [(one.line, one.place, dict(one.page)) for one in elements_] == [
        (4, "items", {"kind": "k"}),
        (5, "items", {"kind": "k"}),
        (8, "", {}),
    ]


@pytest.mark.parametrize("size", [1, 5, 4096])
@pytest.mark.parametrize(
    "broken",
    ['{"a" 2}', '{"a": nope}', '{"a": "x\n"}', '{"a": [1 2]}', '{"a": {"b" 1}}', '{"a":}', "{a: 1}"],
)
def test_reading_goes_on_after_a_broken_record(broken: str, size: int) -> None:
    good = [{"n": number} for number in range(3)]
    for text in (
        f'[{{"n": 0}}, {broken}, {{"n": 1}},\n{{"n": 2}}]',
        f'{{"n": 0}}\n{broken}\n{{"n": 1}}\n{{"n": 2}}\n',
        f'{{"value": [{{"n": 0}},\n {broken},\n {{"n": 1}}, {{"n": 2}}], "x": 1}}',
    ):
        read = found(text, size)
        assert [one.value for one in read if isinstance(one, Element)] == good
        assert [one for one in read if isinstance(one, BadRow)]


def test_a_file_that_ends_early_gives_what_it_has() -> None:
    text = json.dumps({"value": [{"a": 1}, {"a": 2}, {"a": 3}]})
    for end in range(1, len(text)):
        read = found(text[:end])
        assert [one for one in read if isinstance(one, BadRow)], text[:end]
    assert [one for one in values(text[:-8]) if isinstance(one, dict)] == [{"a": 1}, {"a": 2}]


def test_what_is_no_record_is_said_once_a_piece() -> None:
    assert values('[1, "two", null, {"a": 1}]').count("expected a JSON object here") == 3
    assert values("[" * 5000)[-1:] == ["the file ends in the middle of a list"]
    deep = '[{"a": ' + "[" * 200_000 + "]" * 200_000 + '}, {"a": 1}]'
    assert {"a": 1} in values(deep, 4096)


def test_a_record_that_never_ends_is_given_up() -> None:
    text = '[{"a": "' + "x" * (MAX_RECORD + 100_000) + '"}, {"a": 1}]'
    read = values(text, 65_536)
    assert read[-1] == {"a": 1}
    assert "longer" in str(read[0])


def test_google_tokens() -> None:
    (row,) = rows([TOKEN])
    assert isinstance(row, GrantRow)
    assert (row.provider, row.account, row.account_alias) == ("google", "101", None)
    assert row.permissions == {Permission(DRIVE), Permission("openid")}
    (named,) = rows({"x@y.example": [TOKEN]})
    assert isinstance(named, GrantRow)
    assert (named.account, named.account_alias) == ("x@y.example", "101")
    assert everything([TOKEN, {"kind": "admin#directory#tokenList", "etag": "x"}]) == [row]
    faults = bad(
        [TOKEN, {"kind": "admin#directory#token", "userKey": "1"}, {"clientId": "c", "displayText": "d"}]
    )
    assert [one.reason for one in faults] == [
        "the token names no clientId",
        "the token names no user (userKey)",
    ]


def test_graph_service_principals() -> None:
    api, app = rows([MSGRAPH, PRINCIPAL])
    assert isinstance(app, AppRow)
    assert isinstance(api, AppRow)
    assert (app.key, app.client_id, app.name) == ("sp-1", PRINCIPAL["appId"], "ChatGPT")
    assert (app.publisher, app.verified_publisher, app.platform) == ("OpenAI", True, False)
    assert app.domains == ("https://chatgpt.com",)
    assert (api.platform, dict(api.roles)) == (True, {"role-1": "Mail.Read"})
    (unknown,) = rows([{key: value for key, value in PRINCIPAL.items() if key != "verifiedPublisher"}])
    assert isinstance(unknown, AppRow)
    assert unknown.verified_publisher is None
    (unverified,) = rows([{**PRINCIPAL, "verifiedPublisher": {"verifiedPublisherId": None}}])
    assert isinstance(unverified, AppRow)
    assert unverified.verified_publisher is False


def test_graph_grants_and_assignments() -> None:
    one, role, everyone, user, group = rows(
        [
            PERMISSION,
            ASSIGNMENT,
            {**PERMISSION, "consentType": "AllPrincipals", "principalId": None},
            {**ASSIGNMENT, "principalType": "User", "principalId": "u-1", "resourceId": "sp-1"},
            {**ASSIGNMENT, "principalType": "Group", "principalId": "gr-1", "resourceId": "sp-1"},
        ]
    )
    assert isinstance(one, GrantRow)
    assert (one.account, one.app) == ("u-1", "sp-1")
    assert one.permissions == {
        Permission("Files.Read.All", "delegated"),
        Permission("Mail.Read", "delegated"),
    }
    assert isinstance(role, GrantRow)
    assert (role.account, role.granted_on) == (None, date(2025, 11, 3))
    assert role.permissions == {Permission("role-1", "application", False, "sp-graph")}
    assert isinstance(everyone, GrantRow)
    assert everyone.account is None
    assert all(permission.tenant_wide for permission in everyone.permissions or ())
    assert isinstance(user, GrantRow)
    assert (user.account, user.app, user.permissions) == ("u-1", "sp-1", frozenset())
    assert isinstance(group, GrantRow)
    assert group.account == "group:gr-1"


def test_graph_users_and_faults() -> None:
    (user,) = rows([MSUSER])
    assert user == AccountRow("entra", "u-1", "ada@x.example", "Ada", "suspended")
    faults = bad(
        [
            PERMISSION,
            {"consentType": "Principal", "clientId": "c", "resourceId": "r"},
            {**PERMISSION, "clientId": None},
            {**ASSIGNMENT, "createdDateTime": "soon"},
            {"id": "what"},
        ]
    )
    assert len(faults) == 4
    assert "principalId" in faults[0].reason
    assert "clientId" in faults[1].reason
    assert "soon" in faults[2].reason


def test_okta() -> None:
    app, grant, user = rows([OKTA_APP, OKTA_GRANT, OKTA_USER])
    assert isinstance(app, AppRow)
    assert (app.name, app.publisher, app.domains) == ("Otter.ai", None, ("https://otter.ai/callback",))
    assert isinstance(grant, GrantRow)
    assert (grant.account, grant.granted_on) == ("00u1", date(2026, 1, 2))
    assert grant.permissions == {Permission("okta.users.read", "delegated")}
    assert user == AccountRow("okta", "00u1", "ada@x.example", "Ada", "suspended")
    custom = {**OKTA_GRANT, "scopeId": "scp1", "_links": {"scope": {"title": "files.read"}}}
    (named,) = rows([custom])
    assert isinstance(named, GrantRow)
    assert named.permissions == {Permission("files.read", "delegated")}
    assert everything([OKTA_GRANT, {**OKTA_GRANT, "status": "REVOKED"}]) == [grant]
    (own,) = rows([{**OKTA_GRANT, "userId": None}])
    assert isinstance(own, GrantRow)
    assert (own.account, own.permissions) == (None, {Permission("okta.users.read", "application")})
    assert [one.line for one in bad([OKTA_GRANT, {**OKTA_GRANT, "clientId": None}, {"x": 1}])] == [1, 1]


def test_slack_lists() -> None:
    (approved,) = rows({"ok": True, "approved_apps": [SLACK_APP]})
    (restricted,) = rows({"ok": True, "restricted_apps": [SLACK_APP]})
    assert isinstance(approved, AppRow)
    assert isinstance(restricted, AppRow)
    assert (approved.status, restricted.status) == ("approved", "not_allowed")
    assert approved.declared == {Permission("channels:history")}
    assert approved.verified_publisher is True


def test_the_slack_log_counts_the_last_change_of_each_person_and_app() -> None:
    later = {**SLACK_LOG, "date": "1392163300"}
    removed = {**later, "change_type": "removed"}
    other = {**SLACK_LOG, "user_id": "U2"}
    (row,) = rows({"ok": True, "logs": [removed, SLACK_LOG, other]})
    assert isinstance(row, GrantRow)
    assert (row.account, row.app_name, row.granted_on) == ("U2", "ChatGPT", date(2014, 2, 12))
    assert row.permissions == {Permission("channels:history"), Permission("chat:write")}
    service = {
        "service_id": "S1",
        "service_type": "Zapier",
        "user_id": "U1",
        "date": "1392163200",
        "change_type": "added",
    }
    (old,) = rows({"ok": True, "logs": [service]})
    assert isinstance(old, GrantRow)
    assert (old.app, old.permissions) == ("S1", None)
