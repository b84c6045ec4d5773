"""From an accepted consent to a connection that works: what is stored, in an order that may break anywhere.

Seal first: nothing is written before KMS has encrypted the token. Then everything the connection will
need, each step idempotent and harmless by itself: the organisation's route (conditional, so that one
organisation belongs to one tenant), the tenant's registry entry, the schedules, for a new tenant the
key's hash. Last one transaction in the tenant's own table makes it visible: tenant, connection, secret,
key, audit entries and the first messages. Until then a repeated consent meets the route and goes on
with the same ids; after it, nothing is left to do but to show the page. Schedules that fire for a
connection that was never made are answered by the worker, which knows no such connection.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from lantern.connectors.consent import Identity
from lantern.domain import apikeys, ids
from lantern.domain.access import ApiKeyInfo, ApiScope
from lantern.domain.apikeys import IssuedKey
from lantern.domain.audit import NOTHING, AuditEvent
from lantern.domain.audit import change as moved
from lantern.domain.consent import ConsentState, Refusal
from lantern.domain.errors import RevisionConflictError, StorageError
from lantern.domain.inventory import Provider
from lantern.domain.tenancy import Connection, Tenant
from lantern.domain.work import Work
from lantern.services import schedules, vault
from lantern.services.pages import inert
from lantern.services.schedules import ScheduleGroup, Scheduler
from lantern.store.platform import KeyEntry, OrgRoute, PlatformStore, TenantEntry
from lantern.store.tenant import TenantStore
from lantern.store.work import UnitOfWork

log = logging.getLogger(__name__)

ATTEMPTS: Final = 4
NAME_LIMIT: Final = 200
FIRST_KEY_NAME: Final = "first admin key"


class RefusedError(Exception):
    """A consent that will not become a connection; `lost` is in words for the page."""

    def __init__(self, refusal: Refusal, lost: tuple[str, ...] = ()) -> None:
        super().__init__(refusal)
        self.refusal = refusal
        self.lost = lost


@dataclass(frozen=True, slots=True)
class Vaulting:
    """What connecting needs: stores, the key, the scheduler, and how messages and keys are written."""

    platform: PlatformStore
    tenant: Callable[[str], TenantStore]
    kms: vault.Kms
    key_id: str
    scheduler: Scheduler
    group: ScheduleGroup
    environment: str


@dataclass(frozen=True, slots=True)
class Consented:
    """A consent that was given by somebody who may: who, for what, and the token that proves it."""

    provider: Provider
    identity: Identity
    granted: frozenset[str]
    missing: frozenset[str]
    secret: str = field(repr=False)

    @property
    def organisation_id(self) -> str:
        """The organisation's immutable id; a consent without one is refused before it gets here."""
        if self.identity.organisation_id is None:
            raise ValueError("consent without an organisation")
        return self.identity.organisation_id


@dataclass(frozen=True, slots=True)
class Place:
    """Where a consent belongs."""

    tenant_id: str
    connection_id: str


@dataclass(frozen=True, slots=True)
class Connected:
    """What came of it; `key` is the new tenant's only key, at the only moment when it is known."""

    tenant_id: str
    connection_id: str
    new: bool
    key: str | None = field(repr=False, default=None)


def connect(
    tools: Vaulting, state: ConsentState, given: Consented, now: datetime, random: ids.RandomBytes
) -> Connected:
    """Store a consent where it belongs. Doing it again does it once.

    Raises:
        RefusedError: the organisation, the link or the tenant does not allow it; nothing was stored.
        ConnectorError: KMS did not encrypt; nothing was stored.
    """
    for _ in range(ATTEMPTS):
        place = find_place(tools, state, given, random)
        store = tools.tenant(place.tenant_id)
        before = _before(store, state, given, place)
        sealed = vault.seal(tools.kms, tools.key_id, place.tenant_id, place.connection_id, given.secret)
        route = OrgRoute(given.provider, given.organisation_id, place.tenant_id, place.connection_id)
        if tools.platform.claim_org(route) != route:
            continue  # somebody else's consent was faster: go where it went
        _register(tools.platform, place.tenant_id, given, now)
        schedules.create(tools.scheduler, tools.group, place.tenant_id, place.connection_id)
        try:
            return _commit(tools, store, _Change(place, given, state, before, sealed, now), random)
        except RevisionConflictError:
            continue  # the connection changed meanwhile: look again
    raise RevisionConflictError("connection and route kept changing")


def find_place(tools: Vaulting, state: ConsentState, given: Consented, random: ids.RandomBytes) -> Place:
    """Tenant and connection a consent belongs to; fresh ids for an organisation nobody knows.

    Raises:
        RefusedError: the organisation belongs elsewhere, or its tenant is not active.
    """
    organisation = given.organisation_id
    route = tools.platform.get_org(given.provider, organisation)
    if route is not None and state.tenant_id not in (None, route.tenant_id):
        raise RefusedError("other_organisation")
    known = state.tenant_id or (route.tenant_id if route else None)
    if known is not None:
        tenant = tools.platform.get_tenant(known)
        # None: an earlier consent stopped between the route and the registry; this one goes on.
        if tenant is not None and tenant.status != "active":
            raise RefusedError("suspended")
    tenant_id = known or ids.new_tenant_id(random)
    derived = ids.derived_id("con", tenant_id, given.provider, organisation)
    connection_id = state.connection_id or (route.connection_id if route else derived)
    if route is not None and route.connection_id != connection_id:
        raise RefusedError("other_organisation")
    return Place(tenant_id, connection_id)


def _before(
    store: TenantStore, state: ConsentState, given: Consented, place: Place
) -> tuple[Tenant | None, Connection | None]:
    connection = store.connections.get(place.connection_id)
    if connection is None and state.connection_id is not None:
        raise RefusedError("link_invalid")
    if connection is not None and (
        connection.organisation_id != given.organisation_id or connection.provider != given.provider
    ):
        raise RefusedError("other_organisation")
    if connection is not None and connection.status == "disconnecting":
        raise RefusedError("disconnecting")
    return store.tenants.get(), connection


def _register(platform: PlatformStore, tenant_id: str, given: Consented, now: datetime) -> None:
    if platform.get_tenant(tenant_id) is None:
        platform.put_tenant(TenantEntry(tenant_id, _name(given), "active", now))


def _name(given: Consented) -> str:
    return inert(given.identity.organisation_name or "", NAME_LIMIT) or given.organisation_id


@dataclass(frozen=True, slots=True)
class _Change:
    """Everything the one transaction is made of."""

    place: Place
    given: Consented
    state: ConsentState
    before: tuple[Tenant | None, Connection | None]
    sealed: bytes = field(repr=False)
    now: datetime

    @property
    def actor(self) -> str:
        """The administrator as the audit log knows people: by an opaque id."""
        identity = self.given.identity
        return ids.principal_id(self.given.provider, self.given.organisation_id, identity.native_id)

    def connection(self) -> Connection:
        """The connection as it will be."""
        given, old = self.given, self.before[1]
        fresh = Connection(
            id=self.place.connection_id,
            provider=given.provider,
            organisation_id=given.organisation_id,
            name=_name(given),
            status="active",
            granted_scopes=given.granted,
            missing_scopes=given.missing,
            connected_at=self.now,
            connected_by=self.actor,
        )
        if old is None:
            return fresh
        # What was learned about the organisation stays: shards, runs, freshness.
        return replace(
            old,
            name=fresh.name,
            status="active",
            granted_scopes=fresh.granted_scopes,
            missing_scopes=fresh.missing_scopes,
            connected_at=fresh.connected_at,
            connected_by=fresh.connected_by,
            attention=None,
            remedy=None,
        )

    def events(self) -> list[AuditEvent]:
        """What the audit log will say."""
        detail = {"provider": self.given.provider, "missing": " ".join(sorted(self.given.missing))}
        if self.state.by is not None:
            detail["invited_by"] = self.state.by
        old = self.before[1]
        detail |= moved(old.status if old else NOTHING, "active")
        action = "connection.created" if self.before[1] is None else "connection.renewed"
        return [AuditEvent(self.actor, action, self.place.connection_id, detail)]

    def works(self) -> tuple[Work, ...]:
        """The first messages: read everything, open the push channels."""
        tenant_id, cid = self.place.tenant_id, self.place.connection_id
        return (
            Work(tenant_id, "connection.full", cid, cause="consent"),
            Work(tenant_id, "connection.channels", cid, cause="consent"),
        )


def _commit(tools: Vaulting, store: TenantStore, change: _Change, random: ids.RandomBytes) -> Connected:
    tenant, place = change.before[0], change.place
    transaction = store.transact(change.now)
    transaction.put(store.connections.op(change.connection()))
    transaction.put(store.secrets.op(place.connection_id, change.sealed, change.now))
    key: IssuedKey | None = None
    events = change.events()
    if tenant is None:
        key = apikeys.issue(tools.environment, random)
        scopes: frozenset[ApiScope] = frozenset({"admin"})
        # Before the transaction: a key that works and that nobody saw harms nobody, one that somebody
        # saw and that does not work locks a new customer out.
        tools.platform.put_key(KeyEntry(key.id, place.tenant_id, frozenset(scopes), key.hash))
        info = ApiKeyInfo(key.id, FIRST_KEY_NAME, scopes, change.now, change.actor, key.last4)
        transaction.put(store.tenants.op(Tenant(place.tenant_id, _name(change.given), "active", change.now)))
        transaction.put(store.keys.op(info))
        events.insert(
            0, AuditEvent(change.actor, "tenant.created", place.tenant_id, moved(NOTHING, "active"))
        )
        events.append(
            AuditEvent(change.actor, "key.issued", key.id, {"scopes": "admin", **moved(NOTHING, "active")})
        )
    transaction.audit(*events).outbox(*change.works())
    try:
        _commit_surely(transaction, store, change)
    except RevisionConflictError:
        if key is not None:
            tools.platform.revoke_key(key.id, place.tenant_id)
        raise
    return Connected(
        place.tenant_id, place.connection_id, change.before[1] is None, key.text if key else None
    )


def _commit_surely(transaction: UnitOfWork, store: TenantStore, change: _Change) -> None:
    """Commit; where no answer came, look whether it was done (no two ciphertexts are alike), else again.

    The key on the page is known to nobody else, so an answer that was lost must not lose it.
    """
    try:
        transaction.commit()
    except StorageError:
        if store.secrets.get(change.place.connection_id) != change.sealed:
            transaction.commit()
