"""Follow the rules over a slice of grants: evaluate, and write the findings that change."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from lantern.domain import ids
from lantern.domain.apps import AppSummary
from lantern.domain.errors import RevisionConflictError
from lantern.domain.facts import (
    ScopeSetView,
    app_facts,
    connection_facts,
    grant_facts,
    principal_facts,
    vendor_facts,
)
from lantern.domain.findings import Finding, Group, finding_id, reconcile
from lantern.domain.granting import Way, way_of
from lantern.domain.inventory import Bundle
from lantern.domain.people import PersonRecord
from lantern.domain.rules.model import RuleSet
from lantern.domain.rules.sweep import Change, Sweep
from lantern.domain.rules.vocabulary import GroupBy, Subject
from lantern.domain.tally import UseView
from lantern.domain.tenancy import Connection, Run
from lantern.services.playbooks.respond import Opened, opened, respond
from lantern.services.scoring import reading
from lantern.services.scoring.assess import views
from lantern.services.scoring.knowledge import Knowledge
from lantern.services.scoring.task import Scoring
from lantern.services.scoring.trusting import personal
from lantern.store.bundles import PackedBundles
from lantern.store.findings import PackedFindings
from lantern.store.tenant import TenantStore

ATTEMPTS: Final = 4
PASS_GRANTS: Final = 150_000
"""Grants that are evaluated together at most, as far as one app does not have more."""
_KNOWN: Final = ("app", "vendor", "connection")
"""Entities that all grants of an app at one connection share."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What is evaluated: these holders at one connection, and these apps (None: all of theirs).

    Bundles are walked more than once, in the order of principal ids; those of a whole connection stay packed.
    `persons` are those of their people who have several accounts, by person id.
    """

    connection: Connection
    bundles: Sequence[Bundle] | PackedBundles
    use: UseView
    apps: frozenset[str] | None = None
    run: Run | None = None
    persons: Mapping[str, PersonRecord] = field(default_factory=dict)

    def readable(self) -> frozenset[str]:
        """Principals whose grants are known."""
        return frozenset(b.principal.id for b in self.bundles if b.grants is not None)


def slice_of(store: TenantStore, connection: Connection) -> Slice:
    """A whole connection, its bundles packed."""
    run = store.runs.get(connection.id, connection.last_full_run) if connection.last_full_run else None
    return Slice(
        connection,
        store.bundles.packed(connection.id),
        reading.use(store, connection, range(connection.shards)),
        None,
        run,
        store.people.all_records(),
    )


def follow(task: Scoring, part: Slice, rows: Mapping[str, AppSummary], existing: Iterable[Finding]) -> int:
    """Evaluate the slice and write the findings that change; returns how many did.

    Raises:
        RevisionConflictError: findings keep changing; the message is delivered again.
    """
    scope_views = _views(task, part)
    since = part.connection.connected_at
    return write(task, existing, lambda pending: sweep(task, part, rows, scope_views, pending), since=since)


def follow_all(
    task: Scoring, part: Slice, rows: Mapping[str, AppSummary], findings: PackedFindings[Finding]
) -> int:
    """Evaluate a whole connection; returns how many findings changed.

    A large one is walked several times, some of its apps each time: what is in memory at once are the grants
    that findings of these apps list, not those of all.

    Raises:
        RevisionConflictError: findings keep changing; the message is delivered again.
    """
    changed = 0
    for rules, apps in _passes(task.knowledge.rules, rows, findings.heads.values()):
        known = {rule.id for rule in rules.rules}
        existing = findings.pick(
            lambda one, known=known, apps=apps: (  # type: ignore[misc] # bound to this pass
                one.rule_id in known and (apps is None or one.group.id in apps)
            )
        )
        under = replace(task, knowledge=replace(task.knowledge, rules=rules))
        changed += follow(under, replace(part, apps=apps), rows, existing)
    return changed


def _passes(
    rules: RuleSet, rows: Mapping[str, AppSummary], findings: Iterable[Finding]
) -> Iterator[tuple[RuleSet, frozenset[str] | None]]:
    """Rules and the apps (None: all) that are evaluated together."""
    if sum(row.holders for row in rows.values()) <= PASS_GRANTS:
        yield rules, None
        return
    by_app = tuple(r for r in rules.rules if r.subject is Subject.GRANT and r.group_by is GroupBy.APP)
    others = tuple(rule for rule in rules.rules if rule not in by_app)
    # A finding about a person lists grants of any app, but few people have one.
    yield RuleSet(rules.revision, others), None
    apps = sorted({one.group.id for one in findings if one.group.kind is GroupBy.APP} | rows.keys())
    chosen, grants = set[str](), 0
    for app_id in apps:
        held = rows[app_id].holders if app_id in rows else 0
        if chosen and grants + held > PASS_GRANTS:
            yield RuleSet(rules.revision, by_app), frozenset(chosen)
            chosen, grants = set(), 0
        chosen.add(app_id)
        grants += held
    yield RuleSet(rules.revision, by_app), frozenset(chosen)


def evaluate(
    task: Scoring, part: Slice, rows: Mapping[str, AppSummary], existing: Iterable[Finding]
) -> Sweep:
    """Evaluate the slice and write nothing."""
    return sweep(task, part, rows, _views(task, part), existing)


def write(
    task: Scoring,
    existing: Iterable[Finding],
    evaluate: Callable[[Iterable[Finding]], Sweep],
    *,
    since: datetime | None = None,
) -> int:
    """Write the findings that an evaluation changes; one that moved meanwhile is evaluated again.

    `since` is when what was evaluated was connected: what opens then starts or proposes what its rule names.
    None starts nothing.

    Raises:
        RevisionConflictError: findings keep changing; the message is delivered again.
    """
    pending = tuple(existing)
    changed, fresh = 0, list[Opened]()
    for _ in range(ATTEMPTS):
        done, clashed = put(task.store, evaluate(pending).results(task.clock.now()), fresh)
        changed += done
        if not clashed:
            if since is not None:
                _respond(task, fresh, since)
            return changed
        pending = tuple(task.store.findings.batch_get([f.id for f in pending] + clashed).values())
    raise RevisionConflictError("findings keep changing; the slice is evaluated again later")


def _respond(task: Scoring, fresh: Sequence[Opened], since: datetime) -> None:
    """Start or propose what the rules of findings that have just opened name."""
    respond(
        *(task.store, task.knowledge.books, task.knowledge.rules, fresh),
        since=since,
        now=task.clock.now(),
        random=secrets.token_bytes,
    )


def put(
    store: TenantStore, changes: Iterable[Change], fresh: list[Opened] | None = None
) -> tuple[int, list[str]]:
    """Write findings; returns how many were written, and the ids of those that moved meanwhile.

    Those that have just opened are added to `fresh`.
    """
    changed, clashed = 0, []
    for change in changes:
        finding = change.finding
        try:
            store.findings.put(replace(finding, rev=finding.rev - 1))
            changed += 1
        except RevisionConflictError:
            clashed.append(finding.id)
            continue
        if fresh is not None and (new := opened(finding, change.events)) is not None:
            fresh.append(new)
    return changed, clashed


def retire(task: Scoring, existing: PackedFindings[Finding], over: Callable[[Finding], bool]) -> int:
    """Resolve findings that no rule judges any more, such as those of a rule that is off.

    `over` tells by their heads. One that moved meanwhile is retired by the next pass.
    """
    now = task.clock.now()
    ended = []
    for finding in existing.pick(over):
        gone, events = reconcile(finding, None, now)
        if gone is not None and gone is not finding:
            ended.append(Change(gone, events))
    return put(task.store, ended)[0]


def sweep(
    task: Scoring,
    part: Slice,
    rows: Mapping[str, AppSummary],
    scope_views: Mapping[tuple[str, Way], ScopeSetView],
    existing: Iterable[Finding],
) -> Sweep:
    """The slice, evaluated."""
    now, reference = task.clock.now(), task.knowledge.reference
    readable = part.readable()
    found = Sweep(task.knowledge.rules, existing, covers=lambda grant: _covered(part, readable, grant))
    shared = connection_facts(part.connection, part.run, now)
    wanted = set()
    for row in rows.values():
        vendor = vendor_facts(row.vendor, reference.vendor(row.vendor), now)
        # Whether an app of several connections is new, one of them alone cannot tell.
        baseline = part.connection.baseline_at if len(row.connections) < 2 else None
        facts = app_facts(row, baseline, now) | vendor | shared
        if found.see_app(facts, known=_KNOWN):
            wanted.add(row.app_id)
    if part.apps is not None:
        wanted &= part.apps
    for bundle in part.bundles:
        person = part.persons.get(bundle.principal.person_id)
        holder = principal_facts(bundle, person, now, personal=personal(reference, bundle.principal))
        last = part.use.last.get(bundle.principal.id)
        for grant in bundle.grants or ():
            if grant.app_id in wanted:
                facts = grant_facts(bundle, grant, scope_views, last, part.use.window, now)
                facts.update(holder)
                found.see_grant(grant.app_id, facts["grant.id"], facts)
    if part.apps is None:
        found.see_connection(shared)
    return found


def _covered(part: Slice, readable: frozenset[str], grant_id: str) -> bool:
    pair = ids.split_grant_id(grant_id)
    return pair is not None and pair[0] in readable and (part.apps is None or pair[1] in part.apps)


def _views(task: Scoring, part: Slice) -> dict[tuple[str, Way], ScopeSetView]:
    held = {
        (key, way_of(bundle.principal.kind, grant.source))
        for bundle in part.bundles
        for grant in bundle.grants or ()
        if part.apps is None or grant.app_id in part.apps
        for key in (grant.scope_set, grant.prior_scope_set)
        if key
    }
    scope_sets = task.store.apps.scope_sets({key for key, _ in held})
    return views(task.knowledge, part.connection.provider, held, scope_sets)


def candidates(knowledge: Knowledge, apps: Iterable[str], persons: Iterable[str]) -> list[str]:
    """Ids of every finding that a slice of these apps and persons can touch."""
    groups: Mapping[GroupBy, list[str]] = {GroupBy.APP: list(apps), GroupBy.PERSON: list(persons)}
    return [
        finding_id(rule.id, Group(rule.group_by, key))
        for rule in knowledge.rules.rules
        for key in groups.get(rule.group_by, [])
    ]
