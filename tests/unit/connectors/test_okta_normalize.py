"""Okta's JSON as records: samples of the documented shapes, and what is refused."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from lantern.connectors.okta import events, normalize
from lantern.connectors.okta.normalize import MalformedError
from lantern.domain import ids

OWNER = {"connection_id": "con_1", "organisation_id": "00o1"}


def user(**changes: Any) -> dict[str, Any]:
    profile = {
        "firstName": "Jo",
        "lastName": "Doe",
        "login": "jdoe@corp.example",
        "email": "Jo.Doe@Example.com",
    }
    return {
        "id": "00u1",
        "status": "ACTIVE",
        "lastLogin": "2026-10-01T08:00:00.000Z",
        "profile": {**profile, "department": "Sales", "mobilePhone": None},
        **changes,
    }


@pytest.mark.parametrize(
    ("given", "status"),
    [
        *((one, "active") for one in ("ACTIVE", "LOCKED_OUT", "PASSWORD_EXPIRED", "PROVISIONED", "RECOVERY")),
        ("STAGED", "active"),
        ("SUSPENDED", "suspended"),
        ("DEPROVISIONED", "archived"),
    ],
)
def test_every_documented_status_is_known(given: str, status: str) -> None:
    made = normalize.principal(user(status=given), admin=True, **OWNER)
    assert made.status == status
    assert (made.native_id, made.email, made.name) == ("00u1", "jo.doe@example.com", "Jo Doe")
    assert (made.org_unit, made.last_login, made.admin) == ("Sales", date(2026, 10, 1), True)
    assert made.aliases == ("jdoe@corp.example",)


def test_a_user_without_id_or_with_another_status_is_refused() -> None:
    for row in (user(id=None), user(status="ASLEEP"), {}):
        with pytest.raises(MalformedError):
            normalize.principal(row, admin=None, **OWNER)
    plain = normalize.principal(user(profile={"login": "jdoe"}, lastLogin=None), admin=None, **OWNER)
    assert (plain.email, plain.name, plain.last_login, plain.aliases) == (None, None, None, ())


def app(**changes: Any) -> dict[str, Any]:
    return {
        "id": "0oa1",
        "name": "slack",
        "label": "Slack \u0007for all",
        "status": "ACTIVE",
        "signOnMode": "SAML_2_0",
        "credentials": {},
        "settings": {"app": {}, "signOn": {"ssoAcsUrl": "https://acme.slack.com/sso/saml"}},
        **changes,
    }


def test_a_catalogued_integration_says_who_made_it() -> None:
    made = normalize.app(app())
    assert made is not None
    assert (made.app.client_id, made.app.kind, made.app.publisher) == ("0oa1", "sso", "slack")
    assert (made.app.name, made.app.domains) == ("Slack  for all", ("https://acme.slack.com/sso/saml",))
    assert (made.usable, made.has_client) == (True, False)
    for generic in ("oidc_client", "template_saml_2_0", "template_basic_auth"):
        custom = normalize.app(app(name=generic))
        assert custom is not None
        assert custom.app.publisher is None


def test_apps_are_named_by_their_client_and_surfaces_are_left_out() -> None:
    client = {
        "client_uri": "https://notes.example.com",
        "application_type": "service",
        "redirect_uris": ["app:/cb"],
    }
    made = normalize.app(
        app(
            name="oidc_client",
            status="INACTIVE",
            credentials={"oauthClient": {"client_id": "notes-1"}},
            settings={"oauthClient": client},
        )
    )
    assert made is not None
    assert (made.app.client_id, made.native_id, made.app.kind) == ("notes-1", "0oa1", "oauth")
    assert (made.app.domains, made.usable, made.has_client) == (("https://notes.example.com",), False, True)
    assert normalize.app(app(signOnMode="BOOKMARK")) is None
    assert normalize.app(app(name="okta_enduser")) is None
    with pytest.raises(MalformedError):
        normalize.app({"name": "slack"})


def grant(scope: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"oag-{scope}",
        "status": "ACTIVE",
        "created": "2026-08-05T20:40:09.000Z",
        "scopeId": scope,
        "clientId": "notes-1",
        "source": "END_USER",
        "_links": {"client": {"title": "Notes"}},
        **changes,
    }


def test_scopes_of_a_custom_authorization_server_are_known_by_name() -> None:
    rows = [
        grant("openid"),
        grant("scp142", _embedded={"scope": {"id": "scp142", "name": "files.read"}}),
        grant("scp143", _links={"scope": {"title": "files.write"}}, created="2026-07-01T00:00:00.000Z"),
        grant("scp144", status="REVOKED"),
    ]
    (made,) = normalize.grants(normalize.consented(rows), (), {})
    assert made.scopes == {"openid", "files.read", "files.write"}
    assert (made.app.id, made.app.name, made.app.kind) == (ids.app_id("okta", "notes-1"), "Notes", "oauth")
    assert (made.granted_on, made.source) == (date(2026, 7, 1), "consent")
    with pytest.raises(MalformedError):
        normalize.consented([{"id": "oag1", "scopeId": "x"}])


def test_consent_to_an_app_one_is_assigned_to_makes_one_grant() -> None:
    listed = normalize.app(app(credentials={"oauthClient": {"client_id": "notes-1"}}))
    assert listed is not None
    held = ((listed.app, date(2025, 1, 1)),)
    (alone,) = normalize.grants((), held, {})
    assert (alone.scopes, alone.source, alone.granted_on) == ({"openid"}, "assignment", date(2025, 1, 1))
    (both,) = normalize.grants(normalize.consented([grant("files.read")]), held, {"notes-1": listed.app})
    assert (both.scopes, both.source, both.granted_on) == (
        {"openid", "files.read"},
        "consent",
        date(2026, 8, 5),
    )
    assert both.app == listed.app


def test_an_assignment_that_lets_nobody_in_is_none() -> None:
    row = {"id": "00u1", "scope": "GROUP", "status": "ACTIVE", "created": "2026-01-02T00:00:00.000Z"}
    assert normalize.assigned(row) == normalize.Assigned("00u1", True, date(2026, 1, 2))
    assert normalize.assigned({**row, "scope": "USER", "created": None}) == normalize.Assigned(
        "00u1", False, None
    )
    for status in ("SUSPENDED", "DEPROVISIONED", "INACTIVE", "UNASSIGNED"):
        assert normalize.assigned({**row, "status": status}) is None
    with pytest.raises(MalformedError):
        normalize.assigned({"scope": "USER"})


def test_api_tokens_have_an_owner_a_last_use_and_no_secret() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    row = {
        "id": "00T1",
        "name": "backup script",
        "userId": "00u1",
        "clientName": "Okta API",
        "created": "2026-01-01T00:00:00.000Z",
        "lastUpdated": "2026-11-20T00:00:00.000Z",
        "expiresAt": "2026-12-20T00:00:00.000Z",
        "network": {"connection": "ANYWHERE"},
    }
    made = normalize.api_token(row, now=now, **OWNER)
    assert (made.kind, made.state, made.owner) == (
        "api_key",
        "active",
        ids.principal_id("okta", "00o1", "00u1"),
    )
    assert made.last_used_at == datetime(2026, 11, 20, tzinfo=UTC)
    assert dict(made.facts) == {"made_with": "Okta API", "network": "ANYWHERE"}
    stale = {**row, "lastUpdated": row["created"], "expiresAt": "2026-01-31T00:00:00.000Z"}
    made = normalize.api_token(stale, now=now, **OWNER)
    assert (made.state, made.last_used_at) == ("expired", None)


def test_agents_and_integrations() -> None:
    agent = normalize.agent(
        {"id": "wlp1", "status": "STAGED", "appId": "0oa9", "profile": {"name": "Helpdesk"}},
        connection_id="con_1",
    )
    assert (agent.kind, agent.state, agent.client_id, agent.name) == ("agent", "disabled", "0oa9", "Helpdesk")
    row = {"id": "0oa2", "name": "Scanner", "type": "scanner", "grantedScopes": ["okta.logs.read"]}
    made = normalize.integration({**row, "createdAt": "2026-03-01T00:00:00.000Z"})
    assert (made.app.kind, made.app.publisher, made.source) == ("integration", "scanner", "installation")
    assert (made.scopes, made.granted_on) == ({"okta.logs.read"}, date(2026, 3, 1))
    with pytest.raises(MalformedError):
        normalize.integration({**row, "grantedScopes": "okta.logs.read"})


def log(kind: str, **changes: Any) -> dict[str, Any]:
    return {
        "uuid": "e1",
        "published": "2026-11-23T10:00:00.000Z",
        "eventType": kind,
        "actor": {"id": "00u1", "type": "User", "alternateId": "jo@example.com"},
        "outcome": {"result": "SUCCESS"},
        "target": [{"id": "0oa1", "type": "AppInstance"}],
        **changes,
    }


def test_only_a_sign_in_that_succeeded_is_use() -> None:
    count = events.UseCount({"0oa1": "notes-1"})
    seen = [
        log("user.authentication.sso"),
        log("user.authentication.sso", published="2026-11-23T11:00:00.000Z"),
        log("user.authentication.sso", outcome={"result": "FAILURE"}),
        log("user.authentication.sso", actor={"id": "system", "type": "SystemPrincipal"}),
        log("user.session.start"),
    ]
    count.add(events.event(row) for row in seen)
    assert count.found == {("00u1", "notes-1"): (2, datetime(2026, 11, 23, 11, tzinfo=UTC))}


def test_who_acts_is_who_it_is_about_only_where_people_act_for_themselves() -> None:
    admin = log(
        "application.user_membership.add", target=[{"id": "00u7", "type": "User", "alternateId": "x@y.z"}]
    )
    assert events.event(admin).user_id == "00u7"
    assert events.event(log("app.oauth2.as.consent.revoke.user")).user_id is None
    assert events.event(log("app.oauth2.consent.grant")).user_id == "00u1"
    system = {"id": "00u9", "type": "User", "alternateId": "system@okta.com"}
    nameless = events.event(
        log("app.oauth2.as.consent.grant", actor=system, authenticationContext={"externalSessionId": "102"})
    )
    assert (nameless.user_id, nameless.nameless, nameless.session) == (None, True, "102")
    for bad in ({}, log("x", published=None), log("x", uuid=""), "x"):
        with pytest.raises(MalformedError):
            events.event(bad)


@pytest.mark.parametrize(
    ("profile", "manager"),
    [
        ({}, ""),
        ({"managerId": "00uabcdefghij0123456", "manager": "Boss"}, "00uabcdefghij0123456"),
        ({"managerId": "4711", "manager": "Boss@example.com"}, "boss@example.com"),
        ({"managerId": "4711"}, None),
        ({"manager": None}, ""),
    ],
)
def test_whom_somebody_reports_to(profile: dict[str, Any], manager: str | None) -> None:
    """Okta's own id, else an address; a number of the HR system names nobody here."""
    row = user()
    row["profile"] |= profile
    found = normalize.principal(row, connection_id="con_1", organisation_id="O", admin=None)
    assert found.manager == manager
