"""The state of one organisation, and everything that can happen to it."""

import threading
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from tests.simulators.google.clock import Clock

from .model import App, Ask, Change, Function, Install, McpServer, Member, Policy, Team, Workflow, identifier
from .wire import SlackError


class World:
    """People, apps and what happened. `events` is what the Events API has to tell."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.plan, self.name, self.enterprise_id = "pro", "", ""
        self.teams: dict[str, Team] = {}
        self.members: dict[str, Member] = {}
        self.apps: dict[str, App] = {}
        self.installs: dict[tuple[str, str, str], Install] = {}
        self.policies: list[Policy] = []
        self.asks: list[Ask] = []
        self.mcp: dict[str, McpServer] = {}
        self.workflows: list[Workflow] = []
        self.functions: list[Function] = []
        self.log: list[dict[str, Any]] = []
        self.audit: list[dict[str, Any]] = []
        self.changes: list[Change] = []
        self.ended: set[str] = set()
        self.events: list[dict[str, Any]] = []
        self.listeners: list[Any] = []

    # -- looking ----------------------------------------------------------------------------------

    @property
    def organisation_id(self) -> str:
        """The organisation's id, or that of the only workspace."""
        return self.enterprise_id or next(iter(self.teams))

    def member(self, key: str) -> Member:
        """By id or address."""
        for one in self.members.values():
            if key and key in (one.id, one.email):
                return one
        raise SlackError("user_not_found")

    def app(self, key: str) -> App:
        """By id or name."""
        for one in self.apps.values():
            if key in (one.id, one.name):
                return one
        raise SlackError("app_not_found")

    def in_team(self, team: str) -> list[Member]:
        """Members of a workspace, in no particular but a stable order."""
        return [m for m in self.members.values() if team in m.teams]

    def installed(self, app: str) -> list[Install]:
        """All installations of an app."""
        return [i for i in self.installs.values() if i.app == app]

    # -- apps -------------------------------------------------------------------------------------

    def install(
        self,
        app: str,
        user: str,
        team: str = "",
        scopes: Iterable[str] | None = None,
        at: float | None = None,
    ) -> None:
        """Somebody installs an app, or consents again."""
        when = self.clock.now() if at is None else at
        found, key = self.apps[app], (team, app, user)
        given = set(found.scopes if scopes is None else scopes)
        known = self.installs.get(key)
        if known is None:
            known = self.installs[key] = Install(team, app, user, set(), when)
        known.scopes |= given
        known.at = when
        self.ended.discard(app)
        self._bot(found, team, alive=True)
        self._logged("added", found, user, team, sorted(given), when)
        self._audited(
            "app_installed", found, user, team, when, {"new_scopes": sorted(given), "previous_scopes": []}
        )
        self._changed("installed", app, user, when)

    def expand(self, app: str, user: str, team: str, scopes: Iterable[str], at: float | None = None) -> None:
        """An installation is given more permissions."""
        when, install = self.clock.now() if at is None else at, self.installs[team, app, user]
        before = sorted(install.scopes)
        install.scopes |= set(scopes)
        install.at = when
        self._logged("expanded", self.apps[app], user, team, sorted(install.scopes), when)
        details = {"new_scopes": sorted(install.scopes), "previous_scopes": before}
        self._audited("app_scopes_expanded", self.apps[app], user, team, when, details)
        self._changed("expanded", app, user, when)

    def uninstall(self, app: str, by: str, team: str | None = None, at: float | None = None) -> bool:
        """An administrator removes an app for everybody, here or everywhere; False: not there."""
        when, found = self.clock.now() if at is None else at, self.apps[app]
        held = [key for key, i in self.installs.items() if i.app == app and team in (None, i.team)]
        if not held:
            return False
        for key in held:
            del self.installs[key]
        if not self.installed(app):
            self._bot(found, "", alive=False)
            self.ended.add(app)
        self._logged("removed", found, by, team or "", None, when)
        self._audited("app_uninstalled", found, by, team or "", when, {})
        self._changed("uninstalled", app, by, when)
        return True

    def take_back(self, app: str, user: str) -> None:
        """A person ends an installation of their own (outside an Enterprise organisation)."""
        when = self.clock.now()
        for key in [k for k, i in self.installs.items() if i.app == app and i.user == user]:
            del self.installs[key]
        if not self.installed(app):
            self._bot(self.apps[app], "", alive=False)
            self.ended.add(app)
        self._logged("removed", self.apps[app], user, "", None, when)
        self._changed("taken back", app, user, when)

    def _bot(self, app: App, team: str, *, alive: bool) -> None:
        if not app.bot_scopes:
            return
        key = identifier("U", "bot", app.id)
        places = {team} if team else set(self.teams)
        bot = self.members.get(key)
        if bot is None:
            bot = self.members[key] = Member(key, app.name.lower(), app.name, "", set(), api_app_id=app.id)
        bot.teams |= places if alive else set()
        bot.deleted = not alive

    def decide(self, policy: str, app: str, place: str, by: str) -> None:
        """Approve or restrict an app."""
        self.policies = [p for p in self.policies if (p.app, p.place) != (app, place)]
        self.policies.append(Policy(policy, app, place, by, self.clock.now()))
        self.asks = [ask for ask in self.asks if ask.app != app]
        self._audited(f"app_{policy}", self.apps[app], by, "", self.clock.now(), {})
        self._changed(policy, app, by, self.clock.now())

    def ask(self, app: str, user: str, team: str, message: str = "") -> None:
        """A member asks for an app."""
        ask = Ask(identifier("Ar", app, user, len(self.asks)), app, team, user, message, self.clock.now())
        self.asks.append(ask)
        self._tell({"type": "app_requested", "app_request": {"id": ask.id, "app": {"id": app}}}, team)

    # -- people -----------------------------------------------------------------------------------

    def join(self, email: str, name: str = "New Person", **more: Any) -> Member:
        """Somebody joins."""
        team = next(iter(self.teams))
        member = Member(
            identifier("U", email), email.split("@", maxsplit=1)[0], name, email.lower(), {team}, **more
        )
        self.members[member.id] = member
        self._account("user_created", "team_join", member)
        return member

    def deactivate(self, key: str) -> None:
        """A member is deactivated."""
        member = self.member(key)
        member.deleted = True
        self._account("user_deactivated", "user_change", member)

    def reactivate(self, key: str) -> None:
        """A member is activated again."""
        member = self.member(key)
        member.deleted = False
        self._account("user_reactivated", "user_change", member)

    def _account(self, action: str, event: str, member: Member) -> None:
        from .users import resource

        member.updated = self.clock.now()
        if self.enterprise_id:
            entity = {
                "type": "user",
                "user": {"id": member.id, "name": member.real_name, "email": member.email},
            }
            self._entry(action, "USLACKUSER", "", self.clock.now(), entity, {})
        self._tell({"type": event, "user": resource(self, member, email=True)}, min(member.teams))

    # -- what is remembered -----------------------------------------------------------------------

    def _changed(self, what: str, app: str, user: str, at: float) -> None:
        self.changes.append(Change(at, what, app, user))
        self.touch()

    def touch(self) -> None:
        """Something changed."""
        for listener in self.listeners:
            listener()

    def _tell(self, event: dict[str, Any], team: str) -> None:
        self.events.append({"team": team, "event": event})
        self.touch()

    def tell(self, event: dict[str, Any], team: str = "") -> None:
        """Something for the Events API."""
        self._tell(event, team or self.organisation_id)

    def _logged(
        self, change: str, app: App, user: str, team: str, scopes: list[str] | None, at: float
    ) -> None:
        row = {
            "app_id": app.id,
            "app_type": app.name,
            "user_id": user,
            "change_type": change,
            "date": f"{int(at)}",
        }
        row["user_name"] = self.members[user].name if user in self.members else ""
        if scopes is not None:
            row["scope"] = ",".join(scopes)
        self.log.append(row)

    def _audited(
        self, action: str, app: App, user: str, team: str, at: float, details: dict[str, Any]
    ) -> None:
        scopes = sorted({s for i in self.installed(app.id) for s in i.scopes})
        entity = {
            "type": "app",
            "app": {
                "id": app.id, "name": app.name, "is_distributed": app.listed,
                "is_directory_approved": app.listed, "is_workflow_app": False, "scopes": scopes,
            },
        }  # fmt: skip
        self._entry(action, user, team, at, entity, details)

    def _entry(
        self, action: str, user: str, team: str, at: float, entity: dict[str, Any], details: dict[str, Any]
    ) -> None:
        place = self.teams.get(team)
        location = (
            {"type": "workspace", "id": place.id, "name": place.name, "domain": place.domain}
            if place
            else {"type": "enterprise", "id": self.enterprise_id, "name": self.name, "domain": ""}
        )
        known = self.members.get(user)
        actor = {"id": user, "name": known.real_name if known else "", "email": known.email if known else ""}
        self.audit.append(
            {
                "id": str(uuid.uuid4()),
                "date_create": int(at),
                "action": action,
                "actor": {"type": "user", "user": actor},
                "entity": entity,
                "context": {"location": location, "ua": "", "ip_address": "203.0.113.9"},
                **({"details": details} if details else {}),
            }
        )

    # -- oracle -----------------------------------------------------------------------------------

    def truth(self, organisation: bool = True) -> dict[str, dict[str, Any]]:
        """What is true, concluded from the state alone: per account its state, and app id → permissions."""
        found: dict[str, dict[str, Any]] = {}
        if organisation:
            found[self.organisation_id] = {"state": "active", "grants": dict(self._organisation())}
        for member in self.members.values():
            held: dict[str, set[str]] = {}
            for install in self.installs.values():
                if install.user == member.id and self.plan != "free":
                    held.setdefault(install.app, set()).update(install.scopes)
            state = "suspended" if member.deleted else "active"
            found[member.id] = {"state": state, "grants": {k: sorted(v) for k, v in held.items()}}
        return found

    def _organisation(self) -> Iterator[tuple[str, list[str]]]:
        union = {app: sorted({s for i in self.installed(app) for s in i.scopes}) for app in self.apps}
        for app in self.apps.values():
            lives, bot = bool(self.installed(app.id)), bool(app.bot_scopes)
            if self.plan == "enterprise":
                allowed = any(p.policy == "approved" and p.app == app.id for p in self.policies)
                if lives:
                    yield app.id, union[app.id]
                elif allowed and app.id not in self.ended:
                    yield app.id, sorted(app.scopes)
            elif lives and bot:
                yield app.id, union[app.id] if self.plan == "pro" else []
