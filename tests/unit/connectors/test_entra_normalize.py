"""Graph's JSON as Lantern's records: accounts, apps, consents, roles, agents."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lantern.connectors.entra import feeds, grants, normalize
from lantern.connectors.entra.manifest import GRAPH_APP_ID
from lantern.domain import ids
from lantern.domain.scopes import ScopeClass
from lantern.services.scopes import Scopes
from scripts.build import compile_scopes

TENANT = "aaaaaaaa-0000-4000-8000-000000000001"
MICROSOFT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
EXCHANGE = "00000002-0000-0ff1-ce00-000000000000"
OWN = "bbbbbbbb-0000-4000-8000-000000000001"
# The example of Microsoft's documentation of oAuth2PermissionGrant.
DOCUMENTED = {
    "clientId": "ef969797-201d-4f6b-960c-e9ed5f31dab5",
    "consentType": "AllPrincipals",
    "id": "l5eW7x0ga0-WDOntXzHateQDNpSH5-lPk9HjD3Sarjk",
    "principalId": None,
    "resourceId": "943603e4-e787-4fe9-93d1-e30f749aae39",
    "scope": " DelegatedPermissionGrant.ReadWrite.All  openid",
}


def person(admins: frozenset[str] | None = frozenset(), **more: Any):
    row = {
        "id": "u1",
        "displayName": "Ada",
        "userPrincipalName": "Ada@corp.example",
        "accountEnabled": True,
        **more,
    }
    return normalize.principal(row, connection_id="con_1", organisation_id=TENANT, admins=admins)


def app(app_id: str, name: str = "App", **more: Any) -> grants.Service:
    return grants.service(
        {"id": f"sp-{app_id}", "appId": app_id, "displayName": name, **more}, organisation_id=TENANT
    )


def services() -> dict[str, grants.Service]:
    role = {"id": "r1", "value": "Mail.Read", "allowedMemberTypes": ["Application"]}
    found = [
        app(GRAPH_APP_ID, "Graph", appOwnerOrganizationId=MICROSOFT, appRoles=[role]),
        app(
            EXCHANGE,
            "Exchange",
            appOwnerOrganizationId=MICROSOFT,
            servicePrincipalNames=["https://outlook.com/"],
        ),
        app(OWN, "Orders", appOwnerOrganizationId=TENANT),
        app("client", "Notes", preferredSingleSignOnMode=None),
    ]
    return {one.id: one for one in found}


def given(resource: str, scope: str, principal: str | None = "u1") -> grants.Consent:
    kind = "Principal" if principal else "AllPrincipals"
    row = {
        "id": f"{resource}{scope}",
        "clientId": "sp-client",
        "resourceId": f"sp-{resource}",
        "consentType": kind,
    }
    return grants.consent({**row, "principalId": principal, "scope": scope})


def assigned(resource: str = "sp-client", role: str = grants.NO_ROLE, kind: str = "User", **more: Any):
    row = {
        "id": f"{resource}{role}{kind}",
        "principalId": "u1",
        "principalType": kind,
        "resourceId": resource,
    }
    return grants.assignment({**row, "appRoleId": role, "createdDateTime": "2026-03-04T05:06:07Z", **more})


def test_an_account_has_the_addresses_that_its_tenant_gave_it_and_not_those_it_gave_itself():
    found = person(
        frozenset({"u1"}),
        mail="Ada.L@corp.example",
        otherMails=["ada@home.example"],
        proxyAddresses=[
            "SMTP:ada.l@corp.example",
            "smtp:al@corp.example",
            "x500:/o=corp",
            "SIP:ada@corp.example",
        ],
        signInActivity={
            "lastSignInDateTime": "2026-01-02T00:00:00Z",
            "lastNonInteractiveSignInDateTime": None,
        },
        department="IT",
    )
    assert (found.email, found.admin, found.status, found.kind) == (
        "ada.l@corp.example",
        True,
        "active",
        "user",
    )
    assert found.aliases == ("ada@corp.example", "al@corp.example")
    assert (found.last_login, found.org_unit) == (date(2026, 1, 2), "IT")
    assert found.id == ids.principal_id("entra", TENANT, "u1")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"accountEnabled": False}, {"status": "suspended"}),
        ({"isResourceAccount": True}, {"kind": "shared"}),
        ({"identityParentId": "agent"}, {"kind": "service"}),
        ({"mail": None}, {"email": "ada@corp.example", "aliases": ()}),
        (
            {
                "userType": "Guest",
                "userPrincipalName": "bo_x.example#EXT#@corp.example",
                "mail": "bo@x.example",
            },
            {"email": "bo@x.example", "aliases": (), "org_unit": "Guests"},
        ),
        (
            {"userPrincipalName": "bo_x.example#EXT#@corp.example", "otherMails": ["bo@x.example"]},
            {"email": "bo_x.example#ext#@corp.example", "aliases": ()},
        ),
        ({"signInActivity": {"lastSignInDateTime": "1601-01-01T00:00:00Z"}}, {"last_login": None}),
        ({"displayName": "A\r\nSet-Cookie: x"}, {"name": "A  Set-Cookie: x"}),
    ],
)
def test_what_marks_an_account(more: dict[str, Any], expected: dict[str, Any]):
    found = person(**more)
    assert {name: getattr(found, name) for name in expected} == expected


def test_who_is_no_administrator_and_who_is_not_known_to_be_one():
    assert person(frozenset({"other"})).admin is False
    assert person(None).admin is None


def test_an_app_is_described_by_what_the_tenant_knows_of_it():
    verified = {"displayName": "Notes Inc.", "verifiedPublisherId": "9", "addedDateTime": None}
    reply = [
        "https://notes.example/cb",
        "http://localhost:1",
        "https://127.0.0.1/x",
        "notes://cb",
        "https://[bad",
    ]
    found = app(
        "client", verifiedPublisher=verified, replyUrls=reply, homepage="https://www.notes.example/"
    ).app
    assert (found.publisher, found.verified_publisher) == ("Notes Inc.", True)
    assert found.domains == ("www.notes.example", "notes.example")
    assert found.id == ids.app_id("entra", "client")
    assert app("x").app.verified_publisher is False
    own = app(OWN, appOwnerOrganizationId=TENANT.upper()).app
    assert (own.publisher, own.verified_publisher) == (None, None)
    theirs = app(EXCHANGE, appOwnerOrganizationId=MICROSOFT).app
    assert (theirs.publisher, theirs.verified_publisher) == ("Microsoft", True)


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"@odata.type": "#microsoft.graph.agentIdentity"}, "agent"),
        ({"@odata.type": "#microsoft.graph.agentIdentityBlueprintPrincipal"}, "agent"),
        ({"preferredSingleSignOnMode": "saml"}, "sso"),
        ({"servicePrincipalType": "ManagedIdentity"}, "integration"),
        ({"preferredSingleSignOnMode": "oidc"}, "oauth"),
    ],
)
def test_the_kind_of_an_app(more: dict[str, Any], kind: str):
    assert app("x", **more).app.kind == kind


def test_permissions_say_which_api_they_are_of():
    known = services()
    held = [
        given(GRAPH_APP_ID, " openid Mail.Read"),
        given(EXCHANGE, "EWS.AccessAsUser.All"),
        given(OWN, "Files.Read.All offline_access"),
    ]
    (found,) = grants.user_grants(held, [], known)
    assert found.scopes == {
        "openid", "Mail.Read", "https://outlook.office365.com/EWS.AccessAsUser.All",
        f"app:{OWN}/Files.Read.All", "offline_access",
    }  # fmt: skip
    assert found.source == "consent"


def test_an_unknown_api_of_microsoft_goes_by_its_first_address():
    names = ["guid", "https://b.dynamics.com/", "https://a.dynamics.com:443/x", "http://c.example"]
    assert (
        app("d", appOwnerOrganizationId=MICROSOFT, servicePrincipalNames=names).speaks
        == "https://a.dynamics.com/"
    )
    assert app("d", appOwnerOrganizationId=MICROSOFT).speaks == "api://d/"


@pytest.fixture(scope="module")
def scopes(tmp_path_factory: pytest.TempPathFactory) -> Scopes:
    out: Path = tmp_path_factory.mktemp("scopes")
    compile_scopes.compile_to(out)
    return Scopes(out)


def test_permissions_are_classified_by_their_api(scopes: Scopes):
    def said(text: str) -> ScopeClass:
        return scopes.classify("entra", text)

    assert said("https://outlook.office365.com/EWS.AccessAsUser.All").data_class == "mail"
    assert said("https://management.azure.com/user_impersonation").severity == "critical"
    own = said(f"app:{OWN}/Files.Read.All")
    assert (own.data_class, own.access, own.known) == ("infrastructure", "read", True)
    assert said("Files.Read.All").data_class == "files"
    assert said(f"app:{OWN}/user_impersonation").access == "impersonate"
    assert not said(f"app:{OWN}/Orders").known, "a word that says nothing is not guessed at"


def test_an_assignment_is_a_grant_of_its_own_only_without_a_consent():
    known = services()
    both = grants.user_grants([given(GRAPH_APP_ID, "User.Read")], [assigned()], known)
    assert [(one.source, one.scopes) for one in both] == [("consent", {"User.Read"})]
    twice = [assigned(), assigned(kind="Group", createdDateTime="2026-01-01T00:00:00Z")]
    (alone,) = grants.user_grants([], twice, known)
    assert (alone.source, alone.scopes, alone.granted_on) == ("assignment", {"openid"}, date(2026, 1, 1))


def test_roles_of_apps_are_named_by_the_api_that_defines_them():
    known, graph = services(), f"sp-{GRAPH_APP_ID}"
    mine = {"principalId": "sp-client", "kind": "ServicePrincipal"}
    held = [
        assigned(graph, "r1", **mine),
        assigned(graph, "gone", **{**mine, "createdDateTime": "2026-09-09T00:00:00Z"}),
        assigned(graph, **mine),
    ]
    (found,) = grants.app_grants(held, known)
    assert found.scopes == {"Mail.Read", "gone"}
    assert (found.source, found.granted_on) == ("application", date(2026, 9, 9))


def test_who_answers_for_an_agent():
    row = {"id": "a1", "displayName": "Bot", "accountEnabled": False, "appId": "a1",
           "createdDateTime": "2026-01-01T00:00:00Z",
           "agentIdentityBlueprintId": "b1"}  # fmt: skip
    how = {"connection_id": "con_1", "organisation_id": TENANT}
    group = {"@odata.type": "#microsoft.graph.group", "id": "g1"}
    user = {"@odata.type": "#microsoft.graph.user", "id": "u1"}
    found = normalize.agent(row, sponsors=[group], owners=[user], **how)
    assert (found.owner, found.state) == (ids.principal_id("entra", TENANT, "u1"), "disabled")
    assert found.facts == {"blueprint": "b1", "sponsors": ("g1",)}
    assert normalize.agent(row, sponsors=[], owners=[group], **how).owner is None


def test_the_holder_is_read_out_of_the_id_of_a_grant():
    assert feeds.holder_in(DOCUMENTED["id"]) == "AllPrincipals"
    from tests.simulators.entra.model import grant_id

    some = grant_id(DOCUMENTED["clientId"], DOCUMENTED["resourceId"], OWN)
    assert feeds.holder_in(some) == OWN
    assert feeds.holder_in("no-such-thing") is None
    assert feeds.holder_in("\N{SNOWMAN}") is None


def test_microsofts_own_example_of_a_grant():
    found = grants.consent(DOCUMENTED)
    assert found.principal is None
    assert found.scopes == ("DelegatedPermissionGrant.ReadWrite.All", "openid")


@pytest.mark.parametrize(
    "row",
    [
        {},
        {**DOCUMENTED, "clientId": None},
        {**DOCUMENTED, "scope": 7},
        {**DOCUMENTED, "consentType": "Principal"},
    ],
)
def test_a_grant_of_another_shape_is_refused(row: dict[str, Any]):
    with pytest.raises(normalize.MalformedError):
        grants.consent(row)
