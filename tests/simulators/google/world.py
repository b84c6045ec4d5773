"""The simulated Google: its customers, its consumer accounts, and everything that can happen to them."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from .clock import Clock
from .generator import generate
from .grants import grant_of
from .model import App, Grant, User, client_id_for, gaia_id
from .organisation import Organisation, OrgSpec

DIRECTORY = "directory.users"
"""What Directory channels watch, in the place of an application of the Reports API."""
Listener = Callable[[Organisation, str, User | None, dict[str, Any]], None]
"""Called with organisation, application, actor and the written activity."""


class World:
    """All state that the APIs read. Take `lock` around any use of it."""

    def __init__(self, clock: Clock, specs: Iterable[OrgSpec] = ()) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.orgs: dict[str, Organisation] = {}
        self.consumers: dict[str, str] = {}
        self.listeners: list[Listener] = []
        self.revoked_listeners: list[Callable[[str, str], object]] = []
        self.signed_out: list[str] = []
        self._users_made = 0
        for spec in specs:
            self.add_org(spec)

    def add_org(self, spec: OrgSpec) -> Organisation:
        """Generate one more customer."""
        org = generate(spec, self.clock.now())
        with self.lock:
            if org.customer_id in self.orgs or any(o.domain == org.domain for o in self.orgs.values()):
                raise ValueError(f"customer {org.customer_id} or domain {org.domain} exists already")
            self.orgs[org.customer_id] = org
        return org

    def add_consumer(self, email: str) -> str:
        """A gmail.com-like account of no organisation; returns its id."""
        with self.lock:
            return self.consumers.setdefault(email.lower(), gaia_id(31, len(self.consumers)))

    def org(self, customer: str | None = None) -> Organisation:
        """A customer by id or domain; the only one when not named."""
        if customer is None:
            if len(self.orgs) != 1:
                raise ValueError("name the customer: there are several")
            return next(iter(self.orgs.values()))
        for org in self.orgs.values():
            if customer in (org.customer_id, org.domain):
                return org
        raise ValueError(f"no customer {customer}")

    def locate(self, key: str, *, deleted: bool = True) -> tuple[Organisation, User] | None:
        """The user with this id or address, in any organisation."""
        for org in self.orgs.values():
            user = org.find(key, deleted=deleted)
            if user is not None:
                return org, user
        return None

    def need(self, key: str) -> tuple[Organisation, User]:
        """As `locate`, but a ValueError when there is none."""
        found = self.locate(key)
        if found is None:
            raise ValueError(f"no user {key}")
        return found

    # -- grants ----------------------------------------------------------------------------------

    def grant(
        self,
        org: Organisation,
        user: User,
        app: App,
        scopes: Sequence[str] | None = None,
        *,
        lag_s: float | None = None,
        replace_scopes: bool = False,
    ) -> Grant:
        """A user consents to an app; scopes add to what the app already holds. Audited and pushed."""
        with self.lock:
            now = self.clock.now()
            org.add_app(app)
            held = org.grants.get(user, app.client_id)
            grant = grant_of(app, tuple(scopes) if scopes else None, now)
            if held is not None and not replace_scopes:
                merged = tuple(dict.fromkeys((*held.scopes, *grant.scopes)))
                grant = replace(grant, scopes=merged, granted_at=held.granted_at)
            org.grants.put(user, grant, now)
            item = org.log.token_event("authorize", user, app, grant.scopes, now, lag_s=lag_s)
        self.announce(org, "token", user, item)
        return grant

    def revoke(self, org: Organisation, user: User, client_id: str, *, lag_s: float | None = None) -> bool:
        """A grant ends, with every refresh token under it. Audited and pushed; False when there was none."""
        with self.lock:
            now = self.clock.now()
            gone = org.grants.drop(user, client_id, now)
            if gone is None:
                return False
            app = self.app_of(org, gone)
            item = org.log.token_event("revoke", user, app, gone.scopes, now, lag_s=lag_s)
            for listener in self.revoked_listeners:
                listener(user.id, client_id)
        self.announce(org, "token", user, item)
        return True

    def app_of(self, org: Organisation, grant: Grant) -> App:
        """The app behind a grant, known or not."""
        known = org.apps.get(grant.client_id)
        kind = grant.client_type
        return known or App(grant.client_id, grant.name, "", "", False, (grant.scopes,), client_type=kind)

    def announce(self, org: Organisation, application: str, user: User | None, item: dict[str, Any]) -> None:
        """Tell push (and persistence) that an activity was recorded."""
        for listener in self.listeners:
            listener(org, application, user, item)

    def touch(self, org: Organisation) -> None:
        """Tell persistence that something without an activity changed."""
        self.announce(org, "", None, {})

    # -- people ----------------------------------------------------------------------------------

    def add_user(self, org: Organisation, email: str, given: str, family: str, **fields: Any) -> User:
        """Hire somebody."""
        with self.lock:
            if self.locate(email) is not None:
                raise ValueError(f"{email} exists already")
            number = gaia_id(org.spec.seed, 32, len(org.users))
            user = User(number, email.lower(), given, family, created_at=self.clock.now(), **fields)
            org.add_user(user)
        self._admin_event(org, "CREATE_USER", user)
        return user

    def set_state(self, org: Organisation, user: User, state: str) -> None:
        """Make a user `active`, `suspended`, `archived` or `deleted` (then unreadable)."""
        if state not in {"active", "suspended", "archived", "deleted"}:
            raise ValueError(f"unknown state {state}")
        with self.lock:
            now = self.clock.now()
            user.suspended_at = now if state == "suspended" else None
            user.archived_at = now if state == "archived" else None
            user.deleted_at = now if state == "deleted" else None
        names = {"suspended": "SUSPEND_USER", "archived": "ARCHIVE_USER", "deleted": "DELETE_USER"}
        self._admin_event(org, names.get(state, "UNSUSPEND_USER"), user)
        self.account_changed(org, user, "delete" if state == "deleted" else "update")

    def _admin_event(self, org: Organisation, name: str, user: User) -> None:
        with self.lock:
            actor = next((u for u in org.users if u.is_admin), None)
            parameters = [{"name": "USER_EMAIL", "value": user.email}]
            now = self.clock.now()
            item = org.log.add("admin", actor, name, parameters, now, type_="USER_SETTINGS")
        self.announce(org, "admin", actor, item)

    def account_changed(self, org: Organisation, user: User, event: str) -> None:
        """Tell Directory channels that an account changed."""
        item = {
            "kind": "admin#directory#user",
            "id": user.id,
            "primaryEmail": user.email,
            "events": [{"name": event}],
        }
        self.announce(org, DIRECTORY, user, item)

    def rename_domain(self, org: Organisation, domain: str) -> None:
        """The customer changes its primary domain; ids stay."""
        with self.lock:
            for user in org.users:
                user.email = user.email.replace(f"@{org.domain}", f"@{domain}")
            org.by_email = {user.email: user for user in org.users}
            org.domain = domain
        self.touch(org)

    def app_named(self, org: Organisation, name: str | None, client_id: str | None) -> App:
        """A known app by client id or name; an unknown one is made up from what is given."""
        if client_id is not None and client_id in org.apps:
            return org.apps[client_id]
        if client_id is None:
            for app in org.app_list:
                if app.name == name:
                    return app
        made = client_id or client_id_for(f"unknown {name}")
        scopes = ("openid", "https://www.googleapis.com/auth/userinfo.email")
        return App(made, name or made, "", "", False, (scopes,))
