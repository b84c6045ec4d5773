"""What each vendor reaches: one walk over all bundles, every person counted once."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lantern.domain.blast import (
    AppReach,
    ConnectionReach,
    Heads,
    ReachState,
    ReadState,
    Seen,
    VendorReach,
)
from lantern.domain.granting import Way, by_scope, way_of, widest
from lantern.domain.inventory import Bundle, Grant
from lantern.domain.people import Joined
from lantern.domain.tally import SHARED
from lantern.domain.tenancy import Connection
from lantern.services.scoring.knowledge import Knowledge
from lantern.services.scoring.whole import Counted, Person, count_account, count_people, known
from lantern.store.tenant import TenantStore


@dataclass(slots=True)
class _App:
    accounts: int = 0
    shared: int = 0
    everyone: bool = False
    scope_sets: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)
    wide: dict[str, Way] = field(default_factory=dict)

    def count(self, bundle: Bundle, grant: Grant) -> None:
        kind = bundle.principal.kind
        self.everyone |= kind == "organisation"
        self.accounts += kind != "organisation"
        self.shared += kind in SHARED
        self.scope_sets.add(grant.scope_set)
        self.sources.add(grant.source)
        way = way_of(kind, grant.source)
        if way != "person":
            self.wide[grant.scope_set] = widest((way, self.wide.get(grant.scope_set, way)))


@dataclass(slots=True)
class _Counts:
    """Of all vendors: people over all connections, and at each; apps at each."""

    whole: dict[str, Heads] = field(default_factory=lambda: defaultdict(Heads))
    at: dict[tuple[str, str], Heads] = field(default_factory=lambda: defaultdict(Heads))
    apps: dict[tuple[str, str], dict[str, _App]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(_App))
    )
    people: dict[str, Counted] = field(default_factory=dict)


def summarise(
    store: TenantStore,
    knowledge: Knowledge,
    joined: Joined,
    bundles: Mapping[str, Iterable[Bundle]],
    now: datetime,
) -> tuple[Person, ...]:
    """Compute and keep what each vendor reaches; returns everybody, as the same walk counted them.

    An app that imitates a product is not counted to the product's vendor.

    Args:
        store: the tenant's store.
        knowledge: what the release knows.
        joined: who is who.
        bundles: those of each connection, by its id, as they were read for joining.
        now: the time.

    Raises:
        RevisionConflictError: another pass wrote meanwhile.
    """
    rows = store.apps.summary()
    vendors = {row.app_id: row.vendor for row in rows if row.vendor and row.lookalike_of is None}
    about = known(store, rows, now)
    counts, seen = _Counts(), Seen()
    connections = store.connections.list()
    for connection in connections:
        for bundle in bundles.get(connection.id, ()):
            _count(counts, seen, connection.id, bundle, vendors, joined)
            person = joined.persons.get(bundle.principal.id, bundle.principal.person_id)
            count_account(counts.people, bundle, person, about)
    sets = {key for apps in counts.apps.values() for app in apps.values() for key in app.scope_sets}
    scope_sets = store.apps.scope_sets(sets)
    reached = _rows(counts, connections, knowledge, scope_sets)
    store.reach.put_all(reached, ReachState(now, tuple(_read_states(store, connections))))
    return count_people(joined.records, counts.people)


def _count(
    counts: _Counts, seen: Seen, cid: str, bundle: Bundle, vendors: Mapping[str, str], joined: Joined
) -> None:
    principal = bundle.principal
    person = joined.persons.get(principal.id, principal.person_id)
    record = joined.records.get(person)
    departed = principal.departed or bool(record and record.departed)
    admin = record.admin if record else principal.admin
    for grant in bundle.grants or ():
        vendor = vendors.get(grant.app_id)
        if vendor is None:
            continue
        counts.apps[vendor, cid][grant.app_id].count(bundle, grant)
        if principal.kind != "user":
            continue
        # A bundle may hold several apps of a vendor, and a person several bundles.
        if seen.first(person, vendor):
            counts.whole[vendor].count(person, departed=departed, admin=admin)
        if seen.first(person, vendor, cid):
            counts.at[vendor, cid].count(person, departed=departed, admin=admin)
    if record is None:
        seen.forget(person)


def _rows(
    counts: _Counts,
    connections: Iterable[Connection],
    knowledge: Knowledge,
    scope_sets: Mapping[str, frozenset[str]],
) -> Iterator[VendorReach]:
    providers = {one.id: one.provider for one in connections}
    places: dict[str, list[str]] = defaultdict(list)
    for vendor, cid in sorted(counts.apps):
        places[vendor].append(cid)
    for vendor, cids in places.items():
        parts = []
        for cid in cids:
            heads = counts.at[vendor, cid]
            apps = [
                _app(knowledge, providers[cid], app_id, app, scope_sets)
                for app_id, app in sorted(counts.apps[vendor, cid].items())
            ]
            parts.append(
                ConnectionReach(
                    cid, providers[cid], heads.people, heads.departed, heads.administrators, tuple(apps)
                )
            )
        whole = counts.whole[vendor]
        yield VendorReach(
            knowledge.reference.vendor_id(vendor),
            vendor,
            whole.people,
            whole.departed,
            whole.administrators,
            tuple(parts),
            who_left=tuple(sorted(whole.who_left)),
            administrators=tuple(sorted(whole.who_administers)),
        )


def _app(
    knowledge: Knowledge, provider: str, app_id: str, app: _App, scope_sets: Mapping[str, frozenset[str]]
) -> AppReach:
    view = knowledge.view(provider, by_scope(app.scope_sets, app.wide, scope_sets))
    return AppReach(
        app_id=app_id,
        accounts=app.accounts,
        shared=app.shared,
        everyone=app.everyone,
        data=view.data_classes,
        access=view.access,
        severity=view.severity,
        sources=tuple(sorted(app.sources)),  # type: ignore[arg-type] # they are sources of grants
    )


def _read_states(store: TenantStore, connections: Iterable[Connection]) -> Iterator[ReadState]:
    for one in connections:
        run = store.runs.get(one.id, one.last_full_run) if one.last_full_run else None
        yield ReadState(
            one.id, run.coverage.listed if run else None, len(run.coverage.unread) if run else None
        )
