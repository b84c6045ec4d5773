"""The directory of Graph v1.0: users, apps, grants, roles, agents, and their deltas."""

from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlencode

from tests.simulators.google.wire import Request, Response, json_response

from .gate import Caller, Gate
from .generator import iso
from .model import ROLE_NAMES, Json, Tenant, guid
from .odata import decode, encode, equals, filtered, options, paged, project, selected, top
from .wire import GraphError, bad, unknown
from .world import World

DIRECTORY = "Directory.Read.All"
LIST = ("$select", "$top", "$skiptoken")
USERS = (DIRECTORY, "User.Read.All", "User.ReadWrite.All")
APPS = (DIRECTORY, "Application.Read.All", "Application.ReadWrite.All")


def managed(tenant: Tenant, query: Mapping[str, str]) -> Callable[[Json], Json]:
    """What `$expand=manager($select=id)` adds to a row: nothing where there is no manager; no other form."""
    wanted = query.get("$expand")
    if wanted is None:
        return lambda _: {}
    if wanted != "manager($select=id)":
        raise bad(f"Parsing OData Select and Expand failed: '{wanted}'.", "BadRequest")

    def more(row: Json) -> Json:
        boss = tenant.users.get(tenant.managers.get(row["id"], ""))
        return {"manager": {"@odata.type": "#microsoft.graph.user", "id": boss["id"]}} if boss else {}

    return more


class Graph:
    """Handlers; each takes the request and the variable parts of the path."""

    def __init__(self, world: World, gate: Gate) -> None:
        self.world = world
        self.gate = gate
        self.base_url = ""
        self._held: dict[str, tuple[tuple[int, int, int], dict[str, list[Json]]]] = {}

    def _holdings(self, tenant: Tenant) -> dict[str, list[Json]]:
        """Grants and role assignments by whose they are; made anew after every change."""
        state = (tenant.seq, len(tenant.grants), len(tenant.roles))
        known = self._held.get(tenant.id)
        if known is None or known[0] != state:
            found: dict[str, list[Json]] = {}
            for row in (*tenant.grants.values(), *tenant.roles.values()):
                found.setdefault(row["principalId"] or "", []).append(row)
            known = self._held[tenant.id] = state, found
        return known[1]

    def _paged(self, request: Request, rows: Iterable[Json], entity: str, **more: object) -> Response:
        ordered = sorted(rows, key=lambda row: row["id"])
        return paged(request, self.base_url, ordered, entity=entity, now=self.world.clock.now(), **more)

    # -- the tenant and its people ------------------------------------------------------------------

    def organization(self, request: Request) -> Response:
        """`GET /organization`."""
        tenant = self.gate.enter(request, "organization", DIRECTORY, "Organization.Read.All").tenant
        options(request, "$select")
        domains = [
            {"name": f"{tenant.name.lower()}.onmicrosoft.example", "isDefault": False, "isInitial": True},
            {"name": tenant.domain, "isDefault": True, "isInitial": False},
        ]
        row = {"id": tenant.id, "displayName": tenant.name, "verifiedDomains": domains, "tenantType": "AAD"}
        return self._paged(request, [row], "organization")

    def users(self, request: Request) -> Response:
        """`GET /users`; `signInActivity` takes a permission, a licence, and small pages."""
        caller = self.gate.enter(request, "users.list", *USERS)
        query = options(request, *LIST, "$expand")
        most = 999
        if "signInActivity" in query.get("$select", "").split(","):
            self._may_see_activity(caller)
            most = 120
        more = managed(caller.tenant, query)
        return self._paged(request, caller.tenant.users.values(), "user", most=most, more=more)

    def _may_see_activity(self, caller: Caller) -> None:
        if not caller.tenant.p1:
            text = "Neither tenant is B2C or tenant doesn't have premium license"
            raise GraphError(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", text)
        if "AuditLog.Read.All" not in caller.roles:
            raise GraphError(403, "Authorization_RequestDenied", "Insufficient privileges.")

    def deleted_users(self, request: Request) -> Response:
        """`GET /directory/deletedItems/microsoft.graph.user`."""
        tenant = self.gate.enter(request, "deleted.list", *USERS).tenant
        options(request, *LIST)
        return self._paged(request, tenant.deleted.values(), "user")

    def user(self, request: Request, key: str) -> Response:
        """`GET /users/{id|userPrincipalName}`."""
        caller = self.gate.enter(request, "users.get", *USERS)
        tenant, query = caller.tenant, options(request, "$select", "$expand")
        names, more = selected("user", query), managed(caller.tenant, query)
        if "signInActivity" in (names or ()):
            self._may_see_activity(caller)
        row = self._user(tenant, key)
        return json_response({**project(row, names), **more(row)})

    @staticmethod
    def _user(tenant: Tenant, key: str) -> Json:
        found = tenant.user(key)
        if found is None:
            raise unknown(key)
        return found

    def user_grants(self, request: Request, key: str) -> Response:
        """`GET /users/{id}/oauth2PermissionGrants`: the person's own."""
        tenant = self.gate.enter(
            request, "users.grants", DIRECTORY, "DelegatedPermissionGrant.ReadWrite.All"
        ).tenant
        options(request, *LIST)
        user = self._user(tenant, key)
        rows = [row for row in self._holdings(tenant).get(user["id"], ()) if "scope" in row]
        return self._paged(request, rows, "oAuth2PermissionGrant")

    def user_roles(self, request: Request, key: str) -> Response:
        """`GET /users/{id}/appRoleAssignments`: the person's own and those of direct groups."""
        tenant = self.gate.enter(request, "users.roles", DIRECTORY, "AppRoleAssignment.ReadWrite.All").tenant
        options(request, *LIST)
        user = self._user(tenant, key)
        mine = [user["id"], *(g for g in tenant.groups if user["id"] in tenant.members.get(g, ()))]
        held = self._holdings(tenant)
        rows = [row for one in mine for row in held.get(one, ()) if "appRoleId" in row]
        return self._paged(request, rows, "appRoleAssignment")

    def member_of(self, request: Request, key: str) -> Response:
        """`GET /users/{id}/transitiveMemberOf/microsoft.graph.directoryRole`."""
        tenant = self.gate.enter(request, "users.memberOf", DIRECTORY).tenant
        options(request, *LIST)
        held = tenant.roles_of(self._user(tenant, key)["id"])
        return self._paged(request, [_role(tenant, one) for one in held], "directoryRole")

    def revoke_sessions(self, request: Request, key: str) -> Response:
        """`POST /users/{id}/revokeSignInSessions`."""
        roles = ("User.RevokeSessions.All", "User.ReadWrite.All")
        tenant = self.gate.enter(request, "users.revokeSessions", *roles).tenant
        user = self._user(tenant, key)
        user["signInSessionsValidFromDateTime"] = iso(self.world.clock.now())
        return json_response({"@odata.context": "Edm.Boolean", "value": True})

    def directory_roles(self, request: Request) -> Response:
        """`GET /directoryRoles`: those that were ever activated."""
        tenant = self.gate.enter(request, "directoryRoles.list", DIRECTORY).tenant
        options(request, "$select")
        return self._paged(request, [_role(tenant, one) for one in ROLE_NAMES], "directoryRole")

    def role_members(self, request: Request, role: str) -> Response:
        """`GET /directoryRoles/{id}/members`: users and groups."""
        tenant = self.gate.enter(request, "directoryRoles.members", DIRECTORY).tenant
        options(request, *LIST)
        template = next((one for one in ROLE_NAMES if _role(tenant, one)["id"] == role), None)
        if template is None:
            raise unknown(role)
        rows = [tenant.users.get(one) or tenant.groups.get(one) for one in tenant.members.get(template, ())]
        return self._paged(request, [row for row in rows if row], "directoryObject")

    def group_members(self, request: Request, group: str) -> Response:
        """`GET /groups/{id}/transitiveMembers/microsoft.graph.user`."""
        tenant = self.gate.enter(request, "groups.members", DIRECTORY, "GroupMember.Read.All").tenant
        options(request, *LIST)
        if group not in tenant.groups:
            raise unknown(group)
        rows = [tenant.users[one] for one in tenant.members.get(group, ()) if one in tenant.users]
        return self._paged(request, rows, "directoryObject")

    # -- apps -----------------------------------------------------------------------------------------

    def apps(self, request: Request) -> Response:
        """`GET /servicePrincipals`."""
        tenant = self.gate.enter(request, "apps.list", *APPS).tenant
        test = filtered(options(request, *LIST, "$filter"), equals("appId"))
        return self._paged(request, filter(test, tenant.apps.values()), "servicePrincipal")

    def agents(self, request: Request) -> Response:
        """`GET /servicePrincipals/microsoft.graph.agentIdentity`."""
        tenant = self.gate.enter(request, "agents.list", "AgentIdentity.Read.All").tenant
        options(request, *LIST)
        rows = [row for row in tenant.apps.values() if row.get("@odata.type", "").endswith(".agentIdentity")]
        return self._paged(request, rows, "agentIdentity")

    def app(self, request: Request, key: str) -> Response:
        """`GET /servicePrincipals/{id}`."""
        tenant = self.gate.enter(request, "apps.get", *APPS).tenant
        names = selected("servicePrincipal", options(request, "$select"))
        return json_response(project(self._app(tenant, key), names))

    def app_by_id(self, request: Request, segment: str) -> Response:
        """`GET /servicePrincipals(appId='…')`."""
        tenant = self.gate.enter(request, "apps.get", *APPS).tenant
        if not segment.startswith("servicePrincipals(appId='") or not segment.endswith("')"):
            raise bad(f"Resource not found for the segment '{segment}'.", "BadRequest")
        found = tenant.app(segment[len("servicePrincipals(appId='") : -2])
        if found is None:
            raise unknown(segment)
        return json_response(project(found, selected("servicePrincipal", options(request, "$select"))))

    @staticmethod
    def _app(tenant: Tenant, key: str) -> Json:
        found = tenant.apps.get(key)
        if found is None:
            raise unknown(key)
        return found

    def change_app(self, request: Request, key: str) -> Response:
        """`PATCH /servicePrincipals/{id}`: `accountEnabled` only; agents take their own permission."""
        body = request.json()
        agent = body.pop("@odata.type", "") == "#microsoft.graph.agentIdentity"
        needed = ("AgentIdentity.EnableDisable.All",) if agent else ("Application.ReadWrite.All",)
        tenant = self.gate.enter(request, "apps.patch", *needed).tenant
        found = self._app(tenant, key)
        if agent and not found.get("@odata.type", "").endswith(".agentIdentity"):
            raise bad("The type does not match.", "Request_BadRequest")
        if set(body) != {"accountEnabled"} or not isinstance(body["accountEnabled"], bool):
            raise bad("Invalid value specified for a property.", "Request_BadRequest")
        with self.world.lock:
            found["accountEnabled"] = body["accountEnabled"]
            self.world.note(tenant, "apps", found["id"])
        return Response(204)

    def delete_app(self, request: Request, key: str) -> Response:
        """`DELETE /servicePrincipals/{id}`."""
        tenant = self.gate.enter(request, "apps.delete", "Application.ReadWrite.All").tenant
        with self.world.lock:
            self.world.remove_app(tenant, self._app(tenant, key))
        return Response(204)

    def assigned_to(self, request: Request, key: str) -> Response:
        """`GET /servicePrincipals/{id}/appRoleAssignedTo`."""
        tenant = self.gate.enter(request, "apps.assigned", *APPS).tenant
        options(request, *LIST)
        app = self._app(tenant, key)
        rows = [r for r in tenant.roles.values() if r["resourceId"] == app["id"]]
        return self._paged(request, rows, "appRoleAssignment")

    def app_roles(self, request: Request, key: str) -> Response:
        """`GET /servicePrincipals/{id}/appRoleAssignments`."""
        tenant = self.gate.enter(request, "apps.roles", *APPS).tenant
        options(request, *LIST)
        app = self._app(tenant, key)
        rows = [r for r in tenant.roles.values() if r["principalId"] == app["id"]]
        return self._paged(request, rows, "appRoleAssignment")

    def unassign(self, request: Request, key: str, assignment: str) -> Response:
        """`DELETE /servicePrincipals/{id}/appRoleAssignedTo/{assignment}`."""
        tenant = self.gate.enter(request, "roles.delete", "AppRoleAssignment.ReadWrite.All").tenant
        with self.world.lock:
            row = tenant.roles.get(assignment)
            if row is None or row["resourceId"] != key:
                raise unknown(assignment)
            self.world.unassign(tenant, row)
        return Response(204)

    def people_of(self, which: str) -> Callable[[Request, str], Response]:
        """`GET /servicePrincipals/{id}/…/sponsors` and `/owners`."""

        def handle(request: Request, key: str) -> Response:
            needed = ("AgentIdentity.Read.All",) if which == "sponsors" else APPS
            tenant = self.gate.enter(request, f"apps.{which}", *needed).tenant
            options(request, *LIST)
            listed = (tenant.sponsors if which == "sponsors" else tenant.owners).get(
                self._app(tenant, key)["id"], []
            )
            return self._paged(
                request, [tenant.users[o] for o in listed if o in tenant.users], "directoryObject"
            )

        return handle

    # -- grants ---------------------------------------------------------------------------------------

    def grants(self, request: Request) -> Response:
        """`GET /oauth2PermissionGrants`."""
        tenant = self.gate.enter(
            request, "grants.list", DIRECTORY, "DelegatedPermissionGrant.ReadWrite.All"
        ).tenant
        forms = {k: v for name in ("clientId", "consentType", "principalId") for k, v in equals(name).items()}
        test = filtered(options(request, *LIST, "$filter"), forms)
        return self._paged(request, filter(test, tenant.grants.values()), "oAuth2PermissionGrant")

    def _grant(self, request: Request, name: str, key: str) -> tuple[Tenant, Json]:
        tenant = self.gate.enter(request, name, "DelegatedPermissionGrant.ReadWrite.All").tenant
        found = tenant.grants.get(key)
        if found is None:
            raise unknown(key)
        return tenant, found

    def delete_grant(self, request: Request, key: str) -> Response:
        """`DELETE /oauth2PermissionGrants/{id}`."""
        with self.world.lock:
            self.world.withdraw(*self._grant(request, "grants.delete", key))
        return Response(204)

    def change_grant(self, request: Request, key: str) -> Response:
        """`PATCH /oauth2PermissionGrants/{id}`: `scope` only."""
        body = request.json()
        if set(body) != {"scope"} or not isinstance(body["scope"], str):
            raise bad("Invalid value specified for a property.", "Request_BadRequest")
        with self.world.lock:
            self.world.rescope(*self._grant(request, "grants.patch", key), body["scope"])
        return Response(204)

    # -- deltas ---------------------------------------------------------------------------------------

    def delta(self, kind: str, entity: str, *needed: str) -> Callable[[Request], Response]:
        """`GET /…/delta`: everything, or what changed since a token; an item may come more than once."""

        def handle(request: Request) -> Response:
            tenant = self.gate.enter(request, f"{kind}.delta", *needed).tenant
            query = options(request, "$select", "$deltatoken", "$skiptoken", "$top")
            names = selected(entity, query)
            return json_response(self._delta(tenant, kind, names, request))

        return handle

    def _delta(self, tenant: Tenant, kind: str, names: list[str] | None, request: Request) -> Json:
        query, rows = (
            request.query,
            {"users": tenant.users, "apps": tenant.apps, "grants": tenant.grants}[kind],
        )
        if query.get("$deltatoken") == "latest":
            return self._delta_page([], request, None, tenant)
        token = query.get("$skiptoken") or query.get("$deltatoken")
        seq, epoch, start, until = decode(token) if token else (-1, tenant.epoch, 0, tenant.seq)
        if epoch != tenant.epoch:
            raise GraphError(410, "syncStateNotFound", "The sync state generation is not found; resync.")
        until = tenant.seq if until is None else until
        if seq < 0:
            items = [project(row, names) for row in sorted(rows.values(), key=lambda row: row["id"])]
        else:
            seen = [key for at, what, key in tenant.log if what == kind and seq < at <= until]
            items = [
                project(rows[key], names)
                if key in rows
                else {"id": key, "@removed": {"reason": _reason(tenant, key)}}
                for key in seen
            ]
        size = top(query, 999, 200)
        size = max(1, size // 2) if request.half_page else size
        more = encode([seq, epoch, start + size, until]) if start + size < len(items) else None
        return self._delta_page(items[start : start + size], request, more, tenant, until)

    def _delta_page(
        self, items: list[Json], request: Request, more: str | None, tenant: Tenant, until: int | None = None
    ) -> Json:
        kept = {k: v for k, v in request.query.items() if k == "$select"}
        here = f"{self.base_url}{request.path}?"
        if more:
            return {"value": items, "@odata.nextLink": here + urlencode({**kept, "$skiptoken": more})}
        done = encode([tenant.seq if until is None else until, tenant.epoch, 0, None])
        return {"value": items, "@odata.deltaLink": here + urlencode({**kept, "$deltatoken": done})}


def _reason(tenant: Tenant, key: str) -> str:
    return "changed" if key in tenant.deleted else "deleted"


def _role(tenant: Tenant, template: str) -> Json:
    return {
        "@odata.type": "#microsoft.graph.directoryRole",
        "id": guid(tenant.id, "role", template),
        "roleTemplateId": template,
        "displayName": ROLE_NAMES[template],
    }
