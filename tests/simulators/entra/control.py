"""What tests and the demo may do to the simulated Microsoft: a Python object, and the same over HTTP.

Every public method of `Control` is also `POST /_control/<method>` with a JSON object of its arguments (or
`GET` without); the answer is JSON. `tenant` (an id or a domain) may be left out when there is only one.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from .generator import service_principal
from .login import Decision
from .model import GLOBAL_ADMIN, GRAPH_APP, NO_ROLE, ROLE_NAMES, AppRegistration, Json, Tenant, guid
from .subscriptions import as_json
from .world import TenantSpec, role_id

if TYPE_CHECKING:
    from .simulator import EntraSimulator


class Control:
    """The other side of the simulator."""

    def __init__(self, simulator: "EntraSimulator") -> None:
        self._sim = simulator
        self._world = simulator.world

    # -- tenants and people -------------------------------------------------------------------------

    def organisations(self) -> list[Json]:
        """The tenants: id, domain, first administrator, sizes."""
        return [
            {
                "organisation_id": tenant.id,
                "domain": tenant.domain,
                "admin": self._sim.login.admin(tenant)["userPrincipalName"],
                "users": len(tenant.users),
                "apps": len(tenant.apps),
                "grants": len(tenant.grants),
                "anchor": tenant.anchor,
            }
            for tenant in self._world.tenants.values()
        ]

    def add_organisation(self, **spec: Any) -> Json:
        """Generate one more tenant; arguments as `TenantSpec`."""
        tenant = self._world.add(TenantSpec(**spec))
        admin = self._sim.login.admin(tenant)["userPrincipalName"]
        return {"organisation_id": tenant.id, "domain": tenant.domain, "admin": admin}

    def users(self, tenant: str | None = None) -> list[Json]:
        """Everybody with id, sign-in name and state."""
        return [
            {"id": one["id"], "email": one["userPrincipalName"], "enabled": one["accountEnabled"],
             "type": one["userType"]}
            for one in self._world.tenant(tenant).users.values()
        ]  # fmt: skip

    def add_user(self, email: str, name: str = "New Person", tenant: str | None = None, **more: Any) -> str:
        """Hire somebody; returns the id."""
        with self._world.lock:
            home = self._world.tenant(tenant)
            model = next(iter(home.users.values()))
            row = {**model, "id": guid(home.id, "user", email), "displayName": name,
                   "userPrincipalName": email,
                   "mail": email, "proxyAddresses": [f"SMTP:{email}"], "accountEnabled": True,
                   "userType": "Member", "signInActivity": {}, **more}  # fmt: skip
            home.users[row["id"]] = row
            self._world.change_user(home, row)
            return row["id"]

    def suspend(self, user: str) -> None:
        """Disable an account."""
        self.change_user(user, accountEnabled=False)

    def restore(self, user: str, tenant: str | None = None) -> None:
        """Enable an account, or bring a deleted one (by id) back."""
        home = self._world.tenant(tenant)
        with self._world.lock:
            if user in home.deleted:
                self._world.restore_user(home, user)
        self.change_user(user, accountEnabled=True)

    def change_user(self, user: str, **changes: Any) -> None:
        """Change properties of an account."""
        with self._world.lock:
            tenant, found = self._world.locate(user)
            self._world.change_user(tenant, found, **changes)

    def delete_user(self, user: str, hard: bool = False) -> None:
        """Delete an account."""
        with self._world.lock:
            self._world.delete_user(*self._world.locate(user), hard=hard)

    def set_role(self, user: str, role: str = GLOBAL_ADMIN, on: bool = True) -> None:
        """Give or take a directory role (template id)."""
        with self._world.lock:
            tenant, found = self._world.locate(user)
            members = tenant.members.setdefault(role, [])
            members[:] = [one for one in members if one != found["id"]] + ([found["id"]] if on else [])
            verb = "Add member to role" if on else "Remove member from role"
            target = {**found, "_type": "User"}
            self._world.audit(tenant, verb, [target], {"Role.DisplayName": ROLE_NAMES[role]})

    # -- apps, grants, roles --------------------------------------------------------------------------

    def add_app(self, name: str, tenant: str | None = None, **more: Any) -> str:
        """Make an app known; returns its app id."""
        with self._world.lock:
            home = self._world.tenant(tenant)
            row = service_principal(home, more.pop("app_id", None) or guid("app", name), name, **more)
            self._world.note(home, "apps", row["id"])
            return row["appId"]

    def remove_app(self, client_id: str, tenant: str | None = None) -> None:
        """Delete an app from a tenant."""
        with self._world.lock:
            home = self._world.tenant(tenant)
            self._world.remove_app(home, _need(home.app(client_id)))

    def grant(
        self, user: str | None, client_id: str | None = None, scopes: Sequence[str] = ("openid", "User.Read"),
        app: str | None = None, api: str | None = None, tenant: str | None = None,
    ) -> Json:  # fmt: skip
        """A user (None: an administrator, for everybody) gives an app access, by app id or name."""
        with self._world.lock:
            home = self._world.locate(user)[0] if user else self._world.tenant(tenant)
            found = self._app(home, client_id, app)
            resource = home.app(api) if api else None
            person = home.user(user) if user else None
            return self._world.consent(home, found, person, list(scopes), resource)

    def _app(self, tenant: Tenant, client_id: str | None, name: str | None) -> Json:
        if client_id:
            return _need(tenant.app(client_id))
        found = next((row for row in tenant.apps.values() if row["displayName"] == name), None)
        return found or _need(tenant.app(self.add_app(name or "Some app", tenant.id)))

    def revoke(self, user: str | None, client_id: str, tenant: str | None = None) -> int:
        """A user, or an administrator by hand, withdraws what an app was given; returns how many."""
        with self._world.lock:
            home = self._world.locate(user)[0] if user else self._world.tenant(tenant)
            app = _need(home.app(client_id))
            who = _need(home.user(user))["id"] if user else None
            doomed = [
                g for g in home.grants.values() if (g["clientId"], g["principalId"]) == (app["id"], who)
            ]
            for grant in doomed:
                self._world.withdraw(home, grant)
            return len(doomed)

    def assign(self, user: str, client_id: str) -> str:
        """Let a user sign in to an app."""
        with self._world.lock:
            tenant, found = self._world.locate(user)
            return self._world.assign(tenant, found, _need(tenant.app(client_id)), NO_ROLE, "User")["id"]

    def give_role(self, client_id: str, role: str, tenant: str | None = None) -> str:
        """Give an app a permission of its own to Graph."""
        with self._world.lock:
            home = self._world.tenant(tenant)
            app, graph = _need(home.app(client_id)), _need(home.app(GRAPH_APP))
            return self._world.assign(home, app, graph, role_id(role), "ServicePrincipal")["id"]

    def use(self, user: str, client_id: str, at: float | None = None, failed: bool = False) -> None:
        """A user signs in to an app now, or at a past time."""
        with self._world.lock:
            tenant, found = self._world.locate(user)
            when = self._world.clock.now() if at is None else at
            row = self._world.sign_in(tenant, found, _need(tenant.app(client_id)), when, failed)
            self._world.sign_ins(tenant).append(row)

    def audit(self, what: str, properties: dict[str, str], tenant: str | None = None) -> str:
        """Write any event into the audit log."""
        with self._world.lock:
            home = self._world.tenant(tenant)
            return self._world.audit(home, what, [next(iter(home.apps.values()))], properties)["id"]

    def truth(self, tenant: str | None = None) -> Json:
        """What a perfect inventory would say: by principal the state and the grants (app id: permissions)."""
        home = self._world.tenant(tenant)
        with self._world.lock:
            found: Json = {
                "AllPrincipals": {"state": "active", "grants": {}},
                "Applications": {"state": "active", "grants": {}},
            }
            for row in home.deleted.values():
                found[row["id"]] = {"email": row["mail"], "state": "deleted", "grants": {}}
            for row in home.users.values():
                state = "active" if row["accountEnabled"] else "suspended"
                found[row["id"]] = {"email": row["mail"], "state": state, "grants": {}}
            for grant in home.grants.values():
                holder = found.get(grant["principalId"] or "AllPrincipals")
                if holder is not None and holder["state"] != "deleted":
                    client = home.apps[grant["clientId"]]["appId"]
                    held = holder["grants"].setdefault(client, [])
                    held += [
                        s for s in _said(home, grant["resourceId"], grant["scope"].split()) if s not in held
                    ]
            self._assigned(home, found)
            return found

    @staticmethod
    def _assigned(home: Tenant, found: Json) -> None:
        consented = {(k, client) for k, v in found.items() for client in v["grants"]}
        for row in home.roles.values():
            resource = home.apps[row["resourceId"]]
            if row["principalType"] == "ServicePrincipal":
                held = found["Applications"]["grants"].setdefault(home.apps[row["principalId"]]["appId"], [])
                names = {role["id"]: role["value"] for role in resource["appRoles"]}
                held += _said(home, resource["id"], [names[row["appRoleId"]]])
                continue
            people = home.members.get(row["principalId"], [row["principalId"]])
            for one in people:
                if found[one]["state"] != "deleted" and (one, resource["appId"]) not in consented:
                    found[one]["grants"][resource["appId"]] = ["openid"]

    def changes(self, since: int = 0, tenant: str | None = None) -> list[Json]:
        """Every change of the truth after `since`; `scopes` None means that something was taken away."""
        home = self._world.tenant(tenant)
        with self._world.lock:
            return [change for change in home.changes if change["seq"] > since]

    # -- sign-in and consent --------------------------------------------------------------------------

    def register_client(self, client_id: str, client_secret: str, redirect_uris: Sequence[str]) -> None:
        """Register (or replace) the product's own app."""
        app = AppRegistration(client_id, client_secret, tuple(redirect_uris))
        self._sim.login.apps[client_id] = app

    def auto_consent(
        self, email: str | None = None, roles: Sequence[str] | None = None, deny: bool = False,
        by: str | None = None, off: bool = False,
    ) -> None:  # fmt: skip
        """Decide without a person (see `Decision`); `off` brings the pages back."""
        given = None if roles is None else tuple(roles)
        self._sim.login.decision = None if off else Decision(email, given, deny, by)

    def slow_consent(self, times: int) -> None:
        """The token endpoint does not know our app in the tenant for so many requests."""
        self._sim.login.slow = times

    def forge(self, token: str | None = None, **claims: Any) -> None:
        """Put claims into every `id` or `access` token; without arguments into none."""
        self._sim.tokens.forge = {token: claims} if token else {}

    def licence(self, p1: bool, tenant: str | None = None) -> None:
        """Give or take the licence that sign-ins need."""
        self._world.tenant(tenant).p1 = p1

    def expire_access_tokens(self) -> None:
        """Every access token is expired at once."""
        with self._world.lock:
            self._sim.tokens.access.clear()

    def expire_delta(self, tenant: str | None = None) -> None:
        """Every delta link is expired."""
        self._world.tenant(tenant).epoch += 1

    # -- subscriptions ----------------------------------------------------------------------------------

    def subscriptions(self, tenant: str | None = None) -> list[Json]:
        """The subscriptions that have not ended, without their secrets."""
        return [as_json(row) for row in self._sim.subscriptions.alive(self._world.tenant(tenant))]

    def lifecycle(self, event: str, tenant: str | None = None) -> int:
        """Send a lifecycle event to every subscription."""
        with self._world.lock:
            return self._sim.subscriptions.lifecycle(self._world.tenant(tenant), event)

    def push(self, **settings: Any) -> Json:
        """How deliveries misbehave (see `PushSettings`)."""
        _update(self._sim.subscriptions.settings, settings)
        self._sim.subscriptions.wake()
        return asdict(self._sim.subscriptions.settings)

    def deliveries(self) -> list[Json]:
        """What was delivered, in order, with the answer's status."""
        return list(self._sim.subscriptions.log)

    def settle(self, timeout_s: float = 10.0) -> bool:
        """Wait until every delivery is made."""
        return self._sim.subscriptions.settle(timeout_s)

    # -- faults, quotas, clock, counters ------------------------------------------------------------------

    def fault(self, kind: str, **rule: Any) -> int:
        """Put a fault rule in force (see the simulated Google's `faults.Fault`); returns its id."""
        return self._sim.faults.add(kind=kind, **rule)

    def faults(self) -> list[Json]:
        """The rules with their hits."""
        return self._sim.faults.describe()

    def clear_faults(self, fault_id: int | None = None) -> None:
        """Drop one rule, or all."""
        self._sim.faults.clear(fault_id)

    def seed(self, seed: int) -> None:
        """Restart the random sequence of faults."""
        self._sim.faults.reseed(seed)

    def quota(self, **settings: Any) -> Json:
        """Change quota settings (see `QuotaSettings`); past calls are forgotten."""
        _update(self._sim.quotas.settings, settings)
        if settings:
            self._sim.quotas.reset()
        return asdict(self._sim.quotas.settings)

    def service_time(self, low_s: float, high_s: float | None = None) -> None:
        """How long a served call takes."""
        self._sim.gate.service_time = (low_s, low_s if high_s is None else high_s)

    def spent(self) -> Json:
        """Resource units spent and calls refused since the last reset."""
        return {"units": self._sim.quotas.spent, "refused": self._sim.quotas.refused}

    def now(self) -> float:
        """The simulated epoch seconds."""
        return self._world.clock.now()

    def advance(self, seconds: float) -> float:
        """Move the clock; returns the new epoch seconds."""
        return self._world.clock.advance(seconds)

    def metrics(self) -> Json:
        """Calls by method: accepted, refused, failed, by status."""
        return self._sim.counters.snapshot()

    def reset_metrics(self) -> None:
        """Count from nothing."""
        self._sim.counters.reset()
        self._sim.quotas.reset()


def _need(row: Json | None) -> Json:
    if row is None:
        raise ValueError("no such app or user")
    return row


def _said(tenant: Tenant, resource: str, names: Sequence[str]) -> list[str]:
    speaks = "" if tenant.apps[resource]["appId"] == GRAPH_APP else tenant.apps[resource]["_speaks"]
    plain = {"openid", "profile", "email", "offline_access"}
    return [name if name in plain else f"{speaks}{name}" for name in names]


def _update(target: Any, settings: Json) -> None:
    unknown = set(settings) - {f.name for f in fields(target)}
    if unknown:
        raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
    for name, value in settings.items():
        setattr(target, name, value)
