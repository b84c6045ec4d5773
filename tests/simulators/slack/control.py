"""What tests and the demo may do to the simulated Slack: a Python object, and `POST /_control/<method>`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .model import SlackClient
from .oauth import Decision

if TYPE_CHECKING:
    from .simulator import SlackSimulator


class Control:
    """The other side of the simulator. Accounts and apps are named by id, address or name."""

    def __init__(self, simulator: "SlackSimulator") -> None:
        self._sim = simulator
        self._world = simulator.world

    # -- looking ----------------------------------------------------------------------------------

    def organisations(self) -> list[dict[str, Any]]:
        """The organisation: id, plan, workspaces, who administers it."""
        world = self._world
        owner = next(m for m in world.members.values() if m.primary)
        return [
            {
                "organisation_id": world.organisation_id, "name": world.name, "plan": world.plan,
                "teams": [asdict(team) for team in world.teams.values()], "admin": owner.email,
                "members": len(world.members), "apps": len(world.apps),
            }
        ]  # fmt: skip

    def users(self) -> list[dict[str, Any]]:
        """Everybody."""
        return [{**asdict(m), "teams": sorted(m.teams)} for m in self._world.members.values()]

    def apps(self) -> list[dict[str, Any]]:
        """All apps, with who installed them."""
        return [
            {**asdict(app), "installed_by": sorted({i.user for i in self._world.installed(app.id)})}
            for app in self._world.apps.values()
        ]

    def truth(self) -> dict[str, dict[str, Any]]:
        """Per account: state and what it holds."""
        with self._world.lock:
            return self._world.truth()

    def changes(self) -> list[dict[str, Any]]:
        """What changed, in order."""
        return [asdict(change) for change in self._world.changes]

    # -- people -----------------------------------------------------------------------------------

    def add_user(self, email: str, name: str = "New Person", **more: Any) -> dict[str, Any]:
        """Somebody joins; `more` are fields of `Member`."""
        with self._world.lock:
            member = self._world.join(email, name, **more)
        self._sim.events.pump()
        return {"id": member.id, "email": member.email}

    def deactivate(self, user: str) -> None:
        """Deactivate a member."""
        with self._world.lock:
            self._world.deactivate(user)
        self._sim.events.pump()

    def reactivate(self, user: str) -> None:
        """Activate a member again."""
        with self._world.lock:
            self._world.reactivate(user)
        self._sim.events.pump()

    def purge(self, user: str) -> None:
        """Make an account unknown (Slack itself never does; organisations that merge may)."""
        with self._world.lock:
            member = self._world.member(user)
            del self._world.members[member.id]
            self._world.touch()

    # -- apps -------------------------------------------------------------------------------------

    def install(self, app: str, user: str, team: str = "", scopes: Sequence[str] | None = None) -> None:
        """Somebody installs an app."""
        with self._world.lock:
            member = self._world.member(user)
            self._world.install(self._world.app(app).id, member.id, team or min(member.teams), scopes)
        self._sim.events.pump()

    def expand(self, app: str, user: str, scopes: Sequence[str]) -> None:
        """An app is given more."""
        with self._world.lock:
            who, what = self._world.member(user).id, self._world.app(app).id
            team = next(i.team for i in self._world.installed(what) if i.user == who)
            self._world.expand(what, who, team, scopes)

    def uninstall(self, app: str, by: str) -> bool:
        """An administrator removes an app everywhere."""
        with self._world.lock:
            return self._world.uninstall(self._world.app(app).id, self._world.member(by).id)

    def take_back(self, app: str, user: str) -> None:
        """A person ends an installation of their own."""
        with self._world.lock:
            self._world.take_back(self._world.app(app).id, self._world.member(user).id)

    def decide(self, policy: str, app: str, by: str, place: str = "") -> None:
        """`approved` or `restricted`, by hand."""
        with self._world.lock:
            where = place or self._world.organisation_id
            self._world.decide(policy, self._world.app(app).id, where, self._world.member(by).id)

    def ask(self, app: str, user: str, message: str = "") -> None:
        """A member asks for an app."""
        with self._world.lock:
            member = self._world.member(user)
            self._world.ask(self._world.app(app).id, member.id, min(member.teams), message)
        self._sim.events.pump()

    # -- access -----------------------------------------------------------------------------------

    def register_client(
        self, client_id: str, client_secret: str, redirect_uri: str, signing_secret: str = ""
    ) -> None:
        """The product's own app."""
        more = {"signing_secret": signing_secret} if signing_secret else {}
        self._sim.tokens.clients[client_id] = SlackClient(client_id, client_secret, (redirect_uri,), **more)

    def auto_consent(
        self,
        email: str | None = None,
        scopes: Sequence[str] | None = None,
        place: str | None = None,
        deny: bool = False,
    ) -> None:
        """Decide by itself from now on; see `Decision`."""
        given = None if scopes is None else tuple(scopes)
        self._sim.oauth.decision = Decision(email, place, given, deny)

    def manual_consent(self) -> None:
        """Show the page from now on."""
        self._sim.oauth.decision = None

    def remove_product(self) -> None:
        """An owner removes the product's app: all its tokens end."""
        with self._world.lock:
            for token in list(self._sim.tokens.access.values()):
                if not token.revoked:
                    self._sim.api.revoke(token)
        self._sim.events.pump()

    def expire_access_tokens(self) -> None:
        """Tokens do not expire while rotation is off."""

    def subscribe(self, address: str) -> None:
        """Enter the Events API's request URL of every client."""
        for client in self._sim.tokens.clients.values():
            self._sim.events.subscribe(client, address)

    def settle(self, timeout_s: float = 10.0) -> bool:
        """Wait until every event is delivered or given up."""
        self._sim.events.pump()
        return self._sim.events.settle(timeout_s)

    # -- messages ---------------------------------------------------------------------------------

    def messages(self, user: str = "") -> list[dict[str, Any]]:
        """What apps wrote to people, the oldest first."""
        who = self._world.member(user).id if user else ""
        return [asdict(one) for one in self._sim.chat.posted if who in ("", one.user)]

    def press(self, user: str, action: str, address: str, by: str = "") -> dict[str, Any]:
        """Somebody presses a button of the last message to them; see `Chat.press`."""
        who = self._world.member(user).id
        other = self._world.member(by).id if by else ""
        status, text = self._sim.chat.press(who, action, address, by=other)
        return {"status": status, "text": text}

    # -- misbehaviour -----------------------------------------------------------------------------

    def fault(self, kind: str, **rule: Any) -> int:
        """A fault by rule; see `tests.simulators.google.faults.Fault`."""
        return self._sim.faults.add(kind=kind, **rule)

    def fail(self, method: str, error: str) -> None:
        """A method (`audit` for the audit log) refuses with this word, under status 200."""
        self._sim.gate.failing[method] = error

    def clear_faults(self) -> None:
        """All is well again."""
        self._sim.faults.clear()
        self._sim.gate.failing.clear()

    def limits(self, enabled: bool = True, time_scale: float = 1.0, others: int = 0) -> None:
        """Set how limits hold."""
        settings = self._sim.tiers.settings
        settings.enabled, settings.time_scale, settings.others = enabled, time_scale, others

    def plan(self, plan: str) -> None:
        """Another plan from now on."""
        self._world.plan = plan

    def advance(self, seconds: float) -> float:
        """Move the clock."""
        return self._world.clock.advance(seconds)

    def metrics(self) -> dict[str, Any]:
        """How often each method was called."""
        return self._sim.counters.snapshot()

    def reset_metrics(self) -> None:
        """Count from nothing."""
        self._sim.counters.reset()
