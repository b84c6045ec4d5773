"""What an account holds: what it consented to, where it may sign in; and what apps hold by themselves."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lantern.connectors.calls import Admission
from lantern.connectors.fanout import fan_out
from lantern.connectors.halt import Halt
from lantern.connectors.http import HaltedError
from lantern.connectors.okta import normalize
from lantern.connectors.okta.ahead import Ahead, Loading, Roll
from lantern.connectors.okta.api import OktaApi, segment
from lantern.connectors.okta.apps import APPS, Apps
from lantern.connectors.okta.manifest import APP_GRANTS, INTEGRATIONS
from lantern.connectors.okta.normalize import APPLICATION, MalformedError
from lantern.connectors.okta.people import People
from lantern.connectors.outage import Outage, unread
from lantern.connectors.protocol import Unread
from lantern.connectors.resolution import CallError
from lantern.domain.inventory import GrantSource, Observation, ObservedGrant, Principal

_GRANTS_PAGE: Final = {"expand": "scope", "limit": "200"}
API_SERVICES: Final = "/integrations/api/v1/api-services"


def grants_path(native_id: str) -> str:
    """Where the grants of an account are listed."""
    return f"/api/v1/users/{segment(native_id)}/grants"


@dataclass(frozen=True, slots=True)
class Bundles:
    """Reads bundles. `granted` are the permissions we have: what takes another is left out, never empty."""

    api: OktaApi
    people: People
    apps: Apps
    granted: frozenset[str]
    max_in_flight: int
    roll: Roll
    ahead: Ahead

    @property
    def application_sources(self) -> frozenset[GrantSource]:
        """What can be read of apps that act by themselves."""
        found: set[GrantSource] = set()
        found |= {"application"} if APP_GRANTS in self.granted else set()
        found |= {"installation"} if INTEGRATIONS in self.granted else set()
        return frozenset(found)

    def read(self, principals: Sequence[Principal], halt: Halt) -> Iterator[Observation | Unread]:
        """Read these bundles as fast as the quotas allow; stops quietly when told to.

        Raises:
            CallError: what would fail for all of them.
        """
        if halt.passed():
            return
        asked = [one for one in principals if one.native_id == APPLICATION and self.application_sources]
        people = [one for one in principals if one.native_id != APPLICATION]
        alone, part = self.max_in_flight <= 1 or not people, halt.within()

        def applications() -> list[Observation | Unread]:
            return [self._applications(one, part) for one in asked]

        try:
            if alone:
                yield from applications()
                asked = []
            # They take the quota of apps only, so people are read meanwhile.
            side = Loading(applications) if asked else None
            yield from self._people(people, halt)
            if side:
                yield from side.wait()
        except HaltedError:
            return
        finally:
            part.call()

    def _people(self, people: list[Principal], halt: Halt) -> Iterator[Observation | Unread]:
        outage = Outage("Okta")
        trouble = self._prepare(people, halt)
        if trouble is not None:
            for account in people:
                failed = unread(account, trouble)
                yield failed
                outage.watch(failed)
            return
        for outcome in self._each(people, halt):
            if outcome is not None:
                yield outcome
                outage.watch(outcome)

    def _each(self, people: list[Principal], halt: Halt) -> Iterator[Observation | Unread | None]:
        rest = []
        for account in people:
            if self.ahead.has(account.native_id):
                yield self._one(account, halt, None)
            else:
                rest.append(account)

        def work(account: Principal, admission: Admission) -> Observation | Unread | None:
            return self._one(account, halt, admission)

        yield from fan_out(rest, self._admitting(halt), work, halt=halt, cap=self.max_in_flight)

    def _prepare(self, people: list[Principal], halt: Halt) -> CallError | None:
        """Get the apps ready; what went wrong, where it concerns these accounts only."""
        try:
            if self.apps.lists_pay([one.native_id for one in people], halt):
                self._load(people, halt)
        except HaltedError:
            raise
        except CallError as error:
            if error.resolution.connection_wide:
                raise
            return error
        return None

    def _load(self, people: list[Principal], halt: Halt) -> None:
        """List all assignments, and read grants meanwhile: of these accounts, then of the next."""
        if self.max_in_flight <= 1:
            self.apps.load(halt)
            return
        part = halt.within()
        loading = Loading(lambda: self.apps.load(part))
        try:
            coming, go_on = people, True
            while coming and go_on:
                fresh = [one for one in coming if not self.ahead.has(one.native_id)]
                go_on = not fresh or self.ahead.fetch(
                    fresh,
                    self._admitting(part),
                    lambda native_id, admission: self._given(native_id, part, admission),
                    part.within(),
                    self.max_in_flight,
                )
                coming = self.roll.coming(part) if loading.under_way() else []
            loading.wait()
        finally:
            part.call()

    def _admitting(self, halt: Halt) -> Callable[[], Admission | None]:
        return lambda: self.api.admit(grants_path("any"), halt)

    def _given(
        self, native_id: str, halt: Halt, admission: Admission | None
    ) -> tuple[normalize.Consented, ...]:
        rows = self.api.rows(grants_path(native_id), halt, params=_GRANTS_PAGE, admission=admission)
        return normalize.consented(rows)

    def _one(
        self, account: Principal, halt: Halt, admission: Admission | None
    ) -> Observation | Unread | None:
        """One account's bundle; None when told to stop first."""
        try:
            return self._observe(account, halt, admission)
        except HaltedError:
            return None
        except MalformedError:
            return Unread(account, "malformed")
        except CallError as error:
            if error.reason == "not_found":
                return self._vanished(account, halt)
            return unread(account, error)

    def _observe(self, account: Principal, halt: Halt, admission: Admission | None) -> Observation:
        kept = self.ahead.take(account.native_id)
        given = kept.given if kept else self._given(account.native_id, halt, admission)
        found = self.apps.assigned(account.native_id, halt)
        known = {app.client_id: app for app, _ in found.held}
        if any(one.client_id not in known for one in given):
            known = dict(self.apps.by_client(halt))
        as_of = min(filter(None, (kept.at if kept else None, found.as_of)), default=None)
        return Observation(account, normalize.grants(given, found.held, known), as_of=as_of)

    def _vanished(self, account: Principal, halt: Halt) -> Observation | Unread | None:
        """Okta knew no such account: believed only if a listing agrees."""
        try:
            if self.people.absent(account.native_id, halt):
                return Observation(replace(account, status="deleted"), None, gone=True)
            return Unread(account, "provider_error")
        except HaltedError:
            return None
        except CallError as error:
            return unread(account, error)

    def _applications(self, account: Principal, halt: Halt) -> Observation | Unread:
        try:
            sources = self.application_sources
            found: list[ObservedGrant] = []
            if "application" in sources:
                found += self._app_grants(halt)
            if "installation" in sources:
                found += [normalize.integration(row) for row in self.api.rows(API_SERVICES, halt)]
            merged = {grant.app.id: grant for grant in found}
            held = tuple(merged[key] for key in sorted(merged))
            return Observation(account, held, sources=None if len(sources) == 2 else sources)
        except HaltedError:
            raise
        except MalformedError:
            return Unread(account, "malformed")
        except CallError as error:
            return unread(account, error)

    def _app_grants(self, halt: Halt) -> tuple[ObservedGrant, ...]:
        """The Okta API scopes of every app that has a client of its own."""
        self.apps.renew()  # one that was deleted since would make the whole bundle unreadable
        apps = self.apps.all(halt)
        known = {one.app.client_id: one.app for one in apps}
        clients = [one.native_id for one in apps if one.usable and one.has_client]

        def work(native_id: str, admission: Admission) -> tuple[normalize.Consented, ...]:
            path = f"{APPS}/{segment(native_id)}/grants"
            return normalize.consented(self.api.rows(path, halt, admission=admission))

        inner = halt.within()
        done = 0
        given: list[normalize.Consented] = []
        for rows in fan_out(
            clients,
            lambda: self.api.admit(f"{APPS}/any/grants", inner),
            work,
            halt=inner,
            cap=self.max_in_flight,
        ):
            done += 1
            given += rows
        if done < len(clients):
            raise HaltedError
        return normalize.grants(given, (), known, "application")
