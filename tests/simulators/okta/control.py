"""What tests and the demo may do to the simulated Okta: a Python object, and the same at `/_control/`."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from .model import App, User
from .world import iso

if TYPE_CHECKING:
    from .simulator import OktaSimulator

APPLICATION = "application"


class Control:
    """The other side of the simulator. People are named by id or login, apps by id, client id or label."""

    def __init__(self, simulator: "OktaSimulator") -> None:
        self._sim = simulator

    @property
    def _world(self) -> Any:
        return self._sim.world

    # -- people, apps, grants ----------------------------------------------------------------------

    def organisation(self) -> dict[str, Any]:
        """Id, address, first administrator, sizes."""
        state = self._world.state
        return {
            "organisation_id": state.org_id,
            "address": f"{state.spec.subdomain}.okta.com",
            "admin": next(u.login for u in state.users.values() if u.role),
            "users": len(state.users),
            "apps": len(state.apps),
        }

    def users(self) -> list[dict[str, Any]]:
        """Everybody."""
        return [
            {"id": u.id, "email": u.login, "status": u.status, "role": u.role}
            for u in self._world.state.users.values()
        ]

    def apps(self) -> list[dict[str, Any]]:
        """Every app."""
        return [
            {
                "id": a.id,
                "client_id": a.client_id or a.id,
                "name": a.name,
                "label": a.label,
                "status": a.status,
            }
            for a in self._world.state.apps.values()
        ]

    def add_user(
        self, login: str, given: str = "New", family: str = "Person", department: str = "Sales"
    ) -> str:
        """Hire somebody; returns the id."""
        world = self._world
        user = User(world.ident("00u"), login.lower(), given, family, department, created=world.clock.now())
        world.state.users[user.id] = user
        world.set_status(user, "ACTIVE")
        return user.id

    def status(self, user: str, status: str) -> None:
        """Suspend, deactivate (DEPROVISIONED) or activate."""
        self._world.set_status(self._world.user(user), status)

    def delete_user(self, user: str) -> None:
        """Delete for good."""
        self._world.delete(self._world.user(user))

    def add_app(
        self,
        label: str,
        name: str = "oidc_client",
        client_id: str = "",
        redirect: str = "",
        mode: str = "OPENID_CONNECT",
    ) -> str:
        """Make an app; returns its client id (or id)."""
        world = self._world
        app = App(world.ident("0oa"), name, label, mode, redirect=redirect, created=world.clock.now())
        app.client_id = client_id or (app.id if mode == "OPENID_CONNECT" else "")
        world.state.apps[app.id] = app
        return app.client_id or app.id

    def remove_app(self, app: str) -> None:
        """Delete an app."""
        del self._world.state.apps[self._world.app(app).id]

    def consent(
        self, user: str, app: str, scopes: Sequence[str], lag_s: float = 0.0, nameless: bool = False
    ) -> None:
        """A user consents; `lag_s` makes the event arrive so much later, `nameless` hides who it was."""
        at = self._world.clock.now() - lag_s
        self._world.consent(self._world.user(user), self._world.app(app), scopes, at=at, nameless=nameless)

    def revoke(self, user: str, client_id: str) -> bool:
        """A user takes a consent back."""
        return bool(self._world.end_consent(self._world.user(user), client_id))

    def assign(self, user: str, app: str, on: bool = True) -> None:
        """Assign an app to a person alone, or take that away."""
        self._world.assign(self._world.user(user), self._world.app(app), on=on)

    def sign_on(self, user: str, app: str, result: str = "SUCCESS", at: float | None = None) -> None:
        """A sign-in to an app."""
        self._world.sign_on(self._world.user(user), self._world.app(app), at=at, result=result)

    def event(self, kind: str, user: str, targets: Sequence[dict[str, Any]] = (), **more: Any) -> None:
        """Any event of the log."""
        self._world.emit(kind, self._world.user(user), list(targets), **more)

    def truth(self) -> dict[str, Any]:
        """What a perfect inventory would say: by user id the address, state and grants (client: scopes)."""
        state, found = self._world.state, {}
        with self._world.lock:
            for user in state.users.values():
                found[user.id] = self._world.truth_of(user)
            own: dict[str, list[str]] = {
                app.client_id: sorted(app.grants.values())
                for app in state.apps.values()
                if app.grants and app.status == "ACTIVE"
            }
            own |= {key: sorted(row["grantedScopes"]) for key, row in state.integrations.items()}
            found[APPLICATION] = {"email": None, "state": "active", "grants": own}
        return found

    def uses(self, since: float, until: float) -> dict[str, int]:
        """Successful sign-ins of a window: "user client" → how many."""
        found: dict[str, int] = {}
        for event in self._sim.log.between(since, until):
            if event["eventType"] != "user.authentication.sso" or event["outcome"]["result"] != "SUCCESS":
                continue
            app = self._world.app(next(t["id"] for t in event["target"] if t["type"] == "AppInstance"))
            key = f"{event['actor']['id']} {app.client_id or app.id}"
            found[key] = found.get(key, 0) + 1
        return found

    def changes(self, since: int = 0) -> list[dict[str, Any]]:
        """Every change of the truth after `since`, in order; `scopes` None means that the grant ended."""
        return [row for row in self._world.state.changes if row["seq"] > since]

    # -- access ------------------------------------------------------------------------------------

    def register_client(
        self,
        jwk: dict[str, Any],
        scopes: Sequence[str],
        role: str | None = "SUPER_ADMIN",
        dpop: bool = True,
        label: str = "Lantern",
    ) -> str:
        """An API Services app with a public key; returns its client id."""
        world = self._world
        app = App(
            world.ident("0oa"), "oidc_client", label, "OPENID_CONNECT", service=True, dpop=dpop, role=role
        )
        app.client_id, app.public_keys, app.created = app.id, [jwk], world.clock.now()
        app.grants = {world.ident("oag"): scope for scope in scopes}
        world.state.apps[app.id] = app
        return app.client_id

    def form(self, scopes: Sequence[str], token: bool = False) -> dict[str, str]:
        """What an administrator enters to connect: a new client with its key, or a new API token."""
        address = self.organisation()["address"]
        if token:
            return {"address": address, "api_token": self.issue_api_token(self.organisation()["admin"])}
        key = ec.generate_private_key(ec.SECP256R1())
        public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        private = json.dumps(ECAlgorithm.to_jwk(key, as_dict=True))
        return {
            "address": address,
            "client_id": self.register_client(public, scopes),
            "private_key": private,
        }

    def client_scopes(self, client_id: str, scopes: Sequence[str]) -> None:
        """Grant exactly these scopes to a client."""
        self._world.app(client_id).grants = {self._world.ident("oag"): scope for scope in scopes}

    def app_status(self, app: str, status: str) -> None:
        """Activate or deactivate an app by hand."""
        self._world.app(app).status = status

    def issue_api_token(self, user: str, name: str = "Lantern") -> str:
        """An API token of a user; returns its value."""
        world = self._world
        key, value, now = (
            world.ident("00T"),
            "00" + world.ident("")[:20] + world.ident("")[:20],
            world.clock.now(),
        )
        owner = world.user(user)
        world.state.api_tokens[key] = {
            "id": key,
            "name": name,
            "userId": owner.id,
            "clientName": "Okta API",
            "created": now,
            "lastUpdated": now,
        }
        world.state.token_values[value] = key
        return value

    def role(self, user: str, role: str | None) -> None:
        """Give or take an administrator role."""
        self._world.user(user).role = role

    def nonces(self, token: bool = True, api: bool = False, rotate: bool = False) -> None:
        """Where proofs must carry a nonce; `rotate` makes the old one stale."""
        auth = self._sim.auth
        auth.token_nonce, auth.api_nonce = token, api
        if rotate:
            auth.nonce = f"{auth.nonce}x"

    def expire_access_tokens(self) -> None:
        """Every access token is expired at once."""
        self._sim.auth.issued.clear()

    # -- faults, quotas, hooks ---------------------------------------------------------------------

    def fault(self, kind: str, **rule: Any) -> int:
        """Put a fault rule in force; returns its id."""
        return self._sim.faults.add(kind=kind, **rule)

    def outage(self, seconds: float, path: str = "^/api/", status: int = 503, delay_s: float = 0.0) -> int:
        """Everything under `path` fails for a while."""
        start = self._sim.clock.now() + delay_s
        rule = {"path": path, "status": status, "starts_at": start, "ends_at": start + seconds}
        return self._sim.faults.add(kind="outage", **rule)

    def clear_faults(self, fault_id: int | None = None) -> None:
        """Drop one rule, or all."""
        self._sim.faults.clear(fault_id)

    def limits(self, at_once: int | None = None, enabled: bool = True, **limits: int) -> dict[str, Any]:
        """Calls a minute by bucket, and calls at once; returns them. Past calls are forgotten."""
        settings = self._sim.quotas.settings
        settings.limits.update(limits)
        settings.enabled = enabled
        settings.at_once = settings.at_once if at_once is None else at_once
        self._sim.quotas.reset()
        return {**settings.limits, "at_once": settings.at_once}

    def other_tool(self, share: float) -> None:
        """Another tool takes this share of every bucket; past calls are forgotten."""
        self._sim.quotas.settings.other_share = share
        self._sim.quotas.reset()

    def service_time(self, low_s: float, high_s: float | None = None) -> None:
        """How long a served call takes."""
        self._sim.service_time = (low_s, low_s if high_s is None else high_s)

    def hooks(self) -> list[dict[str, Any]]:
        """The hooks; secrets are left out."""
        return self._sim.hooks.described()

    def hook_settings(
        self, hookable: Sequence[str] | None = None, duplicate_rate: float | None = None
    ) -> None:
        """Which events may be hooked, and how often one is told twice."""
        if hookable is not None:
            self._sim.hooks.hookable = set(hookable)
        if duplicate_rate is not None:
            self._sim.hooks.duplicate_rate = duplicate_rate

    def deliveries(self) -> list[dict[str, Any]]:
        """What was delivered or failed, in order."""
        return list(self._sim.hooks.log)

    def settle(self) -> None:
        """Wait until every delivery is made."""
        self._sim.hooks.settle()

    # -- clock and counters ------------------------------------------------------------------------

    def now(self) -> str:
        """The simulated time."""
        return iso(self._sim.clock.now())

    def advance(self, seconds: float) -> float:
        """Move the clock; returns the new epoch seconds."""
        return self._sim.clock.advance(seconds)

    def metrics(self) -> dict[str, Any]:
        """Calls by method: accepted, refused, failed, by status."""
        return self._sim.counters.snapshot()

    def reset_metrics(self) -> None:
        """Count from nothing."""
        self._sim.counters.reset()
