"""Items of several aggregates in one request, for answers that must cost at most two."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from lantern.domain import ids
from lantern.domain.apps import AppSummary, AppView
from lantern.domain.blast import VendorReach
from lantern.domain.exceptions import AccessException, exception_id
from lantern.domain.inventory import App, Bundle, Principal
from lantern.domain.people import PersonRecord
from lantern.domain.products import ProductDecision
from lantern.domain.risk import DEFAULT, Weights
from lantern.domain.tenancy import Connection
from lantern.domain.use import UseWindow
from lantern.store.people import PersonPart, decode_persons

if TYPE_CHECKING:
    from lantern.store.tenant import TenantStore


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around grants: their apps, permissions and holders, and how their use is known.

    `last_use` is principal id → app id → last day of seen use. `window` is what has been read of use without
    a hole; None while nothing has.
    """

    apps: Mapping[str, App]
    scope_sets: Mapping[str, frozenset[str]]
    bundles: Mapping[str, Bundle]
    last_use: Mapping[str, Mapping[str, date]]
    window: UseWindow | None


@dataclass(frozen=True, slots=True)
class GrantSurroundings:
    """What the risk of one grant takes, besides its bundle.

    `scopes` is None where the set is not stored, `person` where the account is its person's only one.
    """

    view: AppView
    scopes: frozenset[str] | None
    last_used: date | None
    window: UseWindow | None
    weights: Weights
    person: PersonRecord | None = None


@dataclass(frozen=True, slots=True)
class AroundApp:
    """What stands around an app: the apps list, the decision about its product, what its vendor reaches."""

    rows: tuple[AppSummary, ...]
    decision: ProductDecision | None
    reach: VendorReach | None


@dataclass(frozen=True, slots=True)
class AroundVendor:
    """The apps list, some connections, and what a vendor reaches where that was asked for."""

    rows: tuple[AppSummary, ...]
    connections: tuple[Connection, ...]
    reach: VendorReach | None = None


@dataclass(frozen=True, slots=True)
class AroundPerson:
    """A person's record, None without one; the part it is in, None before people were joined; the apps."""

    record: PersonRecord | None
    part: PersonPart | None
    rows: tuple[AppSummary, ...]


@dataclass(frozen=True, slots=True)
class AroundTools:
    """What stands around a person's tools: their facts, permissions, and what the person may keep, by app."""

    apps: Mapping[str, App]
    scope_sets: Mapping[str, frozenset[str]]
    allowed: Mapping[str, AccessException]


class JoinedReader:
    """Reads of one request each, over several kinds of item."""

    def __init__(self, store: "TenantStore") -> None:
        self._store = store

    def bundle(self, cid: str, pid: str) -> tuple[Bundle | None, Connection | None]:
        """A principal's bundle and its connection."""
        keys = self._store.documents.keys
        wanted, at = keys.bundle(cid, pid), keys.connection(cid)
        found = self._store.documents.batch_get([wanted, at])
        bundle = self._store.bundles.decode(cid, found[wanted]) if wanted in found else None
        return bundle, self._store.connections.decode(found[at]) if at in found else None

    def tools(self, person_id: str, app_ids: Iterable[str], scope_sets: Iterable[str]) -> AroundTools:
        """What stands around these apps of a person."""
        keys, apps = self._store.documents.keys, self._store.apps
        facts = {keys.app(one, "FACTS"): one for one in app_ids}
        sets = {keys.scope_set(one): one for one in scope_sets}
        kept = {keys.exception(exception_id(person_id, one)): one for one in facts.values()}
        found = self._store.documents.batch_get([*facts, *sets, *kept]) if facts else {}
        return AroundTools(
            {one: apps.decode_facts(found[key]) for key, one in facts.items() if key in found},
            {one: apps.decode_scopes(found[key]) for key, one in sets.items() if key in found},
            {one: self._store.exceptions.decode(found[key]) for key, one in kept.items() if key in found},
        )

    def finding(self, finding_id: str, cid: str) -> tuple[Any, Connection | None]:
        """A finding and a connection."""
        keys = self._store.documents.keys
        wanted, at = keys.finding(finding_id), keys.connection(cid)
        found = self._store.documents.batch_get([wanted, at])
        finding = self._store.findings.decode(found[wanted]) if wanted in found else None
        return finding, self._store.connections.decode(found[at]) if at in found else None

    def app(self, vendor_id: str | None, product_id: str | None) -> AroundApp:
        """What stands around an app of this vendor and product, as far as they are known."""
        keys, apps = self._store.documents.keys, self._store.apps
        parts = apps.summary_keys()
        product = keys.product(product_id) if product_id else None
        vendor = self._store.reach.part_key(vendor_id) if vendor_id else None
        found = self._store.documents.batch_get([*parts, *filter(None, (product, vendor))])
        return AroundApp(
            rows=apps.rows_of(found[key] for key in parts if key in found),
            decision=apps.decode_product_decision(found[product]) if product in found else None,
            reach=self._store.reach.row_of(found[vendor], vendor_id)
            if vendor in found and vendor_id
            else None,
        )

    def vendor(self, connection_ids: Iterable[str], vendor_id: str | None = None) -> AroundVendor:
        """The apps list and some connections, in the order of their ids; what a vendor reaches too."""
        keys, apps = self._store.documents.keys, self._store.apps
        parts = apps.summary_keys()
        at = [keys.connection(cid) for cid in sorted(connection_ids)]
        vendor = self._store.reach.part_key(vendor_id) if vendor_id else None
        found = self._store.documents.batch_get([*parts, *at, *filter(None, (vendor,))])
        return AroundVendor(
            rows=apps.rows_of(found[key] for key in parts if key in found),
            connections=tuple(self._store.connections.decode(found[key]) for key in at if key in found),
            reach=self._store.reach.row_of(found[vendor], vendor_id)
            if vendor in found and vendor_id
            else None,
        )

    def person(self, person_id: str) -> AroundPerson:
        """The record of a person, and the apps list."""
        apps = self._store.apps
        parts, at = apps.summary_keys(), self._store.people.part_key(person_id)
        found = self._store.documents.batch_get([*parts, at])
        part = decode_persons(found[at].body) if at in found else None
        return AroundPerson(
            record=part.records.get(person_id) if part else None,
            part=part,
            rows=apps.rows_of(found[key] for key in parts if key in found),
        )

    def accounts(
        self, accounts: Iterable[tuple[str, str]]
    ) -> tuple[tuple[Bundle, ...], dict[str, Connection]]:
        """The bundles of (connection id, principal id), as far as they exist, and those connections."""
        keys = self._store.documents.keys
        wanted = {keys.bundle(cid, pid): cid for cid, pid in accounts}
        at = {keys.connection(cid): cid for cid in wanted.values()}
        found = self._store.documents.batch_get([*wanted, *at])
        bundles = tuple(
            self._store.bundles.decode(cid, found[key]) for key, cid in wanted.items() if key in found
        )
        return bundles, {
            cid: self._store.connections.decode(found[key]) for key, cid in at.items() if key in found
        }

    def activity(self, cid: str, app_id: str) -> tuple[Connection | None, bool, UseWindow | None]:
        """A connection, whether an app was ever seen, and what is known of use at the connection."""
        keys = self._store.documents.keys
        at, app, window = keys.connection(cid), keys.app(app_id, "FACTS"), keys.activity(cid)
        found = self._store.documents.batch_get([at, app, window])
        return (
            self._store.connections.decode(found[at]) if at in found else None,
            app in found,
            self._store.use.decode_window(found[window]) if window in found else None,
        )

    def surroundings(
        self,
        connection: Connection,
        *,
        apps: Iterable[str] = (),
        scope_sets: Iterable[str] = (),
        bundles: Iterable[str] = (),
        users: Iterable[str] = (),
    ) -> Surroundings:
        """What stands around some grants of a connection; at most 100 items.

        Args:
            connection: where they are held.
            apps: ids of apps whose facts are wanted.
            scope_sets: ids of scope sets.
            bundles: ids of principals whose bundles are wanted.
            users: ids of principals whose use is wanted.
        """
        keys, cid, shards = self._store.documents.keys, connection.id, connection.shards
        facts = {keys.app(app_id, "FACTS"): app_id for app_id in apps}
        sets = {keys.scope_set(name): name for name in scope_sets}
        held = {keys.bundle(cid, pid): pid for pid in bundles}
        use = {keys.last_use(cid, ids.shard_of(pid, shards), shards) for pid in users}
        window, repo = keys.activity(cid), self._store.apps
        found = self._store.documents.batch_get({*facts, *sets, *held, *use, window})
        last_use: dict[str, Mapping[str, date]] = {}
        for key in use & found.keys():
            last_use.update(self._store.use.decode_last(found[key]))
        return Surroundings(
            apps={facts[key]: repo.decode_facts(found[key]) for key in facts.keys() & found.keys()},
            scope_sets={sets[key]: repo.decode_scopes(found[key]) for key in sets.keys() & found.keys()},
            bundles={
                held[key]: self._store.bundles.decode(cid, found[key]) for key in held.keys() & found.keys()
            },
            last_use=last_use,
            window=self._store.use.decode_window(found[window]) if window in found else None,
        )

    def grant_risk(
        self, connection: Connection, principal: Principal, app_id: str, scope_set: str
    ) -> GrantSurroundings:
        """What the risk of one grant takes, besides its bundle."""
        keys, cid, shards, pid = self._store.documents.keys, connection.id, connection.shards, principal.id
        person = self._store.people.part_key(principal.person_id)
        aspects = [keys.app(app_id, name) for name in ("FACTS", "RISK", "POLICY", "OVERRIDE")]
        held, window, weights = keys.scope_set(scope_set), keys.activity(cid), keys.risk_weights()
        use = keys.last_use(cid, ids.shard_of(pid, shards), shards)
        found = self._store.documents.batch_get([*aspects, held, use, window, weights, person])
        repo = self._store.apps
        last = self._store.use.decode_last(found[use]) if use in found else {}
        return GrantSurroundings(
            view=repo.view_of(app_id, (found[key] for key in aspects if key in found)),
            scopes=repo.decode_scopes(found[held]) if held in found else None,
            last_used=last.get(pid, {}).get(app_id),
            window=self._store.use.decode_window(found[window]) if window in found else None,
            weights=self._store.risk.decode_weights(found[weights]).weights()
            if weights in found
            else DEFAULT,
            person=decode_persons(found[person].body).records.get(principal.person_id)
            if person in found
            else None,
        )
