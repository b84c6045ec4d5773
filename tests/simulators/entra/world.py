"""The simulated Microsoft's tenants, and everything that can happen to them, with its traces in logs."""

import json
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from random import Random

from tests.simulators.google.clock import Clock

from .generator import TenantSpec, generate, iso, put_grant, put_role, service_principal
from .model import GRAPH_APP, NO_ROLE, AppRegistration, Json, Tenant, guid

__all__ = ["TenantSpec", "World"]
Listener = Callable[[Tenant, str, Json], None]


class World:
    """All state that the APIs read. Take `lock` around any use of it."""

    def __init__(self, clock: Clock, specs: Iterable[TenantSpec] = ()) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.tenants: dict[str, Tenant] = {}
        self.listeners: list[Listener] = []
        self.touched: list[Callable[[], None]] = []
        for spec in specs:
            self.add(spec)

    def add(self, spec: TenantSpec) -> Tenant:
        """Generate one more tenant."""
        tenant = generate(spec, self.clock.now())
        self.tenants[tenant.id] = tenant
        return tenant

    def tenant(self, key: str | None = None) -> Tenant:
        """A tenant by id or domain; the only one when not named."""
        if key is None:
            if len(self.tenants) != 1:
                raise ValueError("name the tenant: there are several")
            return next(iter(self.tenants.values()))
        for tenant in self.tenants.values():
            if key in (tenant.id, tenant.domain):
                return tenant
        raise ValueError(f"no tenant {key}")

    def locate(self, user: str) -> tuple[Tenant, Json]:
        """A living user by sign-in name or id, and the tenant."""
        for tenant in self.tenants.values():
            found = tenant.user(user)
            if found is not None:
                return tenant, found
        raise ValueError(f"no user {user}")

    def note(self, tenant: Tenant, kind: str, row_id: str) -> None:
        """Write a change into the log that deltas are read from."""
        tenant.seq += 1
        tenant.log.append((tenant.seq, kind, row_id))
        for touched in self.touched:
            touched()

    # -- people ---------------------------------------------------------------------------------------

    def change_user(self, tenant: Tenant, user: Json, **changes: object) -> None:
        """Change an account; whoever subscribed is told."""
        user.update(changes)
        self.note(tenant, "users", user["id"])
        self._tell(tenant, "updated", user)

    def delete_user(self, tenant: Tenant, user: Json, *, hard: bool = False) -> None:
        """Delete an account; it can be restored for 30 days unless deleted hard."""
        gone = tenant.users.pop(user["id"])
        if not hard:
            tenant.deleted[gone["id"]] = gone
        self.note(tenant, "users", user["id"])
        self._tell(tenant, "deleted", user)

    def restore_user(self, tenant: Tenant, user_id: str) -> None:
        """Bring a deleted account back."""
        tenant.users[user_id] = tenant.deleted.pop(user_id)
        self.note(tenant, "users", user_id)
        self._tell(tenant, "updated", tenant.users[user_id])

    def _tell(self, tenant: Tenant, change: str, user: Json) -> None:
        for listener in self.listeners:
            listener(tenant, change, user)

    # -- grants and roles -----------------------------------------------------------------------------

    def consent(
        self, tenant: Tenant, app: Json, user: Json | None, scopes: list[str], resource: Json | None = None
    ) -> Json:
        """A person (or, for everybody, an administrator) gives an app access; more scopes widen it."""
        target = resource or tenant.app(GRAPH_APP) or {}
        principal = user["id"] if user else None
        known = next(
            (
                g for g in tenant.grants.values()
                if (g["clientId"], g["resourceId"], g["principalId"]) == (app["id"], target["id"], principal)
            ), None,
        )  # fmt: skip
        before = known["scope"].split() if known else []
        merged = list(dict.fromkeys([*before, *scopes]))
        grant = put_grant(tenant, app["id"], target["id"], principal, merged)
        self.note(tenant, "grants", grant["id"])
        self._changed(tenant, principal or "AllPrincipals", app, merged)
        self._audit_consent(tenant, app, grant, before)
        return grant

    def withdraw(self, tenant: Tenant, grant: Json) -> None:
        """Delete a grant."""
        del tenant.grants[grant["id"]]
        self.note(tenant, "grants", grant["id"])
        app = tenant.apps.get(grant["clientId"])
        self._changed(tenant, grant["principalId"] or "AllPrincipals", app, None)
        target = tenant.apps[grant["resourceId"]]
        properties = {
            "DelegatedPermissionGrant.Scope": grant["scope"],
            "DelegatedPermissionGrant.ConsentType": grant["consentType"],
            "ServicePrincipal.ObjectID": grant["clientId"],
        }
        self.audit(tenant, "Remove delegated permission grant", [target, app or {}], properties, old=True)

    def rescope(self, tenant: Tenant, grant: Json, scope: str) -> None:
        """Change what a grant holds."""
        grant["scope"] = scope
        self.note(tenant, "grants", grant["id"])
        self._changed(
            tenant, grant["principalId"] or "AllPrincipals", tenant.apps[grant["clientId"]], scope.split()
        )

    def assign(self, tenant: Tenant, principal: Json, resource: Json, role: str, kind: str) -> Json:
        """Give a role of an API or app to an app, a person or a group."""
        row = put_role(tenant, principal, resource, role, self.clock.now(), kind)
        self._role_audit(tenant, row, "Add")
        return row

    def unassign(self, tenant: Tenant, row: Json) -> None:
        """Take a role away."""
        del tenant.roles[row["id"]]
        self._role_audit(tenant, row, "Remove")

    def _role_audit(self, tenant: Tenant, row: Json, verb: str) -> None:
        resource = tenant.apps[row["resourceId"]]
        principal = row["principalId"] if row["principalType"] != "ServicePrincipal" else "Applications"
        app = tenant.apps.get(row["principalId"], resource)
        self._changed(tenant, principal, app, [row["appRoleId"]] if verb == "Add" else None)
        if row["principalType"] == "ServicePrincipal":
            what = f"{verb} app role assignment {'to' if verb == 'Add' else 'from'} service principal"
            properties = {"AppRole.Value": row["appRoleId"], "ServicePrincipal.ObjectID": row["principalId"]}
            self.audit(tenant, what, [resource], properties, old=verb != "Add")
        elif row["principalType"] == "User":
            what = f"{verb} app role assignment {'grant to' if verb == 'Add' else 'from'} user"
            user = {"id": row["principalId"], "displayName": row["principalDisplayName"], "_type": "User"}
            self.audit(tenant, what, [resource, user], {"AppRole.Id": row["appRoleId"]}, old=verb != "Add")

    def remove_app(self, tenant: Tenant, app: Json) -> None:
        """Delete a service principal with everything it holds and gives."""
        for grant in [g for g in tenant.grants.values() if app["id"] in (g["clientId"], g["resourceId"])]:
            self.withdraw(tenant, grant)
        for row in [r for r in tenant.roles.values() if app["id"] in (r["principalId"], r["resourceId"])]:
            del tenant.roles[row["id"]]
        del tenant.apps[app["id"]]
        self.note(tenant, "apps", app["id"])

    def admin_consent(self, tenant: Tenant, registration: AppRegistration, roles: Iterable[str]) -> Json:
        """Our own app comes into the tenant with these permissions, and no others."""
        app = tenant.app(registration.client_id) or service_principal(
            tenant, registration.client_id, registration.name
        )
        graph = tenant.app(GRAPH_APP) or {}
        for row in [r for r in tenant.roles.values() if r["principalId"] == app["id"]]:
            del tenant.roles[row["id"]]
        for role in roles:
            put_role(tenant, app, graph, guid("role", role), self.clock.now())
        self.note(tenant, "apps", app["id"])
        return app

    # -- logs -----------------------------------------------------------------------------------------

    def _changed(self, tenant: Tenant, principal: str, app: Json | None, scopes: list[str] | None) -> None:
        tenant.changes.append(
            {
                "seq": len(tenant.changes) + 1,
                "at": self.clock.now(),
                "user_id": principal,
                "client_id": app["appId"] if app else "",
                "scopes": scopes,
            }
        )

    def _audit_consent(self, tenant: Tenant, app: Json, grant: Json, before: list[str]) -> None:
        def row(scopes: list[str]) -> str:
            return (
                f"[Id: {grant['id']}, ClientId: {grant['clientId']}, "
                f"PrincipalId: {grant['principalId'] or ''}, "
                f"ResourceId: {grant['resourceId']}, ConsentType: {grant['consentType']}, "
                f"Scope:  {' '.join(scopes)}, CreatedDateTime: , LastModifiedDateTime: ]"
            )

        old = f"[{row(before)}]" if before else "[]"
        everybody = grant["principalId"] is None
        properties = {
            "ConsentContext.IsAdminConsent": str(everybody),
            "ConsentContext.IsAppOnly": "False",
            "ConsentContext.OnBehalfOfAll": str(everybody),
            "ConsentAction.Permissions": f"{old} => [{row(grant['scope'].split())}]; ",
            "TargetId.ServicePrincipalNames": app["appId"],
        }
        self.audit(tenant, "Consent to application", [app], properties, by=grant["principalId"])

    def audit(
        self, tenant: Tenant, what: str, targets: list[Json], properties: dict[str, str], *,
        by: str | None = None, old: bool = False,
    ) -> Json:  # fmt: skip
        """Write an event of the directory's audit log; values are JSON in JSON."""
        tenant.seq += 1
        now = self.clock.now()
        value, empty = ("oldValue", "newValue") if old else ("newValue", "oldValue")
        rows = [{"displayName": k, value: json.dumps(v), empty: None} for k, v in properties.items()]
        actor = by or next(iter(tenant.users))
        event = {
            "id": f"Directory_{guid('audit', tenant.id, tenant.seq)}_{tenant.seq}",
            "category": "ApplicationManagement",
            "correlationId": guid("correlation", tenant.seq),
            "result": "success",
            "resultReason": "",
            "activityDisplayName": what,
            "activityDateTime": datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z"),
            "loggedByService": "Core Directory",
            "operationType": "Assign",
            "initiatedBy": {"user": {"id": actor, "userPrincipalName": ""}, "app": None},
            "targetResources": [
                {
                    "id": t.get("id"), "displayName": t.get("displayName"),
                    "type": t.get("_type", "ServicePrincipal"),
                    "modifiedProperties": rows if n == 0 else [],
                }
                for n, t in enumerate(targets)
            ],
            "additionalDetails": [],
            "_at": now,
        }  # fmt: skip
        tenant.audits.append(event)
        return event

    def sign_ins(self, tenant: Tenant) -> list[Json]:
        """The interactive sign-ins of the last 30 days, newest first; generated when first asked for."""
        if tenant.sign_ins is None:
            rng, found = Random(int(tenant.spec["seed"])), []
            for grant in list(tenant.grants.values()):
                user = tenant.users.get(grant["principalId"] or "")
                if user is None or not user["accountEnabled"]:
                    continue
                for _ in range(rng.choice((0, 0, 1, 2, 3))):
                    at = tenant.anchor - rng.uniform(0, 30 * 86400)
                    found.append(
                        self.sign_in(tenant, user, tenant.apps[grant["clientId"]], at, rng.random() < 0.1)
                    )
            tenant.sign_ins = found
        tenant.sign_ins.sort(key=lambda row: -row["_at"])
        return tenant.sign_ins

    def sign_in(self, tenant: Tenant, user: Json, app: Json, at: float, failed: bool = False) -> Json:
        """One sign-in as the log has it."""
        return {
            "id": guid("sign-in", user["id"], app["id"], at),
            "createdDateTime": iso(at),
            "userDisplayName": user["displayName"],
            "userPrincipalName": user["userPrincipalName"],
            "userId": user["id"],
            "appId": app["appId"],
            "appDisplayName": app["displayName"],
            "clientAppUsed": "Browser",
            "ipAddress": "20.190.128.7",
            "location": {"city": "Dublin", "state": "Dublin", "countryOrRegion": "IE"},
            "isInteractive": True,
            "resourceDisplayName": "Microsoft Graph",
            "status": {"errorCode": 50126 if failed else 0, "failureReason": "", "additionalDetails": None},
            "_at": float(int(at)),
        }


def role_id(name: str) -> str:
    """The id of an application permission; plain access where there is no name."""
    return guid("role", name) if name else NO_ROLE
