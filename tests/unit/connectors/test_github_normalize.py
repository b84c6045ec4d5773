"""GitHub's JSON as records: what is read, and what is refused whole."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from lantern.connectors.github import audit, cursor, keys, normalize
from lantern.connectors.github.api import codes, heed
from lantern.connectors.github.manifest import ABOUT_THIS, PRIMARY, SECONDARY
from lantern.connectors.github.normalize import MalformedError, Owner
from lantern.connectors.github.tokens import permissions

OWNER = Owner("con_1", "9001")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def installation(**changes: Any) -> dict[str, Any]:
    return {
        "id": 31,
        "app_id": 17,
        "app_slug": "helper",
        "permissions": {"contents": "write", "metadata": "read"},
        "repository_selection": "selected",
        "suspended_at": None,
        "created_at": "2026-05-01T23:30:00.000-07:00",
        **changes,
    }


def credential(**changes: Any) -> dict[str, Any]:
    return {
        "login": "ada",
        "credential_id": 5,
        "credential_type": "OAuth app token",
        "token_last_eight": "12345678",
        "credential_authorized_at": "2026-01-26T19:06:43Z",
        "credential_accessed_at": None,
        "authorized_credential_id": 9,
        "scopes": ["repo"],
        **changes,
    }


def test_an_installation_is_dated_in_utc_and_named_by_its_page() -> None:
    one = normalize.installation(installation())
    grant = normalize.installed(one, None)
    assert (grant.granted_on, grant.app.name, grant.app.client_id) == (date(2026, 5, 2), "helper", "17")
    page = {"name": "He\nlper", "owner": {"slug": "big-enterprise"}, "external_url": "javascript:alert(1)"}
    told = normalize.installed(one, page)
    assert (told.app.name, told.app.publisher, told.app.domains) == ("He lper", "big-enterprise", ())
    assert told.app.id == grant.app.id


def test_tokens_of_one_type_are_one_grant_with_all_scopes() -> None:
    rows = [
        credential(),
        credential(credential_id=6, scopes=["gist"], credential_authorized_at="2025-01-01T00:00:00Z"),
        credential(credential_id=7, credential_type="SSH key", scopes=None),
        credential(credential_id=8, credential_type="GitHub app token", scopes=[]),
    ]
    rows[2] = {**rows[2], "token_last_eight": None, "fingerprint": "SHA256:x"}
    read = [keys.credential(row) for row in rows]
    grants = {grant.app.client_id: grant for grant in keys.authorised(read)}
    assert set(grants) == {"sso-oauth-app-token", "sso-github-app-token"}
    assert grants["sso-oauth-app-token"].scopes == {"repo", "gist"}
    assert grants["sso-oauth-app-token"].granted_on == date(2025, 1, 1)
    asset = keys.key(read[2], OWNER, None)
    assert (asset.native_id, asset.owner, asset.name) == ("sso:7", None, "SSH key of ada")
    assert asset.facts == {"type": "SSH key", "hint": "SHA256:x"}


def test_a_token_that_expired_says_so() -> None:
    row = {
        "id": 4,
        "owner": {"id": 7},
        "permissions": {"organization": {"members": "read"}, "repository": {"contents": "write"}},
        "repository_selection": "all",
        "token_name": "x" * 900,
        "token_expired": True,
        "token_expires_at": "2026-01-01T00:00:00Z",
        "token_last_used_at": None,
        "access_granted_at": "2025-01-01T00:00:00Z",
    }
    asset = keys.token_asset(keys.personal_token(row), OWNER)
    assert (asset.state, len(asset.name), asset.owner) == ("expired", 200, OWNER.principal_id("7"))
    assert asset.facts["scopes"] == ("contents:write", "members:read")


def test_a_seat_without_a_person_is_nobody_s() -> None:
    assert normalize.seat({"created_at": "2026-01-01T00:00:00Z", "assignee": None}) is None


@pytest.mark.parametrize(
    ("reader", "row"),
    [
        (normalize.installation, installation(permissions=None)),
        (normalize.installation, installation(permissions={"contents": 1})),
        (normalize.installation, installation(app_id="17")),
        (normalize.installation, installation(app_slug="")),
        (normalize.installation, installation(created_at="yesterday")),
        (normalize.installation, installation(created_at="2026-05-01T23:30:00")),
        (normalize.installation, []),
        (keys.credential, credential(login=None)),
        (keys.credential, credential(scopes="repo")),
        (keys.credential, credential(credential_id=True)),
        (keys.credential, None),
        (normalize.seat, {"created_at": "2026-01-01T00:00:00Z"}),
        (normalize.seat, {"created_at": 1, "assignee": {"id": 1}}),
        (normalize.seat, {"created_at": None, "assignee": {"login": "a"}}),
        (keys.personal_token, {"id": 1, "permissions": {"organization": "read"}}),
        (keys.personal_token, {}),
    ],
)
def test_what_has_not_the_documented_shape_is_refused(reader: Any, row: Any) -> None:
    with pytest.raises(MalformedError):
        reader(row)


def test_who_may_write_may_read() -> None:
    held = permissions({"members": "read", "contents": "write", "projects": "admin", "odd": 3})
    assert held == {
        *("members:read", "contents:write", "contents:read"),
        *("projects:admin", "projects:write", "projects:read"),
    }
    assert permissions(None) == frozenset()


def test_headers_decide_which_limit_it_was_and_how_long_to_wait() -> None:
    reset = str(int(NOW.timestamp()) + 1800)
    spent = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset, "retry-after": "9"}
    assert heed(403, spent, frozenset(), NOW).codes == {PRIMARY}
    assert heed(429, spent, frozenset(), NOW).retry_after_s == 1801
    told = heed(403, {"x-ratelimit-remaining": "12", "retry-after": "9"}, frozenset(), NOW)
    assert (told.codes, told.retry_after_s) == ({SECONDARY}, 9)
    assert heed(403, {}, frozenset({SECONDARY}), NOW).retry_after_s == 60
    assert heed(429, {"retry-after": "soon"}, frozenset(), NOW).retry_after_s == 60
    # A refusal of another sort, with quota left: no limit at all.
    assert heed(403, {"x-ratelimit-remaining": "12"}, frozenset({ABOUT_THIS}), NOW).codes == frozenset()
    assert heed(500, spent, frozenset(), NOW).codes == frozenset()


def test_a_body_says_whose_it_is() -> None:
    docs = "https://docs.github.com/rest"
    assert codes({"message": "Not Found", "documentation_url": f"{docs}/a#b"}) == {ABOUT_THIS}
    assert codes({"message": "Not Found", "documentation_url": docs}) == frozenset()
    limited = {"message": "You have exceeded a secondary rate limit.", "documentation_url": docs}
    assert codes(limited) == {SECONDARY}
    for nothing in (None, [], {}, {"message": "x"}, {"message": 1, "documentation_url": docs}):
        assert codes(nothing) == frozenset()


def test_an_event_names_the_person_or_else_who_did_it() -> None:
    row = {"action": "org.add_member", "_document_id": "d", "@timestamp": 1_700_000_000_000}
    both = audit.entry({**row, "user": "ben", "user_id": 8, "actor": "ada", "actor_id": 7})
    assert both
    assert (both.native_id, both.login) == ("8", None)
    alone = audit.entry({**row, "action": "org_credential_authorization.grant", "actor": "ada"})
    assert alone
    assert (alone.native_id, alone.login) == (None, "ada")
    assert audit.entry({**row, "action": "repo.create", "actor_id": 7}) is None
    assert audit.entry(row) is None
    app = audit.entry({**row, "action": "org.oauth_app_access_approved", "actor_id": 7})
    assert app
    assert app.native_id == "organisation"
    for broken in ({}, {**row, "_document_id": None}, {**row, "@timestamp": "now"}):
        with pytest.raises(MalformedError):
            audit.entry(broken)


def test_a_cursor_survives_being_kept_and_forgets_what_is_settled() -> None:
    one = cursor.remember(cursor.start(NOW), [("new", NOW), ("old", NOW - timedelta(hours=3))])
    assert cursor.load(cursor.dump(one)) == one
    settled = cursor.settle(one, NOW + timedelta(minutes=30))
    assert set(settled.seen) == {cursor.digest("new")}
    assert settled.settled == NOW - timedelta(minutes=30)
    many = cursor.remember(one, ((f"key-{n}", NOW + timedelta(seconds=n)) for n in range(1, 1500)))
    assert len(many.seen) == cursor.SEEN_LIMIT
    assert len(cursor.dump(many)) < 50_000
