"""Everything that tests and demos may tell the simulator, as methods and as `POST /_control/{name}`."""

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tests.simulators.google.wire import Request, Response, json_response

from .app import Decision
from .model import App
from .wire import GithubError

if TYPE_CHECKING:
    from .simulator import GithubSimulator


class Control:
    """Verbs on a simulator. `org` is an organisation's name or id, the first where none is named."""

    def __init__(self, simulator: "GithubSimulator") -> None:
        self._sim = simulator

    # -- people ----------------------------------------------------------------------------------

    def hire(self, login: str, role: str = "member", org: str | None = None) -> dict[str, Any]:
        """Somebody joins."""
        return self._sim.world.add_member(self._org(org), login, role).simple()

    def remove(self, user: str, org: str | None = None) -> None:
        """Somebody leaves."""
        self._sim.world.remove_member(self._org(org), self._sim.world.person(user))

    def rename(self, user: str, login: str) -> None:
        """Somebody takes another name; the id stays."""
        self._sim.world.person(user).login = login

    def set_role(self, user: str, role: str, org: str | None = None) -> None:
        """Make somebody an owner (`admin`) or a plain member."""
        found, person = self._org(org), self._sim.world.person(user)
        found.members[person.id] = role
        self._sim.world.note(found, "org.update_member", person.id)

    def rename_org(self, login: str, org: str | None = None) -> None:
        """The organisation takes another name; the id stays."""
        self._org(org).login = login

    def plan(self, ghec: bool | None = None, copilot: bool | None = None, org: str | None = None) -> None:
        """Change what the organisation pays for."""
        found = self._org(org)
        found.ghec = found.ghec if ghec is None else ghec
        found.copilot = found.copilot if copilot is None else copilot

    # -- apps ------------------------------------------------------------------------------------

    def install(
        self,
        slug: str,
        name: str = "",
        permissions: dict[str, str] | None = None,
        owner: str = "somebody",
        home: str = "",
        org: str | None = None,
    ) -> int:
        """An owner installs an app, known or new; returns the installation's id."""
        world = self._sim.world
        app = next((one for one in world.apps.values() if one.slug == slug), None)
        if app is None:
            app = App(world.number(), slug, name or slug, owner, home, permissions or {"metadata": "read"})
            world.apps[app.id] = app
        if permissions is not None:
            app.permissions = permissions
        return world.install(self._org(org), app).id

    def uninstall(self, slug: str, org: str | None = None) -> None:
        """An owner uninstalls an app."""
        world, found = self._sim.world, self._org(org)
        for one in world.installed(found):
            if world.apps[one.app_id].slug == slug:
                world.uninstall(found, one)

    def suspend(self, slug: str, on: bool = True, org: str | None = None) -> None:
        """An owner suspends an app, or unsuspends it."""
        world = self._sim.world
        for one in world.installed(self._org(org)):
            if world.apps[one.app_id].slug == slug:
                one.suspended_at = world.clock.now() if on else None

    # -- credentials, tokens, seats --------------------------------------------------------------

    def authorise(
        self,
        user: str,
        kind: str = "OAuth app token",
        scopes: list[str] | None = None,
        org: str | None = None,
    ) -> int:
        """Somebody authorises a credential for single sign-on; returns its id."""
        world = self._sim.world
        return world.authorise(self._org(org), world.person(user), kind, scopes or ["repo"]).id

    def deauthorise(self, credential: int, org: str | None = None) -> bool:
        """An owner takes an authorisation away."""
        return self._sim.world.deauthorise(self._org(org), credential)

    def create_pat(
        self,
        user: str,
        name: str = "script",
        permissions: dict[str, dict[str, str]] | None = None,
        org: str | None = None,
    ) -> int:
        """A fine-grained token is approved; returns its id."""
        world, held = self._sim.world, permissions or {"repository": {"contents": "read"}}
        return world.create_pat(self._org(org), world.person(user), name, held).id

    def assign_seat(self, user: str, team: str | None = None, org: str | None = None) -> None:
        """Somebody gets a Copilot seat."""
        self._sim.world.assign_seat(self._org(org), self._sim.world.person(user), team)

    def end_seat(self, user: str, org: str | None = None) -> None:
        """A seat ends."""
        self._sim.world.end_seat(self._org(org), self._sim.world.person(user))

    def use_seat(self, user: str, org: str | None = None) -> None:
        """Somebody uses Copilot now."""
        self._org(org).seats[self._sim.world.person(user).id].last_activity_at = self.now()

    def slow_revocation(self, listings: int) -> None:
        """Revoking a token is accepted (202) and carried out so many listings later; 0 does it at once."""
        self._sim.orgs.slow_revocation = listings

    # -- consent and access ----------------------------------------------------------------------

    def auto_consent(
        self,
        login: str | None = None,
        organisation: str | None = None,
        action: str = "install",
        installation_id: int | None = None,
        off: bool = False,
    ) -> None:
        """Decide installation pages without a person (see `Decision`); `off` brings the page back."""
        chosen = Decision(login, organisation, action, installation_id)
        self._sim.ours.decision = None if off else chosen

    def permissions(self, held: dict[str, str], org: str | None = None) -> None:
        """What our installation holds from now on."""
        made = self._sim.world.our_installation(self._org(org))
        if made is None:
            raise ValueError("not installed")
        made.permissions = held

    def expire_access_tokens(self) -> None:
        """Every access token is expired at once."""
        self._sim.tokens.access.clear()

    def redirect(self, uri: str) -> None:
        """Where our app sends people back to from now on."""
        self._sim.ours.redirect_uri = uri

    # -- web hooks -------------------------------------------------------------------------------

    def webhook(self, address: str = "", secret: str = "", lose: bool = False) -> None:
        """Where our app's web hook goes and how it is signed; `lose` makes every delivery fail."""
        hooks = self._sim.world.hooks
        hooks.address, hooks.secret, hooks.lose = address or hooks.address, secret or hooks.secret, lose

    def deliveries(self) -> list[dict[str, Any]]:
        """Everything that was sent, without the payloads."""
        rows = self._sim.world.hooks.sent
        return [{k: v for k, v in row.items() if k != "payload"} for row in rows]

    def settle(self) -> None:
        """Wait until every delivery was tried."""
        self._sim.world.hooks.settle()

    # -- truth, faults, limits, clock ------------------------------------------------------------

    def truth(self, org: str | None = None) -> dict[str, Any]:
        """What a perfect inventory would say."""
        with self._sim.world.lock:
            return self._sim.world.truth(org)

    def changes(self, since: int = 0) -> list[dict[str, Any]]:
        """Every change after number `since`."""
        return [one for one in self._sim.world.changes if one["seq"] > since]

    def fault(self, kind: str, **rule: Any) -> int:
        """Put a fault rule in force; its `path` is searched in path and query."""
        return self._sim.faults.add(kind=kind, **rule)

    def clear_faults(self, fault_id: int | None = None) -> None:
        """Drop one rule, or all."""
        self._sim.faults.clear(fault_id)

    def seed(self, seed: int) -> None:
        """Restart the random sequence of faults."""
        self._sim.faults.reseed(seed)

    def rates(self, **settings: Any) -> dict[str, Any]:
        """Change the limits (see `RateSettings`)."""
        for name, value in settings.items():
            setattr(self._sim.rates.settings, name, value)
        return asdict(self._sim.rates.settings)

    def now(self) -> float:
        """The simulated epoch seconds."""
        return self._sim.clock.now()

    def advance(self, seconds: float) -> float:
        """Move the clock."""
        return self._sim.clock.advance(seconds)

    def metrics(self) -> dict[str, Any]:
        """Calls by method."""
        return self._sim.counters.snapshot()

    def reset_metrics(self) -> None:
        """Count from nothing."""
        self._sim.counters.reset()

    def _org(self, key: str | None) -> Any:
        return self._sim.world.need(key)


def http_control(control: Control) -> Callable[[Request, str], Response]:
    """The handler of `/_control/{name}`."""

    def handle(request: Request, name: str) -> Response:
        method = None if name.startswith("_") else getattr(control, name, None)
        if method is None:
            raise GithubError(404, f"no control {name}")
        try:
            result = method(**(request.json() if request.body else request.query))
        except (TypeError, ValueError, KeyError) as error:
            raise GithubError(400, str(error)) from None
        control._sim.changed()
        return json_response(result)

    return handle
