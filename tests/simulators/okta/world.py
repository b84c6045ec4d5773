"""What happens in the organisation: every change of it, and the event that the System Log then shows."""

import random
import threading
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from tests.simulators.google.clock import Clock

from .generator import EVERYONE, generate, give, ident
from .model import App, Grant, OrgSpec, State, User
from .wire import not_found

LIVING = ("ACTIVE", "STAGED", "PROVISIONED", "LOCKED_OUT", "RECOVERY", "PASSWORD_EXPIRED", "SUSPENDED")
# The browser page of an app, the Dashboard and the Admin Console are Okta's own.
HOUSEHOLD = {"saasure", "okta_enduser"}
STATES = {"SUSPENDED": "suspended", "DEPROVISIONED": "archived"}


def iso(at: float) -> str:
    """An instant as Okta writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class World:
    """The organisation, its changes, and its log."""

    def __init__(self, clock: Clock, spec: OrgSpec, state: State | None = None) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.state = state or generate(spec, clock.now())
        self._rng = random.Random(f"world {spec.seed} {self.state.issued}")
        self.listeners: list[Callable[[dict[str, Any]], None]] = []

    def ident(self, prefix: str) -> str:
        self.state.issued += 1
        return ident(self._rng, prefix)

    # -- looking up --------------------------------------------------------------------------------

    def user(self, key: str) -> User:
        state = self.state
        found = state.users.get(key) or next(
            (u for u in state.users.values() if u.login == key.lower()), None
        )
        if found is None:
            raise not_found(key, "User")
        return found

    def app(self, key: str) -> App:
        state = self.state
        named = (a for a in state.apps.values() if key in (a.client_id, a.label))
        found = state.apps.get(key) or next(named, None)
        if found is None:
            raise not_found(key, "AppInstance")
        return found

    def groups_of(self, user: User) -> set[str]:
        return {g for g, name in self.state.groups.items() if name in (EVERYONE, user.department)}

    def assignment(self, user: User, app: App) -> tuple[str, float] | None:
        """How a user is assigned to an app (`USER` or `GROUP`) and since when."""
        if user.status == "DEPROVISIONED":
            return None
        own = self.state.direct.get(user.id, {}).get(app.id)
        if own is not None:
            return "USER", own
        return ("GROUP", app.created) if app.groups & self.groups_of(user) else None

    def assigned(self, app: App) -> list[User]:
        people = (self.state.users[key] for key in sorted(self.state.users))
        return [user for user in people if self.assignment(user, app)]

    # -- changing ----------------------------------------------------------------------------------

    def consent(
        self,
        user: User,
        app: App,
        scopes: Iterable[str],
        *,
        server: str = "ausDefault0000000000",
        at: float | None = None,
        nameless: bool = False,
    ) -> list[Grant]:
        with self.lock:
            now = self.clock.now() if at is None else at
            made = give(self.state, self._rng, user, app, scopes, server, now)
            for grant in made:
                target = {
                    "id": grant.id,
                    "type": "ConsentGrant",
                    "alternateId": None,
                    "displayName": grant.scope,
                    "detailEntry": {
                        "publicclientapp": app.client_id,
                        "authorizationserver": grant.server or self.state.org_id,
                        **({} if nameless else {"user": user.id}),
                    },
                }
                kind = "app.oauth2.as.consent.grant" if grant.server else "app.oauth2.consent.grant"
                self.emit(kind, user, [target], at=now, system=nameless)
            self._note(user, app, now)
            return made

    def end_consent(self, user: User, client_id: str, only: Iterable[str] | None = None) -> bool:
        """Take away grants of a client, or those with the ids in `only`."""
        with self.lock:
            held = self.state.grants.get(user.id, {})
            keys = [
                k for k, g in held.items() if g.client_id == client_id and (only is None or k in set(only))
            ]
            for key in keys:
                del held[key]
            if keys:
                app = next((a for a in self.state.apps.values() if a.client_id == client_id), None)
                target = [_user_target(user), *([_app_target(app)] if app else [])]
                self.emit("app.oauth2.as.consent.revoke.user.client", user, target)
                self._note(user, app, self.clock.now())
            return bool(keys)

    def assign(self, user: User, app: App, *, on: bool = True) -> None:
        with self.lock:
            own = self.state.direct.setdefault(user.id, {})
            if on:
                own[app.id] = self.clock.now()
            else:
                own.pop(app.id, None)
            verb = "add" if on else "remove"
            self.emit(f"application.user_membership.{verb}", user, [_user_target(user), _app_target(app)])
            self._note(user, app, self.clock.now())

    def set_status(self, user: User, status: str) -> None:
        verbs = {"SUSPENDED": "suspend", "DEPROVISIONED": "deactivate", "ACTIVE": "activate"}
        with self.lock:
            if status == "ACTIVE" and user.status == "SUSPENDED":
                verbs["ACTIVE"] = "unsuspend"
            user.status = status
            if status == "DEPROVISIONED":
                self.state.direct.pop(user.id, None)
            self.emit(f"user.lifecycle.{verbs.get(status, 'create')}", user, [_user_target(user)])

    def delete(self, user: User) -> None:
        with self.lock:
            self.emit("user.lifecycle.delete.initiated", user, [_user_target(user)])
            for table in (self.state.users, self.state.grants, self.state.direct, self.state.refresh):
                table.pop(user.id, None)

    def sign_on(self, user: User, app: App, *, at: float | None = None, result: str = "SUCCESS") -> None:
        self.emit("user.authentication.sso", user, [_app_target(app)], at=at, result=result)

    def emit(
        self,
        kind: str,
        user: User | None,
        targets: list[dict[str, Any]],
        *,
        at: float | None = None,
        system: bool = False,
        result: str = "SUCCESS",
        session: str | None = None,
    ) -> dict[str, Any]:
        """Store an event; what is given an earlier time than now arrives late."""
        event = log_event(
            self.clock.now() if at is None else at,
            kind,
            user,
            targets,
            system=system,
            result=result,
            session=session or f"102{user.id[3:] if user else 'none'}",
        )
        with self.lock:
            self.state.log.append(event)
        for listener in self.listeners:
            listener(event)
        return event

    def _note(self, user: User, app: App | None, at: float) -> None:
        client = (app.client_id or app.id) if app else ""
        held = self.truth_of(user)["grants"].get(client)
        self.state.changes.append(
            {
                "seq": len(self.state.changes) + 1,
                "user": user.id,
                "client_id": client,
                "scopes": held,
                "at": at,
            }
        )

    # -- the truth -----------------------------------------------------------------------------------

    def truth_of(self, user: User) -> dict[str, Any]:
        held: dict[str, set[str]] = {}
        for app in self.state.apps.values():
            usable = app.status == "ACTIVE" and app.mode != "BOOKMARK" and app.name not in HOUSEHOLD
            if usable and self.assignment(user, app):
                held.setdefault(app.client_id or app.id, set()).add("openid")
        for grant in self.state.grants.get(user.id, {}).values():
            held.setdefault(grant.client_id, set()).add(grant.scope)
        return {
            "email": user.login,
            "state": STATES.get(user.status, "active"),
            "grants": {client: sorted(scopes) for client, scopes in sorted(held.items())},
        }


def _user_target(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "type": "User",
        "alternateId": user.login,
        "displayName": f"{user.given} {user.family}",
    }


def _app_target(app: App) -> dict[str, Any]:
    return {"id": app.id, "type": "AppInstance", "alternateId": app.label, "displayName": app.label}


def log_event(
    at: float,
    kind: str,
    user: User | None,
    targets: list[dict[str, Any]],
    *,
    system: bool = False,
    result: str = "SUCCESS",
    session: str = "unknown",
    identity: str | None = None,
) -> dict[str, Any]:
    """A `LogEvent`, the members that matter."""
    actor = (
        {
            "id": "system",
            "type": "SystemPrincipal",
            "alternateId": "system@okta.com",
            "displayName": "Okta System",
        }
        if system or user is None
        else {
            "id": user.id,
            "type": "User",
            "alternateId": user.login,
            "displayName": f"{user.given} {user.family}",
        }
    )
    return {
        "uuid": identity or str(uuid.uuid4()),
        "published": iso(at),
        "eventType": kind,
        "version": "0",
        "severity": "INFO",
        "displayMessage": kind,
        "actor": actor,
        "client": {
            "userAgent": None,
            "zone": "null",
            "device": "Unknown",
            "ipAddress": "203.0.113.7",
            "geographicalContext": {"city": "Dublin", "country": "Ireland", "postalCode": None},
        },
        "securityContext": {"asNumber": 64512, "asOrg": "example net", "isp": None, "isProxy": False},
        "outcome": {"result": result, "reason": None},
        "target": targets,
        "transaction": {"type": "WEB", "id": "unknown", "detail": {}},
        "debugContext": {"debugData": {}},
        "authenticationContext": {"authenticationStep": 0, "externalSessionId": session},
        "request": {"ipChain": []},
    }


def app_target(app: App) -> dict[str, Any]:
    """The target of a sign-in."""
    return _app_target(app)
