"""Every provider's table: what leads to takeover, whom a grant reaches, and that nothing is silently low."""

import json
from statistics import correlation
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lantern.domain.scopes import (
    Access,
    DataClass,
    Grant,
    classify,
    severity_of,
    severity_rank,
)
from lantern.services.scopes import load_table
from scripts.build.compile_scopes import SOURCES, compile_table
from tests.unit.knowledge.graph_tiers import TIERS

PROVIDERS = (
    "anthropic", "atlassian", "box", "dropbox", "entra", "github", "google", "hubspot", "notion", "okta",
    "openai", "salesforce", "slack", "zoom",
)  # fmt: skip
APPLICATION, DELEGATED, EVERYONE = Grant("application"), Grant("delegated"), Grant("delegated", True)
_TABLES = {
    path.stem: load_table(json.loads(json.dumps(compile_table(path))))
    for path in sorted(SOURCES.glob("*.yaml"))
}


def rank(provider: str, scope: str, grant: Grant = Grant()) -> int:  # noqa: B008 - it is frozen
    return severity_rank(classify(provider, scope, table=_TABLES[provider], grant=grant).severity)


def spearman(one: list[float], other: list[float]) -> float:
    """Rank correlation; equal values share the middle of their ranks."""

    def ranks(values: list[float]) -> list[float]:
        ordered = sorted(values)
        return [ordered.index(value) + (ordered.count(value) - 1) / 2 for value in values]

    return correlation(ranks(one), ranks(other))


def families(provider: str) -> list[str]:
    """One name for each pattern of a table's grammar and each of its operations."""
    table = _TABLES[provider]
    cores = [family.pattern.strip("*") for family in table.families]
    ends = [pattern.strip("*") for pattern, _ in table.operations]
    return [core.rstrip(end[:1]) + end if end[:1] in ".:_" else core + end for core in cores for end in ends]


def test_every_provider_has_a_table() -> None:
    assert tuple(_TABLES) == PROVIDERS


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_written_scope_is_known_and_said_plainly(provider: str) -> None:
    table = _TABLES[provider]
    for scope in table.rows:
        for grant in (Grant(), APPLICATION, DELEGATED, EVERYONE):
            found = classify(provider, scope, table=table, grant=grant)
            assert found.source == "table", scope
            assert found.sentence[0].isupper(), scope
            assert not found.sentence.endswith("."), scope
            assert "{" not in found.sentence, scope
            assert found.data_class in get_args(DataClass)


@pytest.mark.parametrize("provider", PROVIDERS)
@given(data=st.data())
def test_the_organisation_is_never_less_than_one_person(provider: str, data: st.DataObject) -> None:
    table = _TABLES[provider]
    scope = data.draw(st.sampled_from([*table.rows, *families(provider)]))
    one, everyone, app = (rank(provider, scope, grant) for grant in (DELEGATED, EVERYONE, APPLICATION))
    assert one <= everyone <= app
    assert min(one, app) <= rank(provider, scope) <= max(one, app)


@pytest.mark.parametrize("provider", PROVIDERS)
@given(name=st.text(min_size=1, max_size=40))
def test_what_is_not_known_is_said_and_never_low(provider: str, name: str) -> None:
    found = classify(provider, f"zzq{name}", table=_TABLES[provider])
    if not found.known:
        assert (found.source, found.data_class, found.label) == ("unknown", None, None)
        assert severity_rank(found.severity) >= severity_rank("medium")
    else:
        assert found.source == "grammar"


@given(
    data_class=st.sampled_from(get_args(DataClass)),
    pair=st.sampled_from(
        [
            ("metadata", "read"),
            ("read", "write"),
            ("read", "send"),
            ("read", "delete"),
            ("write", "admin"),
            ("admin", "impersonate"),
        ]
    ),
)
def test_more_access_is_never_less_severe(data_class: DataClass, pair: tuple[Access, Access]) -> None:
    less, more = (severity_rank(severity_of(data_class, access)) for access in pair)
    assert less <= more


@pytest.mark.parametrize("grant", [APPLICATION, DELEGATED])
def test_changing_is_never_less_than_reading(grant: Grant) -> None:
    resources = {scope.split(".")[0] for names in TIERS.values() for scope in names.split()}
    for resource in sorted(resources):
        assert rank("entra", f"{resource}.ReadWrite.All", grant) >= rank(
            "entra", f"{resource}.Read.All", grant
        ), resource


@pytest.mark.parametrize(
    ("provider", "scopes"),
    [
        ("entra", TIERS[0]),
        ("entra", """full_access_as_app Exchange.ManageAsApp Sites.FullControl.All
                     Directory.AccessAsUser.All"""),
        ("okta", """okta.users.manage okta.roles.manage okta.apps.manage okta.appGrants.manage
                    okta.groups.manage okta.policies.manage okta.authenticators.manage
                    okta.idps.manage okta.apiTokens.manage okta.authorizationServers.manage
                    okta.factors.manage okta.sessions.manage ssws"""),
        ("slack", """admin admin.users:write admin.roles:write admin.teams:write admin.apps:write
                     admin.conversations:write scim:write discovery:read discovery:write"""),
        ("github", """repo admin:org delete_repo workflow admin:enterprise site_admin admin:public_key
                      contents:write administration:write members:write organization_administration:write
                      secrets:write workflows=write"""),
        ("salesforce", """full web ModifyAllData ViewAllData ManageUsers AuthorApex CustomizeApplication
                          PermissionsModifyAllData ManageConnectedApps ResetPasswords"""),
        ("google", """https://www.googleapis.com/auth/admin.directory.user
                      https://www.googleapis.com/auth/admin.directory.rolemanagement
                      https://www.googleapis.com/auth/admin.directory.user.security
                      https://www.googleapis.com/auth/cloud-platform"""),
        ("openai", "admin_key sk-admin api.management.write"),
        ("anthropic", "admin_key sk-ant-admin01 primary_owner"),
        ("atlassian", "manage:org manage:directory act_as_user manage:jira-configuration"),
        ("zoom", "user:write:admin role:write:admin account:write:admin user:master"),
        ("box", "admin_on_behalf_of manage_managed_users root_readwrite"),
        ("dropbox", "members.write team_data.member team_member_file_access"),
        ("hubspot", "settings.users.write"),
    ],
)  # fmt: skip
def test_what_leads_to_takeover_is_critical(provider: str, scopes: str) -> None:
    found = {
        scope: classify(provider, scope, table=_TABLES[provider], grant=APPLICATION)
        for scope in scopes.split()
    }
    assert {scope: one.severity for scope, one in found.items()} == dict.fromkeys(found, "critical")
    assert all(one.known for one in found.values())


def test_application_permissions_rank_as_judged_by_hand() -> None:
    tiers = [(scope, -tier) for tier, names in TIERS.items() for scope in names.split()]
    assert len(tiers) == len(dict(tiers)) >= 80
    found = [float(rank("entra", scope, APPLICATION)) for scope, _ in tiers]
    agreement = spearman(found, [float(tier) for _, tier in tiers])
    assert agreement >= 0.9, agreement


@pytest.mark.parametrize(
    ("scope", "one", "everyone"),
    [
        ("Mail.Read", "high", "critical"),
        ("Files.ReadWrite.All", "high", "critical"),
        ("Calendars.Read", "medium", "high"),
        ("User.Read", "low", "low"),
        ("openid", "none", "none"),
        ("RoleManagement.ReadWrite.Directory", "critical", "critical"),
        ("TeamSettings.ReadWrite.All", "low", "medium"),
        ("DeviceManagementScripts.ReadWrite.All", "high", "critical"),
    ],
)
def test_consent_for_everyone_reaches_everyone(scope: str, one: str, everyone: str) -> None:
    table = _TABLES["entra"]
    found = [
        classify("entra", scope, table=table, grant=grant).severity
        for grant in (DELEGATED, EVERYONE, APPLICATION, Grant())
    ]
    assert found == [one, everyone, everyone, everyone]


def test_the_sentence_says_whom_it_reaches() -> None:
    table = _TABLES["entra"]
    said = [classify("entra", "Mail.Send", table=table, grant=g).sentence for g in (DELEGATED, APPLICATION)]
    assert said == ["Send e-mail as the person", "Send e-mail as anyone"]
    wide = classify(
        "google", "https://www.googleapis.com/auth/drive.readonly", table=_TABLES["google"], grant=APPLICATION
    )
    assert (wide.sentence, wide.severity) == ("Read every file in everyone's Drive", "critical")


@pytest.mark.parametrize(
    ("provider", "scope", "data_class", "access", "severity"),
    [
        ("entra", "https://graph.microsoft.com/Mail.Read", "mail", "read", "critical"),
        ("entra", "https://outlook.office365.com/EWS.AccessAsUser.All", "mail", "admin", "critical"),
        ("entra", "https://outlook.office.com/IMAP.AccessAsUser.All", "mail", "write", "critical"),
        ("entra", "https://contoso.sharepoint.com/AllSites.FullControl", "files", "admin", "critical"),
        (
            "entra",
            "https://management.azure.com/user_impersonation",
            "infrastructure",
            "impersonate",
            "critical",
        ),
        ("entra", "https://graph.microsoft.com/.default", "directory", "admin", "high"),
        ("entra", "mail.readwrite", "mail", "write", "critical"),
        ("entra", "ThreatIndicators.ReadWrite.OwnedBy", "security", "write", "medium"),
        ("entra", "Chat.Read.WhereInstalled", "chat", "read", "high"),
        ("entra", "NewMailboxThing.Read.All", "mail", "read", "high"),
        ("github", "issues: write", "code", "write", "medium"),
        ("github", "dependabot_secrets=write", "security", "write", "critical"),
        ("slack", "channels:history", "chat", "read", "high"),
        ("okta", "okta.devices.read", "device", "read", "medium"),
        ("okta", "okta.users.read.self", "identity", "read", "low"),
        ("salesforce", "api", "crm", "write", "high"),
        ("atlassian", "read:issue:jira", "files", "read", "high"),
        ("atlassian", "delete:page:confluence", "files", "delete", "critical"),
        ("zoom", "cloud_recording:read:list_user_recordings:admin", "chat", "read", "critical"),
        ("zoom", "meeting:read:list_meetings", "calendar", "read", "low"),
        ("hubspot", "crm.objects.products.read", "crm", "read", "high"),
        ("dropbox", "files.content.read", "files", "read", "high"),
        ("openai", "api.files.read", "files", "read", "high"),
        ("anthropic", "read:compliance_user_data", "security", "read", "critical"),
        ("notion", "read content", "files", "read", "high"),
        ("box", "root_readonly", "files", "read", "high"),
    ],
)
def test_names_as_providers_write_them(
    provider: str, scope: str, data_class: str, access: str, severity: str
) -> None:
    found = classify(provider, scope, table=_TABLES[provider])
    assert (found.data_class, found.access, found.severity) == (data_class, access, severity)


@pytest.mark.parametrize(
    ("scope", "severity"), [("Zzz.Read.All", "medium"), ("Zzz.ReadWrite.All", "high"), ("Zzz", "high")]
)
def test_a_new_name_is_unknown_by_its_operation(scope: str, severity: str) -> None:
    found = classify("entra", scope, table=_TABLES["entra"], grant=APPLICATION)
    assert (found.known, found.severity) == (False, severity)
