"""Read models of vendors in one tenant: the blast radius, and the people in it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from lantern.connectors.manifests import manifest
from lantern.domain.apps import AppSummary
from lantern.domain.blast import (
    Chain,
    Completeness,
    VendorReach,
    chains,
    completeness,
    exposure,
)
from lantern.domain.errors import NotFoundError
from lantern.domain.inventory import Bundle
from lantern.domain.tenancy import Connection
from lantern.services.reference import Reference
from lantern.store.documents import Page
from lantern.store.tenant import TenantStore


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """Everything a vendor reaches. `at` is None while it was never computed: then nothing is known."""

    reach: VendorReach
    at: datetime | None
    rows: Mapping[str, AppSummary]
    connections: Mapping[str, Connection]
    chains: tuple[Chain, ...]
    read: tuple[Completeness, ...]
    exposure: str


def called(connections: Iterable[Connection]) -> dict[str, str]:
    """How sentences call connections, by id: by provider, as organisations are often named alike everywhere.

    Of a provider with several the organisation's name is added.
    """
    known = list(connections)
    many = Counter(one.provider for one in known)
    titles = {provider: manifest(provider).title for provider in many}
    return {
        one.id: titles[one.provider] if many[one.provider] == 1 else f"{titles[one.provider]} ({one.name})"
        for one in known
    }


def blast_radius(store: TenantStore, reference: Reference, vendor_id: str, now: datetime) -> BlastRadius:
    """What a vendor reaches over all connections, with the risks in effect at `now`. Two requests.

    Raises:
        NotFoundError: nobody here uses such a vendor, and none is known by this id.
    """
    found, state = store.reach.get(vendor_id)
    if found is None:
        profile = reference.vendor_by_id(vendor_id)
        if profile is None:
            raise NotFoundError("vendor", vendor_id)
        found = VendorReach(vendor_id, profile.vendor, 0, 0, 0, ())
    if state is None:
        rows, connections = {}, {one.id: one for one in store.connections.list()}
    else:
        ids = {one.connection_id for one in state.connections}
        ids |= {one.connection_id for one in found.connections}
        around = store.joined.vendor(ids)
        rows = {row.app_id: row.at(now) for row in around.rows}
        connections = {one.id: one for one in around.connections}
    names = called(connections.values())
    read = completeness(connections.values(), state)
    unread = [one.connection_id for one in read if not one.complete]
    return BlastRadius(
        reach=found,
        at=state.at if state else None,
        rows=rows,
        connections=connections,
        chains=chains(found.vendor, found.connections, rows, names),
        read=read,
        exposure=exposure(found, names, unread),
    )


@dataclass(frozen=True, slots=True)
class VendorHolder:
    """An account that holds apps of a vendor; `departed`: whoever is behind it left, by whichever account."""

    bundle: Bundle
    apps: tuple[str, ...]
    departed: bool


def people(
    store: TenantStore,
    reference: Reference,
    vendor_id: str,
    connection_id: str,
    after: str | None,
    limit: int,
) -> Page[VendorHolder]:
    """Accounts of a connection that hold apps of a vendor, in the order of their ids.

    Three requests: which apps, who holds them, the accounts of the page.

    Raises:
        NotFoundError: no such connection, or no such vendor.
    """
    around = store.joined.vendor([connection_id], vendor_id)
    if not around.connections:
        raise NotFoundError("connection", connection_id)
    apps = [
        row.app_id
        for row in around.rows
        if row.vendor and row.lookalike_of is None and reference.vendor_id(row.vendor) == vendor_id
    ]
    if not apps and reference.vendor_by_id(vendor_id) is None:
        raise NotFoundError("vendor", vendor_id)
    shards = around.connections[0].shards
    named = sorted(store.footprints.holders_of_all(connection_id, apps, shards))
    left = [pid for pid in named if after is None or pid > after]
    chosen = left[:limit]
    bundles = store.bundles.batch_get(connection_id, chosen) if chosen else {}
    gone = frozenset(around.reach.who_left) if around.reach else frozenset()
    rows = []
    for pid in chosen:
        bundle = bundles.get(pid)
        held = tuple(app_id for app_id in apps if bundle and bundle.grant(app_id))
        if bundle and held:
            who = bundle.principal
            rows.append(VendorHolder(bundle, held, who.departed or who.person_id in gone))
    return Page(tuple(rows), chosen[-1] if len(left) > limit else None)
