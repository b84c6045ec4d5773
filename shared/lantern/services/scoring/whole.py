"""Evaluate the rules that look at apps, connections, assets and people as wholes: no grant is read for it.

What takes the tenant as a whole is known here and only here: what a vendor reaches over all connections, what
changed in its profile, whether an app is new to the organisation, who owns which asset. A slice leaves those
facts unknown, so it neither fires nor resolves what depends on them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, get_args

from lantern.domain import ids
from lantern.domain.apps import AppSummary
from lantern.domain.assets import Asset, AssetKind
from lantern.domain.blast import VendorReach, chains
from lantern.domain.facts import Chained, app_facts, asset_facts, connection_facts, vendor_facts
from lantern.domain.findings import Finding
from lantern.domain.inventory import Bundle
from lantern.domain.people import PersonRecord
from lantern.domain.rules.conditions import Facts
from lantern.domain.rules.model import RuleSet
from lantern.domain.rules.sweep import Sweep
from lantern.domain.rules.vocabulary import GroupBy, Subject
from lantern.domain.tenancy import Connection
from lantern.services.scoring import following, reading
from lantern.services.scoring.task import Scoring
from lantern.services.scoring.vendors import NEWS, follow_vendors
from lantern.store.assets import StoredAsset
from lantern.store.tenant import TenantStore

_CHAIN: Final = frozenset({"app.chain_connections", "app.chain_data_classes"})
_LAPSED: Final = "app.lapsed_exceptions"
_ASSET_KINDS: Final[tuple[AssetKind, ...]] = get_args(AssetKind)


@dataclass(frozen=True, slots=True)
class Person:
    """A person as rules see one: counts over all accounts.

    `lapsed` are apps that they still hold although their exception for it ended and was not renewed.
    """

    id: str
    departed: bool
    admin: bool | None
    accounts: int
    grants: int
    ai_apps: int
    lapsed: frozenset[str] = frozenset()

    def facts(self) -> dict[str, Any]:
        """The facts about them."""
        return {
            "person.id": self.id,
            "person.departed": self.departed,
            "person.admin": self.admin,
            "person.accounts": self.accounts,
            "person.grants": self.grants,
            "person.ai_apps": self.ai_apps,
        }


@dataclass(slots=True)
class Counted:
    """What one walk over all bundles counts of a person."""

    departed: bool = False
    admin: bool | None = None
    grants: int = 0
    ai: set[str] = field(default_factory=set)
    lapsed: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Whole:
    """Facts of everything that is looked at as a whole."""

    apps: tuple[Facts, ...]
    connections: tuple[Facts, ...]
    assets: tuple[Facts, ...]
    people: tuple[Facts, ...]

    def sweep(self, rules: RuleSet, existing: Iterable[Finding]) -> Sweep:
        """All of it, evaluated."""
        found = Sweep(rules, existing)
        for facts in self.apps:
            found.see_app(facts)
        for facts in self.connections:
            found.see_connection(facts)
        for facts in self.assets:
            found.see_asset(facts)
        for facts in self.people:
            found.see_person(facts)
        return found


def whole_rules(rules: RuleSet) -> RuleSet:
    """Those of the rules that are evaluated here."""
    return RuleSet(rules.revision, tuple(r for r in rules.rules if r.subject is not Subject.GRANT))


def follow_whole(task: Scoring, rules: RuleSet | None = None, people: Sequence[Person] | None = None) -> int:
    """Evaluate; returns how many findings changed.

    Findings that no rule judges any more are resolved: those of rules that are off or gone, and those about
    connections that were given up.

    Args:
        task: the message's tools; its rules are those in effect.
        rules: those to evaluate; all where None.
        people: everybody; None where they were not counted now: rules about people, and about exceptions of
            people that ended, then say nothing.

    Raises:
        RevisionConflictError: findings keep changing; the message is delivered again.
    """
    store = task.store
    existing = reading.all_findings(store)
    connections = store.connections.list()
    changed = following.retire(task, existing, lambda one: _over(one, task.knowledge.rules, connections))
    chosen = whole_rules(rules or task.knowledge.rules)
    seen = gather(task, chosen, connections, people)
    mine = existing.pick(lambda one: chosen.get(one.rule_id) is not None)
    return changed + following.write(task, mine, lambda pending: seen.sweep(chosen, pending))


def counts_people(rules: RuleSet) -> bool:
    """Whether some of the rules take a walk over everybody's accounts."""
    return bool(rules.person_rules) or _LAPSED in rules.fields


def _over(finding: Finding, rules: RuleSet, connections: Iterable[Connection]) -> bool:
    if not finding.holds:
        return False
    if finding.group.kind == GroupBy.CONNECTION:
        living = {one.id for one in connections if not one.leaving}
        return finding.group.id not in living or rules.get(finding.rule_id) is None
    return rules.get(finding.rule_id) is None


def gather(
    task: Scoring,
    rules: RuleSet,
    connections: Iterable[Connection],
    people: Sequence[Person] | None,
    *,
    remember: bool = True,
) -> Whole:
    """Read what the rules need, and no more.

    Args:
        task: the message's tools.
        rules: those that are to be evaluated.
        connections: all of the tenant.
        people: everybody; None where nobody was counted.
        remember: whether to note vendors' profiles as seen now; a preview changes nothing.
    """
    store, now = task.store, task.clock.now()
    living = [one for one in connections if not one.leaving]
    rows: tuple[AppSummary, ...] = ()
    if rules.app_rules or rules.asset_rules:
        rows = tuple(row.at(now) for row in store.apps.summary())
    app_side = _app_facts(task, rules, rows, living, people, remember=remember)
    assets: tuple[Facts, ...] = ()
    if rules.asset_rules:
        assets = tuple(_asset_facts(store, rules, app_side, living, now))
    shown = []
    if rules.connection_rules:
        for one in living:
            run = store.runs.get(one.id, one.last_full_run) if one.last_full_run else None
            shown.append(connection_facts(one, run, now))
    return Whole(
        tuple(app_side.values()) if rules.app_rules else (),
        tuple(shown),
        assets,
        tuple(one.facts() for one in people or ()) if rules.person_rules else (),
    )


def _app_facts(
    task: Scoring,
    rules: RuleSet,
    rows: tuple[AppSummary, ...],
    connections: Iterable[Connection],
    people: Iterable[Person] | None,
    *,
    remember: bool,
) -> dict[str, dict[str, Any]]:
    now, reference = task.clock.now(), task.knowledge.reference
    baselines = {one.id: one.baseline_at for one in connections}
    fields = rules.fields
    chained: Mapping[str, Chained] | None = None
    if fields & _CHAIN:
        chained = _chained(task.store.reach.all(), rows, connections)
    changed = None
    if fields & NEWS:
        changed = follow_vendors(task.store, reference, rows, now, remember=remember)
    lapsed = None if people is None else Counter(app_id for one in people for app_id in one.lapsed)
    found = {}
    for row in rows:
        profile = reference.vendor(row.vendor)
        news = None if changed is None or profile is None else changed.get(profile.id, ())
        chain = None if chained is None else chained.get(row.app_id, Chained())
        found[row.app_id] = app_facts(row, _baseline(row, baselines), now, chain) | vendor_facts(
            row.vendor, profile, now, news
        )
        found[row.app_id][_LAPSED] = None if lapsed is None else lapsed.get(row.app_id, 0)
    return found


def ended_exceptions(store: TenantStore, now: datetime) -> Mapping[str, frozenset[str]]:
    """Person id → apps for which their exception ended and was not renewed; one query."""
    ended: dict[str, set[str]] = {}
    for one in store.exceptions.all():
        if not one.holds(now):
            ended.setdefault(one.person_id, set()).add(one.app_id)
    return {person: frozenset(apps) for person, apps in ended.items()}


def _baseline(row: AppSummary, baselines: Mapping[str, datetime | None]) -> datetime | None:
    """When all connections that hold the app had been read once: what was seen by then is not new."""
    ends = [baselines.get(one) for one in row.connections]
    known = [one for one in ends if one is not None]
    return max(known) if known and len(known) == len(ends) else None


def _chained(
    reaches: Iterable[VendorReach], rows: Iterable[AppSummary], connections: Iterable[Connection]
) -> dict[str, Chained]:
    """App id → the widest chain it is part of."""
    by_id = {row.app_id: row for row in rows}
    names = {one.id: one.name for one in connections}
    found: dict[str, Chained] = {}
    for reach in reaches:
        for chain in chains(reach.vendor, reach.connections, by_id, names):
            data = tuple(sorted({kind for link in chain.links for kind in link.data}))
            whole = Chained(len(chain.links), data)
            for app_id in (app for link in chain.links for app in link.apps):
                if app_id not in found or found[app_id].connections < whole.connections:
                    found[app_id] = whole
    return found


def _asset_facts(
    store: TenantStore,
    rules: RuleSet,
    apps: Mapping[str, Facts],
    connections: Iterable[Connection],
    now: datetime,
) -> Iterable[Facts]:
    by_id = {one.id: one for one in connections}
    shared = {one.id: connection_facts(one, None, now) for one in by_id.values()}
    found = [one for one in store.assets.present(_ASSET_KINDS) if one.asset.connection_id in by_id]
    owners = _departed(store, found) if "asset.owner_departed" in rules.fields else {}
    for stored in found:
        asset = stored.asset
        left = owners.get((asset.connection_id, asset.owner)) if asset.owner else None
        app = _app_of(asset, by_id[asset.connection_id], apps)
        yield {
            **shared[asset.connection_id],
            **app,
            **asset_facts(asset, stored.first_seen, now, owner_departed=left),
        }


def _departed(store: TenantStore, assets: Iterable[StoredAsset]) -> dict[tuple[str, str | None], bool | None]:
    """(connection, owner) → whether the owner left, by the person where several accounts are theirs."""
    wanted: dict[str, set[str]] = {}
    for one in assets:
        if one.asset.owner:
            wanted.setdefault(one.asset.connection_id, set()).add(one.asset.owner)
    found: dict[tuple[str, str | None], bool | None] = {}
    for cid, owners in wanted.items():
        bundles = store.bundles.batch_get(cid, sorted(owners))
        persons: Mapping[str, PersonRecord] = reading.persons(store, bundles.values())
        for pid, bundle in bundles.items():
            person = persons.get(bundle.principal.person_id)
            found[cid, pid] = bundle.principal.departed or bool(person and person.departed)
    return found


def _app_of(asset: Asset, connection: Connection, apps: Mapping[str, Facts]) -> Facts:
    """The facts of the app an asset belongs to; empty where it belongs to none that is listed."""
    if asset.client_id is None:
        return {}
    own = ids.app_id(connection.provider, asset.client_id)
    return apps.get(own) or apps.get(ids.app_id("web", asset.client_id)) or {}


def count_people(records: Mapping[str, PersonRecord], counted: Mapping[str, Counted]) -> tuple[Person, ...]:
    """Everybody who was counted, with what is known of them over all accounts."""
    return tuple(
        Person(
            person,
            records[person].departed if person in records else one.departed,
            records[person].admin if person in records else one.admin,
            len(records[person].accounts) if person in records else 1,
            one.grants,
            len(one.ai),
            frozenset(one.lapsed),
        )
        for person, one in counted.items()
    )


@dataclass(frozen=True, slots=True)
class Known:
    """What counting people takes: which app is which AI tool, and whose exceptions ended."""

    tools: Mapping[str, str]
    ended: Mapping[str, frozenset[str]]


def known(store: TenantStore, rows: Iterable[AppSummary], now: datetime) -> Known:
    """What counting people takes, before the first account is looked at."""
    return Known(tools_of(rows), ended_exceptions(store, now))


def everybody(store: TenantStore, connections: Iterable[Connection], now: datetime) -> tuple[Person, ...]:
    """Everybody, counted by a walk over all bundles; people are joined as they were last."""
    counted, about = dict[str, Counted](), known(store, store.apps.summary(), now)
    for connection in connections:
        for bundle in store.bundles.all(connection.id):
            count_account(counted, bundle, bundle.principal.person_id, about)
    return count_people(store.people.all_records(), counted)


def tools_of(rows: Iterable[AppSummary]) -> dict[str, str]:
    """App id → the AI tool it is: several apps of one product are one tool to whoever uses them."""
    return {row.app_id: row.product_id or row.app_id for row in rows if row.verdict == "ai"}


def count_account(people: dict[str, Counted], bundle: Bundle, person: str, about: Known) -> None:
    """Count one account for its person; accounts of several, and those not read, are no person's."""
    principal = bundle.principal
    if principal.kind != "user" or bundle.grants is None:
        return
    counted = people.get(person)
    if counted is None:
        counted = people[person] = Counted(principal.departed, principal.admin)
    counted.grants += len(bundle.grants)
    counted.ai |= {about.tools[grant.app_id] for grant in bundle.grants if grant.app_id in about.tools}
    if person in about.ended:
        counted.lapsed |= {grant.app_id for grant in bundle.grants} & about.ended[person]


def with_rules(task: Scoring, rules: RuleSet) -> Scoring:
    """The tools with other rules."""
    return replace(task, knowledge=replace(task.knowledge, rules=rules))
