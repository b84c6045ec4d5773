"""A rule over the changes of the last days: when would it have fired, had it been there?

Each change of a grant is weighed with the scopes and dates that it had then. What is known of apps and
holders is today's: their past is not kept. Use of the past is unknown here: a rule that needs it cannot tell.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from lantern.domain.apps import AppSummary
from lantern.domain.facts import (
    ScopeSetView,
    app_facts,
    connection_facts,
    grant_facts,
    principal_facts,
    vendor_facts,
)
from lantern.domain.granting import Way, way_of
from lantern.domain.history import ChangeEntry
from lantern.domain.inventory import Bundle, Grant, GrantSource
from lantern.domain.previews import HISTORY_DAYS, MAX_SAMPLES, HistoryResult, Moment
from lantern.domain.rules.conditions import Truth
from lantern.domain.rules.model import BoundRule, Rule
from lantern.domain.rules.vocabulary import Subject
from lantern.domain.tenancy import Connection
from lantern.services.scoring import reading
from lantern.services.scoring.assess import views
from lantern.services.scoring.task import Scoring
from lantern.services.scoring.trusting import personal

MAX_CHANGES: Final = 100_000
"""Changes of one connection that are replayed: the latest. They are in memory at once."""
_FEW: Final = 100
"""Holders that are read one by one, at eight times the price a head of reading everybody."""
_KNOWN: Final = ("app", "vendor", "connection")


def replay(task: Scoring, rule: Rule) -> HistoryResult:
    """Evaluate a rule at every change of the last 90 days."""
    until = task.clock.now()
    since = until - timedelta(days=HISTORY_DAYS)
    empty = HistoryResult(since.date(), until.date(), replayed=True)
    if rule.subject is Subject.GRANT:
        return _grants(task, rule, empty)
    if rule.subject is Subject.APP:
        return _apps(task, rule, empty)
    why = f"The past of {rule.subject}s is not kept; only the current state was evaluated."
    return replace(empty, replayed=False, why=why)


class _Count:
    """Adds up moments."""

    def __init__(self) -> None:
        self.changes = self.lets_go = self.unknown = 0
        self.days: Counter[str] = Counter()
        self.samples: list[Moment] = []

    def add(self, moment: Moment, outcome: Truth) -> None:
        """Count one change and what the rule says of it."""
        self.changes += 1
        if outcome is None:
            self.unknown += 1
        if not outcome:
            return
        if moment.fires:
            self.days[f"{moment.at:%Y-%m-%d}"] += 1
        else:
            self.lets_go += 1
        self.samples.append(moment)
        if len(self.samples) > 2 * MAX_SAMPLES:
            self.samples = self._latest()

    def _latest(self) -> list[Moment]:
        return sorted(self.samples, key=lambda one: one.at, reverse=True)[:MAX_SAMPLES]

    def result(self, base: HistoryResult) -> HistoryResult:
        """The counts as a result."""
        return replace(
            base,
            changes=self.changes,
            fires=sum(self.days.values()),
            lets_go=self.lets_go,
            unknown=self.unknown,
            days=dict(sorted(self.days.items())),
            samples=tuple(self._latest()),
        )


# --- apps -------------------------------------------------------------------------------------------


def _apps(task: Scoring, rule: Rule, base: HistoryResult) -> HistoryResult:
    """A rule about apps at the moment each app of the last days was first seen."""
    store, reference, count = task.store, task.knowledge.reference, _Count()
    ends = [one.baseline_at for one in store.connections.list() if one.baseline_at]
    baseline = min(ends, default=None)
    for row in store.apps.summary():
        at = row.first_seen
        if at is None or at.date() < base.since or baseline is None or at <= baseline:
            continue
        facts = app_facts(row, baseline, at) | vendor_facts(row.vendor, reference.vendor(row.vendor), at)
        outcome = rule.check(facts)
        level = str(rule.bind(facts, ()).grade(facts).level) if outcome else None
        count.add(Moment(at, "", row.app_id, "added", fires=True, severity=level), outcome)
    why = "An app is weighed at the moment it was first seen, with what is known of it today."
    return replace(count.result(base), why=why)


# --- grants -----------------------------------------------------------------------------------------


def _grants(task: Scoring, rule: Rule, base: HistoryResult) -> HistoryResult:
    rows = {row.app_id: row for row in task.store.apps.summary()}
    count, cut = _Count(), False
    for connection in task.store.connections.list():
        if connection.leaving:
            continue
        changes = _changes(task, connection)
        cut |= len(changes) > MAX_CHANGES
        _one_connection(task, rule, connection, rows, changes[-MAX_CHANGES:], count)
    why = f"Of each connection the latest {MAX_CHANGES:,} changes were replayed." if cut else ""
    return replace(count.result(base), why=why)


def _changes(task: Scoring, connection: Connection) -> list[ChangeEntry]:
    until = task.clock.now()
    since = until - timedelta(days=HISTORY_DAYS)
    return task.store.history.latest(connection.id, since, until, MAX_CHANGES)


def _one_connection(
    task: Scoring,
    rule: Rule,
    connection: Connection,
    rows: Mapping[str, AppSummary],
    changes: Iterable[ChangeEntry],
    count: _Count,
) -> None:
    entries = tuple(changes)
    wanted: dict[str, set[str]] = defaultdict(set)
    for one in entries:
        wanted[one.principal_id].add(one.app_id)
    holders = _holders(task, connection, wanted)
    seen = _views(task, connection, entries, holders)
    bound: dict[str, BoundRule] = {}
    for entry in entries:
        row, holder = rows.get(entry.app_id), holders.get(entry.principal_id)
        if row is None or holder is None:
            continue
        if entry.app_id not in bound:
            bound[entry.app_id] = rule.bind(_app(task, connection, row), _KNOWN)
        facts = _facts(entry, holder[0], holder[1], seen)
        ready = bound[entry.app_id]
        outcome = ready.check(facts)
        level = str(ready.grade(facts).level) if outcome else None
        moment = Moment(
            entry.at, entry.principal_id, entry.app_id, entry.kind, entry.kind != "removed", level
        )
        count.add(moment, outcome)


def _app(task: Scoring, connection: Connection, row: AppSummary) -> dict[str, Any]:
    now, reference = task.clock.now(), task.knowledge.reference
    vendor = vendor_facts(row.vendor, reference.vendor(row.vendor), now)
    return app_facts(row, connection.baseline_at, now) | vendor | connection_facts(connection, None, now)


def _holders(
    task: Scoring, connection: Connection, wanted: Mapping[str, set[str]]
) -> dict[str, tuple[Bundle, dict[str, Any]]]:
    """Principal id → account, with its grants of the apps wanted, and facts, of those who are still known."""
    store, now = task.store, task.clock.now()
    found: Iterable[Bundle] = ()
    if len(wanted) > _FEW:
        found = (one for one in store.bundles.packed(connection.id) if one.principal.id in wanted)
    elif wanted:
        found = store.bundles.batch_get(connection.id, sorted(wanted)).values()
    bundles = {one.principal.id: _only(one, wanted[one.principal.id]) for one in found}
    persons = reading.persons(store, bundles.values()) if bundles else {}
    return {
        pid: (
            bundle,
            principal_facts(
                bundle,
                persons.get(bundle.principal.person_id),
                now,
                personal=personal(task.knowledge.reference, bundle.principal),
            ),
        )
        for pid, bundle in bundles.items()
    }


def _only(bundle: Bundle, apps: set[str]) -> Bundle:
    """The bundle with its grants of some apps: thousands of whole ones would not fit into memory."""
    if bundle.grants is None:
        return bundle
    return replace(bundle, grants=tuple(grant for grant in bundle.grants if grant.app_id in apps))


def _views(
    task: Scoring,
    connection: Connection,
    entries: Iterable[ChangeEntry],
    holders: Mapping[str, tuple[Bundle, dict[str, Any]]],
) -> dict[tuple[str, Way], ScopeSetView]:
    held: set[tuple[str, Way]] = set()
    for one in entries:
        if one.principal_id in holders:
            bundle = holders[one.principal_id][0]
            way = way_of(bundle.principal.kind, _source(one, bundle))
            held |= {(key, way) for key in (one.before, one.after) if key}
    scope_sets = task.store.apps.scope_sets({key for key, _ in held})
    return views(task.knowledge, connection.provider, held, scope_sets)


def _source(entry: ChangeEntry, bundle: Bundle) -> GrantSource:
    """What the grant rests on now; a person's consent where it is gone, as most are."""
    current = bundle.grant(entry.app_id)
    return current.source if current else "consent"


def _facts(
    entry: ChangeEntry,
    bundle: Bundle,
    holder: Mapping[str, Any],
    seen: Mapping[tuple[str, Way], ScopeSetView],
) -> dict[str, Any]:
    """The grant as it was just after the change; a removed one as it was just before."""
    day, current = entry.at.date(), bundle.grant(entry.app_id)
    grew = entry.kind == "changed"
    grant = Grant(
        app_id=entry.app_id,
        scope_set=entry.after or entry.before or "",
        first_seen=day,
        granted_on=day if entry.kind == "added" else None,
        prior_scope_set=entry.before if grew else None,
        expanded_on=day if grew else None,
        source=_source(entry, bundle),
    )
    facts = grant_facts(bundle, grant, seen, None, None, entry.at)
    if current is None:
        # What a grant that is gone rested on is not kept.
        facts["grant.source"] = None
    if entry.kind != "added":
        facts["grant.first_seen_days"] = None
    return {**facts, **holder}
