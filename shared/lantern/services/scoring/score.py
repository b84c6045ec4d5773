"""What the scoring function does with each kind of work message: always from stored state, over a slice.

A run is the slice of a whole connection, a changed bundle the slice of one principal and the apps that
changed, a decision the slice of one app's holders. What lies outside the slice stays as it is.
"""

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from lantern.domain import ids
from lantern.domain.anomalies import app_anomalies
from lantern.domain.apps import AppSummary, AppView
from lantern.domain.errors import RevisionConflictError
from lantern.domain.facts import idle_of
from lantern.domain.inventory import Bundle
from lantern.domain.people import PersonRecord
from lantern.domain.privilege import ApiUse, untouched
from lantern.domain.products import same_product
from lantern.domain.rules.policy import effective
from lantern.domain.tally import AppTally, StoredTally, stored
from lantern.domain.tenancy import Connection
from lantern.domain.use import AppUse, whole_weeks
from lantern.domain.work import Work
from lantern.services import incidents
from lantern.services.playbooks.sweep import see_bundle
from lantern.services.scoring import catalogs, people, policies, preview, reach, reading, vendors
from lantern.services.scoring.activity import look_at_accounts, note_looked
from lantern.services.scoring.assess import Around, Judged, judge, save, stored_tallies
from lantern.services.scoring.following import ATTEMPTS, Slice, candidates, follow, follow_all, slice_of
from lantern.services.scoring.task import Scoring
from lantern.services.scoring.trusting import personal
from lantern.services.scoring.whole import follow_whole

log = logging.getLogger(__name__)

_AFTER_READING: Final = frozenset({"run_id", "import_id"})
"""What a message names that follows a reading of a whole organisation or file."""
_APPS: Final = 20
"""Apps judged together after a change of the catalog: their holders are in memory at once."""
_WEEKS: Final = 9
"""Weeks of use that tell whether it changed: two months and the last one."""


def handle(task: Scoring, work: Work) -> int:
    """Do one message's work under the tenant's catalog and rules; returns how many findings changed."""
    if work.kind == "policy.preview":
        # It takes the rules as they would be.
        preview.compute(_seen(task), work.body["preview_id"])
        return 0
    task = _ruled(task, consistent=work.kind == "score.policy")
    if work.kind == "score.catalog":
        changed = follow_catalog(task, int(work.body.get("operators", "0")))
        if changed:
            tell(task, work)
        return changed
    seen = catalogs.view(task.store, task.knowledge, task.operators)
    under = replace(task, knowledge=seen.knowledge)
    verbs: Mapping[str, Callable[[], int]] = {
        "score.run": lambda: score_run(under, reading.required(work.connection_id)),
        "score.bundle": lambda: score_bundle(
            under, reading.required(work.connection_id), work.body["principal"], _apps(work)
        ),
        "score.app": lambda: score_apps(under, _named(under, work)),
        "people.join": lambda: _join(under),
        "incident.follow": lambda: _incidents(under),
        "score.policy": lambda: policies.follow_policy(under),
        "score.whole": lambda: follow_whole(under),
    }
    changed = verbs[work.kind]()
    if work.kind == "score.run" and not _AFTER_READING.isdisjoint(work.body):
        # What was read may be about people: they are joined once the apps of the reading are known.
        follow = Work(task.store.tenant_id, "people.join", cause=work.cause)
        task.store.transact(task.clock.now()).outbox(follow).commit()
    if work.kind == "score.run" and _moved(task, seen):
        # A run is long: what it judged by the catalog as it was may have been judged anew before.
        changed += follow_catalog(task, seen.operators, again=True)
    if changed:
        tell(task, work)
    return changed


def tell(task: Scoring, work: Work) -> None:
    """Have outreach look at what changed: one message for all of it. A lost one is made up by its sweep."""
    told = Work(task.store.tenant_id, "outreach.findings", cause=work.cause)
    task.store.transact(task.clock.now()).outbox(told).commit()


def _ruled(task: Scoring, *, consistent: bool) -> Scoring:
    """The tools with the rules as the tenant has them."""
    found = effective(task.knowledge.rules, task.store.policy.get(consistent=consistent))
    if found.left_out:
        log.warning("settings that fit no rule", extra={"left_out": found.left_out})
    return replace(task, knowledge=replace(task.knowledge, rules=found.rules))


def _seen(task: Scoring) -> Scoring:
    """The tools with the catalog as the tenant sees it."""
    return replace(task, knowledge=catalogs.view(task.store, task.knowledge, task.operators).knowledge)


def _join(task: Scoring) -> int:
    """Join people, keep what each vendor reaches, then follow the rules about apps and people as wholes."""
    now = task.clock.now()
    found = people.join_people(task.store, task.knowledge.reference, now)
    everybody = reach.summarise(task.store, task.knowledge, found.joined, found.bundles, now)
    return follow_whole(task, people=everybody)


def _incidents(task: Scoring) -> int:
    """Raise here what operators raised for all tenants; changes no finding itself."""
    notices = task.notices() if task.notices else ()
    known, now = task.knowledge, task.clock.now()
    incidents.follow_notices(task.store, known.reference, known.books, notices, now, secrets.token_bytes)
    return 0


def _named(task: Scoring, work: Work) -> frozenset[str]:
    """The apps a message is about: one, or all of a product."""
    if "product_id" in work.body:
        rows = same_product(task.store.apps.summary(), work.body["product_id"])
        return frozenset(row.app_id for row in rows)
    return frozenset({work.body["app_id"]})


def score_run(task: Scoring, connection_id: str) -> int:
    """Judge every app and evaluate every rule over one connection."""
    store = task.store
    connection = store.connections.get(connection_id)
    if connection is None:
        return 0
    part = slice_of(store, connection)
    tallies = _tally(task, part)
    _used(task, connection, tallies)
    looked = look_at_accounts(store, connection, tallies, _WEEKS)
    known = {view.app_id: view for view in store.apps.all_views()}
    for app_id, view in known.items():
        # An app that lost its last holder here is judged again too.
        if connection_id in stored_tallies(view.risk.body if view.risk else None):
            tallies.setdefault(app_id, AppTally())
    judged = _judge(
        task, connection, {a: known[a] for a in tallies if a in known}, tallies, len(part.bundles)
    )
    if looked:
        note_looked(store, connection, looked, task.clock.now())
    return follow_all(task, part, judged, reading.all_findings(store))


def score_bundle(task: Scoring, connection_id: str, principal_id: str, apps: frozenset[str]) -> int:
    """Evaluate one principal's grants of the apps that changed; without names, of all its apps.

    An app that the last write of the bundle removed is held no more, but its findings are about it.
    """
    store = task.store
    connection = store.connections.get(connection_id)
    bundle = store.bundles.get(connection_id, principal_id) if connection else None
    if connection is None or bundle is None:
        return 0
    see_bundle(store, task.knowledge.books, bundle, task.clock.now(), secrets.token_bytes)
    followed = people.follow(store, bundle)
    changed = _score_bundle(task, connection, bundle, apps, followed.person)
    for where, other in followed.others:
        # Whoever left at one place left everywhere.
        changed += _score_bundle(task, where, other, frozenset(), followed.person)
    return changed


def _score_bundle(
    task: Scoring, connection: Connection, bundle: Bundle, apps: frozenset[str], person: PersonRecord | None
) -> int:
    held = {grant.app_id for grant in bundle.grants or ()}
    concerned = apps or frozenset(held | {delta.app_id for delta in bundle.delta})
    judged = _recount(task, connection, concerned)
    use = reading.use(task.store, connection, [ids.shard_of(bundle.principal.id, connection.shards)])
    name = bundle.principal.person_id
    part = Slice(connection, (bundle,), use, concerned, persons={name: person} if person else {})
    existing = task.store.findings.batch_get(candidates(task.knowledge, concerned, {name})).values()
    return follow(task, part, judged, existing)


def score_apps(task: Scoring, apps: frozenset[str]) -> int:
    """Judge some apps again and evaluate their rules over all their holders, at every connection."""
    store, changed = task.store, 0
    for connection in store.connections.list():
        judged = _recount(task, connection, apps)
        held = {
            b.principal.id: b
            for app_id in sorted(apps)
            for b in reading.holders(store, connection.id, app_id)
        }
        bundles = tuple(held.values())
        shards = sorted({ids.shard_of(b.principal.id, connection.shards) for b in bundles})
        known = reading.persons(store, bundles)
        part = Slice(connection, bundles, reading.use(store, connection, shards), apps, persons=known)
        persons = {b.principal.person_id for b in bundles}
        existing = store.findings.batch_get(candidates(task.knowledge, apps, persons)).values()
        changed += follow(task, part, judged, existing)
    return changed


def follow_catalog(task: Scoring, operators: int, *, again: bool = False) -> int:
    """Judge again what the catalog, as it is now, tells otherwise than when it was judged; nothing else.

    So are apps whose vendor's profile is another one, and with it the rules about vendors.

    What is done shows in what is stored: a repetition goes on where the last attempt ended. Before it is
    noted as done, the catalog must have stood still meanwhile.

    Args:
        task: the message's tools.
        operators: the version of the operators' entries that must be applied, or a later one.
        again: look even if this catalog is noted as applied.

    Raises:
        RevisionConflictError: the catalog keeps changing; the message is delivered again.
    """
    changed = 0
    for _ in range(ATTEMPTS):
        seen = catalogs.view(task.store, task.knowledge, task.operators, least=operators, consistent=True)
        if seen.is_applied and not again:
            return changed
        again = False
        under = replace(task, knowledge=seen.knowledge)
        touched = catalogs.touched(task.store, seen.knowledge)
        log.info("the catalog changed", extra={"apps": len(touched), "operators": seen.operators})
        for start in range(0, len(touched), _APPS):
            changed += score_apps(under, frozenset(touched[start : start + _APPS]))
        changed += _follow_profiles(under, seen)
        catalogs.note_applied(task.store, seen, task.clock.now())
    raise RevisionConflictError("the catalog keeps changing; it is applied again later")


def _follow_profiles(task: Scoring, seen: catalogs.TenantView) -> int:
    """Evaluate the rules about vendors where operators publish and a profile in use changed lately."""
    known = task.knowledge
    if not seen.operators or not vendors.anything_changed(task.store, known.reference, task.clock.now()):
        return 0
    return follow_whole(task, vendors.about_vendors(known.rules))


def _moved(task: Scoring, seen: catalogs.TenantView) -> bool:
    """Whether the catalog, or what operators say of vendors, is another than what was seen."""
    now = catalogs.view(task.store, task.knowledge, task.operators, consistent=True)
    then = seen.knowledge.catalog.revision, seen.operators
    return (now.knowledge.catalog.revision, now.operators) != then


# --- judging apps -----------------------------------------------------------------------------------


def _tally(task: Scoring, part: Slice) -> dict[str, AppTally]:
    tallies: dict[str, AppTally] = {}
    now, reference = task.clock.now(), task.knowledge.reference
    today = now.date()
    for bundle in part.bundles:
        last = part.use.last.get(bundle.principal.id, {})
        private = personal(reference, bundle.principal)
        person = part.persons.get(bundle.principal.person_id)
        left = person.departed if person else None
        for grant in bundle.grants or ():
            if part.apps is None or grant.app_id in part.apps:
                used = last.get(grant.app_id)
                idle = idle_of(grant, used, part.use.window, now)
                tally = tallies.setdefault(grant.app_id, AppTally())
                tally.count(bundle, grant, used, idle, personal=private, today=today, departed=left)
    return tallies


def _used(task: Scoring, connection: Connection, tallies: Mapping[str, AppTally]) -> None:
    """Add what is known of each app's use as a whole: events by week, kinds of data it never touches."""
    window, uses = task.store.app_use.read(connection.id, tallies)
    if window is None:
        return
    weeks = whole_weeks(window.since, window.until, _WEEKS)
    reaches = task.knowledge.reference.risk.apis.get(connection.provider, {})
    reported = frozenset(window.reported)
    for app_id, tally in tallies.items():
        use = uses.get(app_id, AppUse())
        tally.weeks = tuple(use.weeks.get(week, 0) for week in weeks)
        given = tuple(tally.given[week] for week in weeks)
        before = bool(weeks) and any(week < weeks[0] for week in tally.given)
        tally.anomalies = app_anomalies(connection.id, weeks, use, given, given_before=before)
        tally.sent = sum(use.sent.values()) if use.sent else None
        tally.received = sum(use.received.values()) if use.received else None
        tally.untouched = untouched(
            ApiUse(frozenset(use.apis), reported, window.since, window.until), reaches
        )


def _recount(task: Scoring, connection: Connection, apps: frozenset[str]) -> dict[str, AppSummary]:
    """Judge a few apps from their footprints."""
    tallies: dict[str, AppTally] = {}
    for app_id in apps:
        bundles = tuple(reading.holders(task.store, connection.id, app_id))
        shards = sorted({ids.shard_of(b.principal.id, connection.shards) for b in bundles})
        part = Slice(
            connection,
            bundles,
            reading.use(task.store, connection, shards),
            frozenset({app_id}),
            persons=reading.persons(task.store, bundles),
        )
        tallies[app_id] = _tally(task, part).get(app_id, AppTally())
    _used(task, connection, tallies)
    known = {app_id: task.store.apps.view(app_id) for app_id in apps}
    return _judge(task, connection, known, tallies, reading.size(task.store, connection))


def _judge(
    task: Scoring,
    connection: Connection,
    known: Mapping[str, AppView],
    tallies: Mapping[str, AppTally],
    size: int | None,
) -> dict[str, AppSummary]:
    """Judge apps with fresh tallies of one connection, save, and return their rows."""
    store, now = task.store, task.clock.now()
    combined: dict[str, dict[str, StoredTally]] = {}
    for app_id, view in known.items():
        kept = stored_tallies(view.risk.body if view.risk else None)
        combined[app_id] = kept | {connection.id: stored(tallies[app_id], kept.get(connection.id))}
    wanted = {key for parts in combined.values() for tally in parts.values() for key in tally.scope_sets}
    scope_sets = store.apps.scope_sets(wanted)
    around = Around(now, size, store.risk.weights(), store.apps.product_decisions())
    judged: list[Judged] = [
        judge(task.knowledge, view.facts, view, combined[app_id], scope_sets, around)
        for app_id, view in known.items()
        if view.facts is not None
    ]
    save(store, judged, known)
    return {one.row.app_id: one.row for one in judged}


def _apps(work: Work) -> frozenset[str]:
    return frozenset(filter(None, work.body.get("apps", "").split(",")))
