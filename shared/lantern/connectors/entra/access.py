"""Bundles: what each account gave to apps and may sign in to, what all gave, what apps hold themselves."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from lantern.connectors.calls import Admission
from lantern.connectors.entra import grants, normalize
from lantern.connectors.entra.ahead import Ahead
from lantern.connectors.entra.api import BATCH, GraphApi, Item, Part, segment
from lantern.connectors.entra.directory import Accounts, Roster, Services, account_path, understood
from lantern.connectors.entra.grants import Assignment, Consent, Service
from lantern.connectors.fanout import fan_out
from lantern.connectors.halt import Halt
from lantern.connectors.http import HaltedError
from lantern.connectors.outage import Outage, unread
from lantern.connectors.protocol import Unread
from lantern.connectors.resolution import CallError
from lantern.domain.inventory import Observation, ObservedGrant, Principal

Outcome = Observation | Unread

_CONSENT: Final = "$select=id,clientId,consentType,principalId,resourceId,scope"
_ASSIGNMENT: Final = "$select=id,appRoleId,createdDateTime,principalId,principalType,resourceId"
EVERYBODY_PATH: Final = f"/oauth2PermissionGrants?{_CONSENT}&$filter=consentType eq 'AllPrincipals'&$top=999"


def consents_path(native_id: str) -> str:
    """Where an account's own consents are listed."""
    return f"/users/{segment(native_id)}/oauth2PermissionGrants?{_CONSENT}&$top=999"


def assigned_path(native_id: str) -> str:
    """Where the apps are listed that an account may sign in to, itself or as a direct member of a group."""
    return f"/users/{segment(native_id)}/appRoleAssignments?{_ASSIGNMENT}&$top=999"


def holders_path(resource: str) -> str:
    """Where those are listed who hold roles of one API."""
    return f"/servicePrincipals/{segment(resource)}/appRoleAssignedTo?{_ASSIGNMENT}&$top=999"


def held_path(client: str) -> str:
    """Where the roles are listed that one app holds."""
    return f"/servicePrincipals/{segment(client)}/appRoleAssignments?{_ASSIGNMENT}&$top=999"


@dataclass(frozen=True, slots=True)
class _Visit:
    """One account to be read; `paths` are its requests, first that of the account itself if it is stale."""

    account: Principal
    stale: bool

    @property
    def paths(self) -> list[str]:
        native_id = self.account.native_id
        own = [account_path(native_id)] if self.stale else []
        return [*own, consents_path(native_id), assigned_path(native_id)]


@dataclass(slots=True)
class Reader:
    """Reads bundles of one tenant.

    What was listed by the same connector just now is taken as it is, once; any other account is read anew
    together with its grants, so that a hint about an account shows its state too.
    """

    api: GraphApi
    accounts: Accounts
    services: Services
    max_in_flight: int
    now: Callable[[], datetime]
    listed: set[str] = field(default_factory=set)
    ahead: Ahead | None = None

    def read(self, principals: Sequence[Principal], halt: Halt) -> Iterator[Outcome]:
        """The bundles of these principals, in any order; stops quietly at the deadline.

        Raises:
            CallError: what would fail for all of them: consent revoked, permission missing, outage.
        """
        roster = self.roster(halt)
        outage = Outage("Microsoft")
        for outcome in self._all(principals, roster, halt):
            if outcome is None:
                return
            yield outcome
            outage.watch(outcome)

    def _all(self, principals: Sequence[Principal], roster: Roster, halt: Halt) -> Iterator[Outcome | None]:
        living = [one for one in principals if not _special(one)]
        self._begin_ahead(living, halt)
        for account in principals:
            if account.native_id in normalize.PSEUDO:
                yield self._pseudo(account, halt)
            elif account.status == "deleted":
                yield self._deleted(account, roster, halt)
        if self.ahead is not None:
            left = {one.id: one for one in living}
            for outcome in self.ahead.take(living, halt):
                self.listed.discard(left.pop(outcome.principal.id).native_id)
                yield outcome
            living = list(left.values())
            self.ahead.skip(living)
        visits = [_Visit(one, one.native_id not in self.listed) for one in living]
        self.listed.difference_update(one.native_id for one in living)
        yield from self._visited(visits, roster, halt)

    def _begin_ahead(self, living: list[Principal], halt: Halt) -> None:
        if self.ahead is not None and all(one.native_id in self.listed for one in living):
            self.ahead.begin(living, halt)

    def read_ahead(self, chunks: Iterable[list[Principal]], halt: Halt) -> Iterator[Outcome | None]:
        """Accounts that were just listed, chunk by chunk as they come; each is told with when it was asked.

        Raises:
            CallError: what would fail for all of them.
        """
        roster = self.roster(halt)

        def work(chunk: list[Principal], admission: Admission) -> list[Outcome | None]:
            begun = self.now()
            found = self._chunk([_Visit(one, stale=False) for one in chunk], roster, halt, admission)
            return [one and self._finished(one, begun, halt) for one in found]

        quotas = ("units",) * BATCH
        found = fan_out(chunks, lambda: self.api.admit(quotas, halt), work, halt=halt, cap=self.max_in_flight)
        for outcomes in found:
            yield from outcomes

    def _finished(self, outcome: Outcome, begun: datetime, halt: Halt) -> Outcome:
        """What was read ahead, with what the listing left out of the account."""
        account = self.accounts.flag(outcome.principal, halt)
        if isinstance(outcome, Unread):
            return replace(outcome, principal=account)
        return replace(outcome, principal=account, as_of=outcome.as_of or begun)

    def _visited(self, living: list[_Visit], roster: Roster, halt: Halt) -> Iterator[Outcome | None]:
        width = 3 if any(visit.stale for visit in living) else 2
        size = BATCH // width
        chunks = [living[start : start + size] for start in range(0, len(living), size)]
        quotas = ("units",) * (size * width if len(living) >= size else len(living) * width)
        found = fan_out(
            chunks,
            lambda: self.api.admit(quotas, halt),
            lambda chunk, admission: self._chunk(chunk, roster, halt, admission),
            halt=halt,
            cap=self.max_in_flight,
        )
        for outcomes in found:
            yield from outcomes

    def _chunk(
        self, chunk: list[_Visit], roster: Roster, halt: Halt, admission: Admission
    ) -> list[Outcome | None]:
        try:
            parts = self.api.batch([path for visit in chunk for path in visit.paths], halt, admission)
        except HaltedError:
            return [None]
        except CallError as error:
            return [unread(visit.account, error) for visit in chunk]
        return [self._one(visit, parts, roster, halt) for visit in chunk]

    def _one(self, visit: _Visit, parts: Mapping[str, Part], roster: Roster, halt: Halt) -> Outcome | None:
        """One account's bundle; None when told to stop first."""
        account = visit.account
        try:
            if visit.stale:
                path = account_path(account.native_id)
                fresh = self.accounts.principal(self.api.finish_one(path, parts.get(path), halt), halt)
                # Sign-ins are listed by the page only.
                account = replace(fresh, last_login=account.last_login)
            return self._bundle(account, parts, halt)
        except HaltedError:
            return None
        except CallError as error:
            if error.reason == "not_found":
                return self._vanished(visit.account, roster, halt)
            return unread(account, error)

    def _bundle(self, account: Principal, parts: Mapping[str, Part], halt: Halt) -> Observation:
        paths = consents_path(account.native_id), assigned_path(account.native_id)
        rows = [self.api.finish(path, parts.get(path), halt) for path in paths]
        held = understood(lambda: [grants.consent(row) for row in rows[0]], "oauth2PermissionGrants")
        # The list holds an account's own consents; were it to name everybody's, they are not its own.
        held = [one for one in held if one.principal == account.native_id]
        assigned = _roles(rows[1])
        services = self._named(held, [one.resource for one in assigned], halt)
        return Observation(account, grants.user_grants(held, assigned, services))

    def _named(self, held: Sequence[Consent], more: Sequence[str], halt: Halt) -> Mapping[str, Service]:
        wanted = [*(one.client for one in held), *(one.resource for one in held), *more]
        return self.services.resolve(wanted, halt) if wanted else {}

    def _vanished(self, account: Principal, roster: Roster, halt: Halt) -> Outcome | None:
        """Graph knew no such account: believed only if the listings agree."""
        try:
            if roster.deleted(account.native_id):
                return _gone(account)
            known = self.accounts.find(account.native_id, halt)
            if known is None and roster.absent(account.native_id):
                return _gone(account)
            return Unread(account, "provider_error")
        except HaltedError:
            return None
        except CallError as error:
            return unread(account, error)

    def _deleted(self, account: Principal, roster: Roster, halt: Halt) -> Outcome | None:
        """An account that was listed as deleted, unless it was restored meanwhile."""
        try:
            if roster.deleted(account.native_id):
                return _gone(account)
        except HaltedError:
            return None
        except CallError as error:
            return unread(account, error)
        return self._one(_Visit(account, stale=True), {}, roster, halt)

    # -- the tenant as a whole ----------------------------------------------------------------------

    def _pseudo(self, account: Principal, halt: Halt) -> Outcome | None:
        read: Callable[[Halt], tuple[ObservedGrant, ...]] = (
            self._everybody if account.native_id == normalize.EVERYBODY else self._themselves
        )
        try:
            return Observation(account, read(halt))
        except HaltedError:
            return None
        except CallError as error:
            return unread(account, error)

    def _everybody(self, halt: Halt) -> tuple[ObservedGrant, ...]:
        held = [one for one in self.consents(EVERYBODY_PATH, halt) if one.principal is None]
        found = grants.consented(held, self._named(held, [], halt))
        return tuple(found[key] for key in sorted(found))

    def _themselves(self, halt: Halt) -> tuple[ObservedGrant, ...]:
        resources = [one.id for one in self.services.all(halt).values() if one.for_apps]
        held: list[Assignment] = []
        for start in range(0, len(resources), BATCH):
            paths = [holders_path(one) for one in resources[start : start + BATCH]]
            parts = self.api.batch(paths, halt)
            for path in paths:
                rows = self.api.finish(path, parts.get(path), halt)
                held += _roles(rows)
        held = [one for one in held if one.kind == "ServicePrincipal"]
        services = self.services.resolve([x for one in held for x in (one.principal, one.resource)], halt)
        return grants.app_grants(held, services)

    def roster(self, halt: Halt) -> Roster:
        """Who exists and who was deleted, listed anew."""
        return Roster(self.api, halt)

    def consents(self, path: str, halt: Halt) -> list[Consent]:
        """All consents of one list."""
        rows = list(self.api.all(path, halt))
        return understood(lambda: [grants.consent(row) for row in rows], "oauth2PermissionGrants")

    def assignments(self, path: str, halt: Halt) -> list[Assignment]:
        """All role assignments of one list."""
        return _roles(list(self.api.all(path, halt)))


def _special(account: Principal) -> bool:
    """Whether it is no account that lives: the tenant itself, or one that was deleted."""
    return account.native_id in normalize.PSEUDO or account.status == "deleted"


def _roles(rows: Sequence[Item]) -> list[Assignment]:
    return understood(lambda: [grants.assignment(row) for row in rows], "appRoleAssignments")


def _gone(account: Principal) -> Observation:
    return Observation(replace(account, status="deleted"), None, gone=True)
