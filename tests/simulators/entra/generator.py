"""Makes a tenant from a seed: the people of the simulated Google's organisation, their apps and consents."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from random import Random

from tests.simulators.common.people import EMPLOYEES, MACHINES, accounts
from tests.simulators.google.generator import generate as google_organisation
from tests.simulators.google.organisation import OrgSpec

from .model import (
    APP_ADMIN,
    GLOBAL_ADMIN,
    GRAPH_APP,
    GRAPH_ROLES,
    MICROSOFT,
    NO_ROLE,
    READERS,
    Json,
    Tenant,
    grant_id,
    guid,
)

MICROSOFT_APIS = (
    (GRAPH_APP, "Microsoft Graph", ["https://graph.microsoft.com"], "", GRAPH_ROLES),
    ("00000002-0000-0ff1-ce00-000000000000", "Office 365 Exchange Online",
     ["https://outlook.office365.com:443/", "https://outlook.office365.com", "https://outlook.office.com"],
     "https://outlook.office365.com/", ("full_access_as_app", "Exchange.ManageAsApp")),
    ("797f4846-ba00-4fd7-ba43-dac1f8f63013", "Windows Azure Service Management API",
     ["https://management.azure.com/", "https://management.core.windows.net/"],
     "https://management.azure.com/", ()),
    ("00000007-0000-0000-c000-000000000000", "Dataverse", ["https://admin.services.crm.dynamics.com/"],
     "https://admin.services.crm.dynamics.com/", ()),
)  # fmt: skip
_SCOPES = (
    ("gmail", "Mail.Read"), ("mail.google", "Mail.ReadWrite"), ("drive", "Files.Read.All"),
    ("calendar", "Calendars.Read"), ("contacts", "Contacts.Read"), ("spreadsheets", "Files.ReadWrite"),
    ("admin.directory", "Directory.Read.All"),
)  # fmt: skip
AUTOMATIONS = (
    ("Nightly mail archive", ("Mail.Read",), ("full_access_as_app",)),
    ("HR onboarding robot", ("User.ReadWrite.All", "Mail.Send"), ()),
    ("Search indexer", ("Files.Read.All", "Sites.FullControl.All"), ()),
    ("Meeting room displays", ("Calendars.Read",), ()),
)


@dataclass(frozen=True, slots=True)
class TenantSpec:
    """What to generate; `anchor` is the epoch seconds that "today" means.

    `shared`: the people are `employees` of those of `tests.simulators.common.people`.
    """

    employees: int = 60
    seed: int = 7
    domain: str = "harbourline.example"
    name: str = "Harbourline"
    tenant_id: str | None = None
    anchor: float | None = None
    grants_per_user: int | None = None
    p1: bool = True
    agents: int = 4
    shared: bool = False


def iso(at: float) -> str:
    """Epoch seconds as Graph writes them."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def generate(spec: TenantSpec, now: float) -> Tenant:
    """The tenant that `spec` describes; the same spec and anchor make the same one."""
    anchor = float(int(now if spec.anchor is None else spec.anchor))
    kept = {**asdict(spec), "anchor": anchor}
    tenant = Tenant(
        spec.tenant_id or guid("tenant", spec.domain, spec.seed), spec.name, spec.domain, kept, anchor
    )
    tenant.p1 = spec.p1
    org = google_organisation(
        OrgSpec(
            EMPLOYEES if spec.shared else spec.employees, spec.seed, spec.domain, anchor=anchor,
            grants_per_user=spec.grants_per_user, machines=MACHINES if spec.shared else 0,
        ),
        now,
    )  # fmt: skip
    if spec.shared:
        chosen = accounts(spec.employees, domain=spec.domain, seed=spec.seed, machines=MACHINES)
        org.users = [org.by_email[account.person.email] for account in chosen]
    people = {user.email: _user(tenant, user, spec) for user in org.users}
    apis = {row[0]: _api(tenant, *row) for row in MICROSOFT_APIS}
    own = _own_api(tenant)
    apps = [_app(tenant, app, number) for number, app in enumerate(org.app_list)]
    number_of = {app.client_id: number for number, app in enumerate(org.app_list)}
    for user in org.users:
        row = people[user.email]
        if row["id"] not in tenant.users:
            continue
        for grant in org.grants.held_by(user):
            number = number_of[grant.client_id]
            _give(tenant, row, apps[number], number, grant.scopes, apis[GRAPH_APP], grant.granted_at)
    for user in org.users:
        if user.manager in people:
            tenant.managers[people[user.email]["id"]] = people[user.manager]["id"]
    _extras(tenant, apps, apis, own)
    _automations(tenant, apis, own, anchor)
    _agents(tenant, spec.agents, apis[GRAPH_APP], anchor)
    _administrators(tenant, [people[user.email] for user in org.users if user.is_admin])
    return tenant


def _user(tenant: Tenant, user: object, spec: TenantSpec) -> Json:
    email = str(user.email)
    row: Json = {
        "@odata.type": "#microsoft.graph.user",
        "id": guid(tenant.id, "user", email),
        "displayName": f"{user.given} {user.family}",
        "userPrincipalName": email,
        "mail": email,
        "otherMails": [],
        "proxyAddresses": [f"SMTP:{email}", f"smtp:{email.split('@', maxsplit=1)[0]}@mail.{spec.domain}"],
        "accountEnabled": user.suspended_at is None and user.archived_at is None,
        "userType": "Member",
        "department": user.department,
        "isResourceAccount": True if spec.shared and not user.title else None,
        "identityParentId": None,
        "createdDateTime": iso(user.created_at),
        "signInSessionsValidFromDateTime": iso(user.created_at),
        "signInActivity": {
            "lastSignInDateTime": iso(user.last_login_at) if user.last_login_at else None,
            "lastNonInteractiveSignInDateTime": None,
        },
    }
    if user.index % 19 == 7 and not user.is_admin and not spec.shared:
        # A guest: the sign-in name is made up by the tenant.
        outside = f"{user.given}.{user.family}@partner.example".lower()
        made_up = f"{outside.replace('@', '_')}#EXT#@{spec.domain}"
        row |= {"userType": "Guest", "mail": outside, "userPrincipalName": made_up, "proxyAddresses": []}
    (tenant.users if user.deleted_at is None else tenant.deleted)[row["id"]] = row
    return row


def service_principal(tenant: Tenant, app_id: str, name: str, **more: object) -> Json:
    """A service principal, put into the tenant."""
    row: Json = {
        "id": guid(tenant.id, "sp", app_id),
        "appId": app_id,
        "displayName": name,
        "appOwnerOrganizationId": guid("vendor", name),
        "accountEnabled": True,
        "servicePrincipalType": "Application",
        "replyUrls": [],
        "homepage": None,
        "loginUrl": None,
        "verifiedPublisher": {"displayName": None, "verifiedPublisherId": None, "addedDateTime": None},
        "preferredSingleSignOnMode": None,
        "servicePrincipalNames": [app_id],
        "appRoles": [],
        "tags": [],
        "_speaks": f"app:{app_id}/",
        **more,
    }
    tenant.apps[row["id"]] = row
    return row


def _roles(names: tuple[str, ...], kind: str = "Application") -> list[Json]:
    return [
        {
            "id": guid("role", name),
            "value": name,
            "displayName": name,
            "allowedMemberTypes": [kind],
            "isEnabled": True,
        }
        for name in names
    ]


def _api(
    tenant: Tenant, app_id: str, name: str, names: list[str], speaks: str, roles: tuple[str, ...]
) -> Json:
    return service_principal(
        tenant, app_id, name, appOwnerOrganizationId=MICROSOFT, servicePrincipalNames=[*names, app_id],
        appRoles=_roles(roles), _speaks=speaks,
    )  # fmt: skip


def _own_api(tenant: Tenant) -> Json:
    return service_principal(
        tenant, guid(tenant.id, "own api"), "Order system", appOwnerOrganizationId=tenant.id,
        appRoles=[*_roles(("Orders.Read.All",)), *_roles(("Orders.Approve",), "User")],
    )  # fmt: skip


def _app(tenant: Tenant, app: object, number: int) -> Json:
    verified = {"displayName": app.vendor, "verifiedPublisherId": str(1000 + number), "addedDateTime": None}
    saml = number % 7 == 3
    return service_principal(
        tenant, guid("app", app.client_id), app.name,
        replyUrls=[f"https://{app.domain}/auth/callback", "http://localhost:8400"],
        homepage=f"https://www.{app.domain}/",
        preferredSingleSignOnMode="saml" if saml else None,
        **({"verifiedPublisher": verified} if app.vendor and not app.lookalike else {}),
    )  # fmt: skip


def scopes_of(google: tuple[str, ...]) -> list[str]:
    """Delegated permissions that mean about the same as Google's."""
    found = ["openid", "profile", "User.Read"]
    for text in google:
        found += [scope for word, scope in _SCOPES if word in text]
    return list(dict.fromkeys(found))


def put_grant(tenant: Tenant, client: str, resource: str, principal: str | None, scopes: list[str]) -> Json:
    """A delegated grant, put into the tenant; its scope begins with a space, as Graph's often do."""
    row = {
        "id": grant_id(client, resource, principal),
        "clientId": client,
        "consentType": "Principal" if principal else "AllPrincipals",
        "principalId": principal,
        "resourceId": resource,
        "scope": " " + " ".join(scopes),
    }
    tenant.grants[row["id"]] = row
    return row


def put_role(
    tenant: Tenant, principal: Json, resource: Json, role: str, at: float, kind: str = "ServicePrincipal"
) -> Json:
    """An app role assignment, put into the tenant."""
    row = {
        "id": guid("assignment", principal["id"], resource["id"], role),
        "appRoleId": role,
        "createdDateTime": iso(at),
        "principalDisplayName": principal["displayName"],
        "principalId": principal["id"],
        "principalType": kind,
        "resourceDisplayName": resource["displayName"],
        "resourceId": resource["id"],
    }
    tenant.roles[row["id"]] = row
    return row


def _give(
    tenant: Tenant, user: Json, app: Json, number: int, google: tuple[str, ...], graph: Json, at: float
) -> None:
    if number % 7 == 3:
        put_role(tenant, user, app, NO_ROLE, at, "User")
    elif number % 10 == 1:
        put_grant(tenant, app["id"], graph["id"], None, scopes_of(google))
    else:
        put_grant(tenant, app["id"], graph["id"], user["id"], scopes_of(google))


def _extras(tenant: Tenant, apps: list[Json], apis: dict[str, Json], own: Json) -> None:
    """What makes it less simple: other APIs, own APIs, a group, both kinds of access, a disabled app."""
    living = [user for user in tenant.users.values() if user["accountEnabled"]]
    rng = Random(len(living))
    azure, exchange = (row for key, row in apis.items() if key.startswith(("797f", "00000002")))
    first, second = living[0], living[-1]
    put_grant(tenant, apps[2]["id"], exchange["id"], first["id"], ["EWS.AccessAsUser.All"])
    put_grant(tenant, apps[2]["id"], azure["id"], first["id"], ["user_impersonation"])
    put_grant(tenant, apps[4]["id"], own["id"], second["id"], ["Files.Read.All", "offline_access"])
    put_role(tenant, second, apps[4], NO_ROLE, tenant.anchor - 86400, "User")
    group = {
        "@odata.type": "#microsoft.graph.group",
        "id": guid(tenant.id, "group", "sales"),
        "displayName": "Sales",
    }
    tenant.groups[group["id"]] = group
    tenant.members[group["id"]] = [user["id"] for user in rng.sample(living, min(3, len(living)))]
    put_role(tenant, group, apps[3], NO_ROLE, tenant.anchor - 5 * 86400, "Group")
    apps[5]["accountEnabled"] = False


def _automations(tenant: Tenant, apis: dict[str, Json], own: Json, anchor: float) -> None:
    exchange = next(row for row in apis.values() if "Exchange" in row["displayName"])
    for number, (name, graph_roles, exchange_roles) in enumerate(AUTOMATIONS):
        app = service_principal(
            tenant, guid(tenant.id, "automation", name), name, appOwnerOrganizationId=tenant.id
        )
        for role in graph_roles:
            put_role(tenant, app, apis[GRAPH_APP], guid("role", role), anchor - 86400 * (30 + number))
        for role in exchange_roles:
            put_role(tenant, app, exchange, guid("role", role), anchor - 86400 * 9)
        if number == 0:
            put_role(tenant, app, own, guid("role", "Orders.Read.All"), anchor - 86400 * 40)


def _agents(tenant: Tenant, count: int, graph: Json, anchor: float) -> None:
    living = [user["id"] for user in tenant.users.values() if user["accountEnabled"]]
    blueprint = guid(tenant.id, "blueprint")
    service_principal(
        tenant, blueprint, "Support agent blueprint",
        **{"@odata.type": "#microsoft.graph.agentIdentityBlueprintPrincipal"},
    )  # fmt: skip
    for number in range(count):
        row = service_principal(
            tenant, guid(tenant.id, "agent", number), f"Support agent {number + 1}",
            servicePrincipalType="ServiceIdentity", agentIdentityBlueprintId=blueprint,
            createdDateTime=iso(anchor - 86400 * (number + 1)), appOwnerOrganizationId=tenant.id,
            **{"@odata.type": "#microsoft.graph.agentIdentity"},
        )  # fmt: skip
        tenant.sponsors[row["id"]] = [] if number == 1 else [living[number % len(living)]]
        tenant.owners[row["id"]] = [living[-1]] if number != 2 else []
        put_role(tenant, row, graph, guid("role", "Chat.Read.All"), anchor - 86400 * (number + 1))


def _administrators(tenant: Tenant, admins: list[Json]) -> None:
    """The first is one in person, the second through a group; a reader is none."""
    first = [row["id"] for row in admins if row["id"] in tenant.users]
    members = [u["id"] for u in tenant.users.values() if u["accountEnabled"] and u["userType"] == "Member"]
    first = list(dict.fromkeys([*first, *members]))[:2]
    group = {
        "@odata.type": "#microsoft.graph.group",
        "id": guid(tenant.id, "group", "admins"),
        "displayName": "Admins",
    }
    tenant.groups[group["id"]] = group
    tenant.members[group["id"]] = first[1:]
    tenant.members[GLOBAL_ADMIN] = [*first[:1], *([group["id"]] if first[1:] else [])]
    tenant.members[APP_ADMIN] = []
    ordinary = next((one for one in tenant.users if one not in first), None)
    tenant.members[READERS] = [ordinary] if ordinary else []
