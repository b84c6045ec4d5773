"""What tests and the demo may do to the simulated Google: a Python object, and the same over HTTP.

Every public method of `Control` is also `POST /_control/<method>` with a JSON object of its arguments (or
`GET` without); the answer is JSON. `customer` may be left out when there is only one.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from .consent import Decision
from .control_extras import ExtrasControl
from .model import App, OAuthClient, ServiceAccount, User
from .organisation import OrgSpec

if TYPE_CHECKING:
    from .simulator import GoogleSimulator


class Control(ExtrasControl):
    """The other side of the simulator."""

    def __init__(self, simulator: "GoogleSimulator") -> None:
        super().__init__(simulator)
        self._sim = simulator
        self._world = simulator.world

    # -- organisations and people ----------------------------------------------------------------

    def organisations(self) -> list[dict[str, Any]]:
        """The customers: id, domain, first administrator, sizes."""
        return [
            {
                "customer_id": org.customer_id,
                "domain": org.domain,
                "admin": org.admin.email,
                "users": len(org.users),
                "apps": len(org.app_list),
                "grants": sum(len(org.grants.held_by(u)) for u in org.users),
                "anchor": org.anchor,
            }
            for org in self._world.orgs.values()
        ]

    def add_organisation(self, **spec: Any) -> dict[str, Any]:
        """Generate one more customer; arguments as `OrgSpec`."""
        org = self._world.add_org(OrgSpec(**spec))
        return {"customer_id": org.customer_id, "domain": org.domain, "admin": org.admin.email}

    def add_consumer(self, email: str) -> str:
        """A consumer account; returns its id."""
        return self._world.add_consumer(email)

    def users(self, customer: str | None = None) -> list[dict[str, Any]]:
        """Everybody, with state and role."""
        return [_person(user) for user in self._world.org(customer).users]

    def add_user(
        self, email: str, given: str = "New", family: str = "Person", customer: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """Hire somebody; `more` are fields of `User`, such as `is_admin` or `org_unit`."""
        return _person(self._world.add_user(self._world.org(customer), email, given, family, **more))

    def suspend(self, user: str) -> None:
        """Suspend a user."""
        self._state(user, "suspended")

    def archive(self, user: str) -> None:
        """Archive a user."""
        self._state(user, "archived")

    def restore(self, user: str) -> None:
        """Make a user active again."""
        self._state(user, "active")

    def delete_user(self, user: str) -> None:
        """Delete a user: unknown to everything but `showDeleted`."""
        self._state(user, "deleted")

    def set_admin(self, user: str, is_admin: bool = True, privileges: Sequence[str] = ()) -> None:
        """Give or take administrator roles."""
        org, found = self._world.need(user)
        found.is_admin, found.privileges = is_admin, frozenset(privileges)
        self._world.account_changed(org, found, "makeAdmin" if is_admin else "update")
        self._world.touch(org)

    def rename_domain(self, domain: str, customer: str | None = None) -> None:
        """Change the primary domain; the customer id stays."""
        self._world.rename_domain(self._world.org(customer), domain)

    def _state(self, user: str, state: str) -> None:
        org, found = self._world.need(user)
        self._world.set_state(org, found, state)

    # -- grants and activities -------------------------------------------------------------------

    def add_app(self, name: str, scopes: Sequence[str], customer: str | None = None, **more: Any) -> str:
        """Make an app known (it is nobody's yet); returns its client id."""
        org = self._world.org(customer)
        made = self._world.app_named(org, name, more.pop("client_id", None))
        base = {f.name: getattr(made, f.name) for f in fields(App)}
        app = App(**{**base, "name": name, "scope_sets": (tuple(scopes),), **more})
        return org.add_app(app).client_id

    def grant(
        self,
        user: str,
        app: str | None = None,
        client_id: str | None = None,
        scopes: Sequence[str] | None = None,
        lag_s: float | None = None,
        replace: bool = False,
    ) -> dict[str, Any]:
        """A user consents to an app, by name or client id; more scopes widen a standing grant."""
        org, found = self._world.need(user)
        chosen = self._world.app_named(org, app, client_id)
        if app is not None and chosen.name != app and client_id is not None:
            chosen = App(client_id, app, "", "", False, chosen.scope_sets)
        grant = self._world.grant(org, found, chosen, scopes, lag_s=lag_s, replace_scopes=replace)
        return {"user_id": found.id, "client_id": grant.client_id, "scopes": list(grant.scopes)}

    def expand(self, user: str, client_id: str, scopes: Sequence[str]) -> dict[str, Any]:
        """An app gets more scopes."""
        return self.grant(user, client_id=client_id, scopes=scopes)

    def revoke(self, user: str, client_id: str, lag_s: float | None = None) -> bool:
        """The user (or an administrator by hand) removes a grant."""
        org, found = self._world.need(user)
        return self._world.revoke(org, found, client_id, lag_s=lag_s)

    def use(self, user: str, client_id: str, at: float | None = None, lag_s: float | None = None) -> None:
        """The app uses its grant now, or at a past time."""
        org, found = self._world.need(user)
        with self._world.lock:
            when = self._world.clock.now() if at is None else at
            app = self._world.app_named(org, None, client_id)
            item = org.log.token_event("activity", found, app, app.scope_sets[0], when, lag_s=lag_s)
        self._world.announce(org, "token", found, item)

    def delegate(self, client: str, scopes: Sequence[str] = (), customer: str | None = None) -> None:
        """An administrator grants domain-wide delegation to a service account's client id."""
        self._delegation(client, scopes, customer, granted=True)

    def undelegate(self, client: str, scopes: Sequence[str] = (), customer: str | None = None) -> None:
        """An administrator takes domain-wide delegation back."""
        self._delegation(client, scopes, customer, granted=False)

    def _delegation(self, client: str, scopes: Sequence[str], customer: str | None, *, granted: bool) -> None:
        org = self._world.org(customer)
        with self._world.lock:
            for account in self._sim.tokens.service_accounts.values():
                if account.client_id == client:
                    account.delegated[org.customer_id] = frozenset(scopes if granted else ())
            now = self._world.clock.now()
            item = org.log.delegation(granted, org.admin, client, scopes, now)
        self._world.announce(org, "admin", org.admin, item)

    def add_activity(
        self,
        application: str,
        user: str,
        name: str,
        parameters: Sequence[dict[str, Any]] = (),
        at: float | None = None,
        lag_s: float | None = None,
        event_type: str = "auth",
    ) -> None:
        """Record any activity of any application."""
        org, found = self._world.need(user)
        with self._world.lock:
            when = self._world.clock.now() if at is None else at
            item = org.log.add(application, found, name, parameters, when, type_=event_type, lag_s=lag_s)
        self._world.announce(org, application, found, item)

    def truth(self, customer: str | None = None) -> dict[str, Any]:
        """What a perfect inventory would say: by user id the address, state and grants (client: scopes)."""
        org = self._world.org(customer)
        with self._world.lock:
            return {
                user.id: {
                    "email": user.email,
                    "state": _state(user),
                    "grants": {g.client_id: list(g.scopes) for g in org.grants.held_by(user)},
                }
                for user in org.users
            }

    def grants_of(self, user: str) -> list[dict[str, Any]]:
        """One user's grants with name and date."""
        org, found = self._world.need(user)
        with self._world.lock:
            return [asdict(grant) for grant in org.grants.held_by(found)]

    def stale(self, customer: str | None = None) -> list[dict[str, Any]]:
        """Generated grants whose use ended, with the time it ended."""
        org = self._world.org(customer)
        table = org.grants
        return [
            {
                "user_id": org.users[table.owner(flat)].id,
                "client_id": table.apps[table.app[flat]].client_id,
                "used_until": table.used_until[flat],
            }
            for flat in range(table.generated)
            if table.used_until[flat] and flat not in table.ended
        ]

    def changes(self, since: int = 0, customer: str | None = None) -> list[dict[str, Any]]:
        """Every change of the truth after `since`, in order; `scopes` None means that the grant ended."""
        org = self._world.org(customer)
        with self._world.lock:
            return [asdict(change) for change in org.grants.changes if change.seq > since]

    def seq(self, customer: str | None = None) -> int:
        """The number of the latest change of the truth; for `lacked`."""
        return self._world.org(customer).grants.seq

    def lacked(self, user: str, client_id: str, since: int) -> bool:
        """Whether the user was without the grant at some instant after change number `since`."""
        org, found = self._world.need(user)
        with self._world.lock:
            return org.grants.lacked(found, client_id, since)

    # -- OAuth -----------------------------------------------------------------------------------

    def register_client(
        self, client_id: str, client_secret: str, redirect_uris: Sequence[str], name: str = "Lantern"
    ) -> None:
        """Register (or replace) an OAuth client of the product."""
        client = OAuthClient(client_id, client_secret, tuple(redirect_uris), name)
        self._sim.tokens.clients[client_id] = client

    def register_service_account(
        self,
        email: str,
        client_id: str,
        public_key_pem: str,
        delegated: dict[str, Sequence[str]] | None = None,
    ) -> None:
        """Register a service account; `delegated` maps customer ids to scopes."""
        allowed = {customer: frozenset(scopes) for customer, scopes in (delegated or {}).items()}
        self._sim.tokens.service_accounts[email] = ServiceAccount(email, client_id, public_key_pem, allowed)

    def auto_consent(
        self,
        email: str | None = None,
        scopes: Sequence[str] | None = None,
        deny: bool = False,
        once: bool = False,
        off: bool = False,
    ) -> None:
        """Decide consent requests without a person (see `Decision`); `off` brings the page back."""
        ticked = None if scopes is None else tuple(scopes)
        self._sim.consent.decision = None if off else Decision(email, ticked, deny, once)

    def send_iss(self, on: bool = True) -> None:
        """Whether the redirect carries `iss` (RFC 9207)."""
        self._sim.consent.send_iss = on

    def revoke_consent(self, user: str, client_id: str) -> bool:
        """An administrator removes the product itself: its refresh token dies."""
        with self._world.lock:
            _, found = self._world.need(user)
            self._sim.tokens.end_access(found.id, client_id)
            ended = self._sim.tokens.end_refresh(found.id, client_id)
        return self.revoke(user, client_id) or ended > 0

    def expire_access_tokens(self) -> None:
        """Every access token is expired at once."""
        with self._world.lock:
            self._sim.tokens.access.clear()

    def issue_access_token(self, user: str, client_id: str, scopes: Sequence[str]) -> str:
        """A bearer token without the detour through consent."""
        return self._sim.access_token(user, client_id, scopes)

    # -- faults, quotas, lag, push ---------------------------------------------------------------

    def fault(self, kind: str, **rule: Any) -> int:
        """Put a fault rule in force (see `faults.Fault`); returns its id."""
        return self._sim.faults.add(kind=kind, **rule)

    def outage(self, seconds: float, path: str = "^/admin/", status: int = 503, delay_s: float = 0.0) -> int:
        """Everything under `path` fails for a while."""
        start = self._world.clock.now() + delay_s
        rule = {"path": path, "status": status, "starts_at": start, "ends_at": start + seconds}
        return self._sim.faults.add(kind="outage", **rule)

    def faults(self) -> list[dict[str, Any]]:
        """The rules with their hits."""
        return self._sim.faults.describe()

    def clear_faults(self, fault_id: int | None = None) -> None:
        """Drop one rule, or all."""
        self._sim.faults.clear(fault_id)

    def seed(self, seed: int) -> None:
        """Restart the random sequence of faults."""
        self._sim.faults.reseed(seed)

    def quota(self, **settings: Any) -> dict[str, Any]:
        """Change quota settings (see `QuotaSettings`); returns them. Past calls are forgotten."""
        current = self._sim.quotas.settings
        if "other_share" in settings and "other_from" not in settings:
            settings["other_from"] = self._world.clock.monotonic()
        _update(current, settings)
        if settings:
            self._sim.quotas.reset()
        return asdict(current)

    def other_tool(self, share: float) -> None:
        """Another tool of the project takes this share of the quota from now on; past calls still count."""
        current = self._sim.quotas.settings
        current.other_from = self._world.clock.monotonic()
        current.other_share = share

    def service_time(self, low_s: float, high_s: float | None = None) -> None:
        """How long a served call takes, before `time_scale`."""
        time = self._sim.gate.service_time
        time.low_s, time.high_s = low_s, low_s if high_s is None else high_s

    def lag(self, customer: str | None = None, **settings: Any) -> dict[str, Any]:
        """Lateness and duplicates in activity listings (see `LagSettings`)."""
        org = self._world.org(customer)
        _update(org.log.lag, settings)
        return asdict(org.log.lag)

    def push(self, **settings: Any) -> dict[str, Any]:
        """How push deliveries misbehave (see `PushSettings`)."""
        _update(self._sim.pusher.settings, settings)
        self._sim.pusher.wake()
        return asdict(self._sim.pusher.settings)

    def channels(self) -> list[dict[str, Any]]:
        """The open channels; tokens are left out."""
        return [
            {k: v for k, v in asdict(channel).items() if k != "token"}
            for channel in self._sim.pusher.channels.values()
        ]

    def deliveries(self) -> list[dict[str, Any]]:
        """What was delivered, dropped or failed, in order."""
        return list(self._sim.pusher.log)

    def settle(self, timeout_s: float = 10.0) -> bool:
        """Wait until every delivery is made."""
        return self._sim.pusher.settle(timeout_s)

    # -- clock and counters ----------------------------------------------------------------------

    def now(self) -> float:
        """The simulated epoch seconds."""
        return self._world.clock.now()

    def advance(self, seconds: float) -> float:
        """Move the clock; returns the new epoch seconds."""
        moved = self._world.clock.advance(seconds)
        self._sim.pusher.wake()
        return moved

    def metrics(self) -> dict[str, Any]:
        """Calls by method: accepted, refused, failed, by status."""
        return self._sim.counters.snapshot()

    def reset_metrics(self) -> None:
        """Count from nothing."""
        self._sim.counters.reset()

    def reset(self) -> None:
        """Back to the beginning: organisations as generated, no tokens, channels, faults or counts."""
        self._sim.reset()


def _update(target: Any, settings: dict[str, Any]) -> None:
    known = {f.name for f in fields(target)}
    unknown = set(settings) - known
    if unknown:
        raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
    for name, value in settings.items():
        setattr(target, name, value)


def _state(user: User) -> str:
    if user.deleted_at is not None:
        return "deleted"
    if user.archived_at is not None:
        return "archived"
    return "suspended" if user.suspended_at is not None else "active"


def _person(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "name": f"{user.given} {user.family}",
        "state": _state(user),
        "is_admin": user.is_admin,
        "privileges": sorted(user.privileges),
        "org_unit": user.org_unit,
        "manager": user.manager,
    }
