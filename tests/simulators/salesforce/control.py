"""What tests and the demo make happen. Each method is also `POST /_control/<name>`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .oauth import ConnectedClient, Decision

if TYPE_CHECKING:
    from .simulator import SalesforceSimulator


class Control:
    """Makes things happen in the organisation."""

    def __init__(self, simulator: "SalesforceSimulator") -> None:
        self._sim = simulator
        self._world = simulator.world

    def people(self) -> list[dict[str, Any]]:
        """All accounts."""
        return [asdict(person) for person in self._world.people.values()]

    def apps(self) -> list[dict[str, Any]]:
        """All apps that have been seen."""
        return [asdict(app) for app in self._world.apps.values()]

    def truth(self) -> dict[str, Any]:
        """What holds now."""
        with self._world.lock:
            return self._world.truth()

    def changes(self, since: int = 0) -> list[dict[str, Any]]:
        """Grants that came or ended, in order."""
        return [change for change in self._world.changes if change["seq"] > since]

    def grant(self, user: str, app: str, tokens: int = 1) -> str:
        """Somebody gives an app access; its client id."""
        with self._world.lock:
            made = [self._world.grant(user, app) for _ in range(tokens)]
            self._sim.touched()
            return self._world.client_of(made[0])

    def revoke(self, user: str, app: str) -> int:
        """Somebody's access for an app ends; how many tokens that were."""
        with self._world.lock:
            found = self._world.person(user)
            gone = [t for t in self._world.tokens if t.user_id == found.id and t.app_name == app]
            self._world.end(gone)
            self._sim.touched()
            return len(gone)

    def use(self, user: str, app: str, times: int = 1, at: float | None = None) -> None:
        """An app is used."""
        with self._world.lock:
            self._world.use(user, app, times, at)
            self._sim.touched()

    def install(self, app: str) -> str:
        """An app is installed; its id."""
        with self._world.lock:
            self._sim.touched()
            return self._world.install(app)

    def suspend(self, user: str, active: bool = False) -> None:
        """An account is deactivated, or activated again."""
        with self._world.lock:
            person = self._world.person(user)
            person.active, person.modified = active, self._world.clock.now()
            self._sim.touched()

    def permissions(self, user: str, held: Sequence[str]) -> None:
        """What a person may do from now on."""
        with self._world.lock:
            self._world.person(user).permissions = list(held)
            self._sim.touched()

    # -- OAuth -------------------------------------------------------------------------------------

    def register_client(self, client_id: str, client_secret: str, redirect_uris: Sequence[str]) -> None:
        """Register (or replace) the product's connected app."""
        self._sim.sessions.clients[client_id] = ConnectedClient(
            client_id, client_secret, tuple(redirect_uris)
        )
        self._sim.touched()

    def auto_consent(
        self,
        email: str | None = None,
        scopes: Sequence[str] | None = None,
        deny: bool = False,
        off: bool = False,
    ) -> None:
        """Decide consent requests without a person; `off` brings the page back."""
        allowed = None if scopes is None else list(scopes)
        self._sim.sessions.decision = None if off else Decision(email, allowed, deny)

    def installed(self, on: bool = True) -> None:
        """Whether the product's app is installed in the organisation."""
        self._sim.sessions.installed = on

    def instance(self, address: str | None = None) -> None:
        """What token answers say the organisation's address is."""
        self._sim.sessions.instance_url = address

    def expire_access_tokens(self) -> None:
        """Every session ends."""
        self._sim.sessions.access.clear()

    # -- faults, limits, clock ---------------------------------------------------------------------

    def fault(self, kind: str, **rule: Any) -> int:
        """Put a fault rule in force (`path` may name a query); its id."""
        return self._sim.faults.add(kind=kind, **rule)

    def clear_faults(self, fault_id: int | None = None) -> None:
        """Drop one rule, or all."""
        self._sim.faults.clear(fault_id)

    def daily(self, used: int | None = None, limit: int | None = None) -> dict[str, Any]:
        """Requests of 24 hours."""
        daily = self._sim.rest.daily
        daily.used = daily.used if used is None else used
        daily.limit = daily.limit if limit is None else limit
        return asdict(daily)

    def unfilterable(self, fields: Sequence[str] = ()) -> None:
        """Fields (`Table.Field`) that this organisation does not let be filtered."""
        self._sim.rest.unfilterable = set(fields)

    def missing_tables(self, tables: Sequence[str] = ()) -> None:
        """Tables that this organisation has not."""
        self._sim.rest.missing_tables = set(tables)

    def queries(self) -> list[str]:
        """What was asked."""
        return list(self._sim.rest.queries)

    def now(self) -> float:
        """The simulated epoch seconds."""
        return self._world.clock.now()

    def advance(self, seconds: float) -> float:
        """Move the clock."""
        return self._world.clock.advance(seconds)

    def metrics(self) -> dict[str, Any]:
        """Calls by method."""
        return self._sim.counters.snapshot()

    def reset_metrics(self) -> None:
        """Count from nothing."""
        self._sim.counters.reset()
        self._sim.rest.queries.clear()
