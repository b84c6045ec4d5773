"""Messages whose worker dies: how the world is before, which message it is, and what is true at the end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lantern.domain import ids
from lantern.domain.errors import LeaseLostError
from lantern.domain.findings import FindingStatus
from lantern.domain.jobs import Guards, Selector
from lantern.domain.use import UseWindow
from lantern.domain.work import Work
from lantern.services import remediation
from lantern.services.discovery.use import HISTORY, SETTLED
from tests.functional.crash import playing
from tests.support.google_world import CUSTOMER
from tests.support.lab import Lab

DRIVE = "https://www.googleapis.com/auth/drive"


@dataclass(frozen=True)
class Scenario:
    """`prepare` makes the world and returns the message; `after` is what happens once it was carried out."""

    name: str
    prepare: Callable[[Lab], Work]
    after: Callable[[Lab], None] = Lab.settle


def work(lab: Lab, kind: Any, **body: str) -> Work:
    """A message of this tenant's connection."""
    return Work(lab.store.tenant_id, kind, lab.connection_id, body)


def people(lab: Lab) -> list[Any]:
    """Everybody but the administrator who gave consent."""
    return [user for user in lab.world.org.users if user is not lab.world.org.admin]


def settled(lab: Lab) -> None:
    """A first load, done with everything that follows, and half an hour."""
    lab.full()
    lab.clock.forward(minutes=30)


def changed(lab: Lab) -> None:
    """One grant more, one wider, one less."""
    first, second = people(lab)[:2]
    control = lab.world.control
    control.grant(first.id, "ChatGPT", scopes=[DRIVE])
    held = lab.world.org.grants.held_by(second)
    control.grant(second.id, client_id=held[0].client_id, scopes=[DRIVE])
    control.revoke(second.id, held[1].client_id)


def little_use_unread(lab: Lab) -> datetime:
    """Only the oldest ten days of use, and what is new, are left to read; returns where history begins."""
    floor = lab.connection.connected_at - HISTORY
    known = UseWindow(floor + timedelta(days=10), lab.clock.now() - SETTLED)
    lab.store.use.set_window(lab.connection_id, known)
    return floor


def first_run(lab: Lab) -> Work:
    """Use is known but for a day and ten: how half a year of it is read is the scenario of its own."""
    little_use_unread(lab)
    return work(lab, "connection.full")


def later_run(lab: Lab) -> Work:
    settled(lab)
    changed(lab)
    lab.world.set_state(people(lab)[2], "deleted")
    return work(lab, "connection.full")


def hint(lab: Lab) -> Work:
    settled(lab)
    changed(lab)
    return work(lab, "bundle.read", native_id=people(lab)[1].id)


def changes(lab: Lab) -> Work:
    settled(lab)
    changed(lab)
    user = people(lab)[0]
    for grant in lab.world.org.grants.held_by(user):
        lab.world.control.use(user.id, grant.client_id)
    lab.world.control.delegate("1234567890", [DRIVE])
    lab.clock.forward(hours=3)
    return work(lab, "connection.changes")


def use(lab: Lab) -> Work:
    """A day forward and ten days back are left to read; reading 24 weeks more would say nothing new."""
    lab.do(work(lab, "connection.full"))
    lab.sent.clear()
    floor = little_use_unread(lab)
    lab.clock.forward(days=1)
    user = people(lab)[0]
    for grant in lab.world.org.grants.held_by(user):
        for days in (1, 2, 9, 180.5):
            at = (floor + timedelta(days=days)).timestamp()
            lab.world.control.use(user.id, grant.client_id, at=at)
    return work(lab, "connection.use")


def score_run(lab: Lab) -> Work:
    lab.do(work(lab, "connection.full"))
    lab.sent.clear()
    for item, _ in list(lab.store.outbox.due(lab.clock.now() + timedelta(days=1))):
        lab.store.outbox.delete(item)
    return work(lab, "score.run")


def score_bundle(lab: Lab) -> Work:
    settled(lab)
    changed(lab)
    native_id = people(lab)[1].id
    lab.do(work(lab, "bundle.read", native_id=native_id))
    return work(lab, "score.bundle", principal=ids.principal_id("google", CUSTOMER, native_id))


def revoke(lab: Lab) -> Work:
    settled(lab)
    first, second = people(lab)[:2]
    chosen = tuple(
        ids.grant_id(ids.principal_id("google", CUSTOMER, user.id), ids.app_id("google", grant.client_id))
        for user in (first, second)
        for grant in lab.world.org.grants.held_by(user)[:1]
    )
    job = remediation.request_job(
        lab.store,
        requested_by="key_a",
        selector=Selector(grant_ids=chosen),
        dry_run=False,
        guards=Guards(max_percent=100, approve_above=10),
        now=lab.clock.now(),
        random=lab.rng.randbytes,
    )
    assert job.state == "approved"
    lab.drain_outbox()
    return lab.sent.pop()


def due(lab: Lab) -> None:
    """The sweeps of the next hour find what no message told of."""
    _patiently(lab)
    for _ in range(3):
        lab.clock.forward(minutes=20)
        lab.sent += [Work(lab.store.tenant_id, "playbook.due"), Work(lab.store.tenant_id, "outreach.due")]
        _patiently(lab)


def _patiently(lab: Lab) -> None:
    """Every message until there is none; one about what somebody holds comes again after a while."""
    for _ in range(200):
        lab.drain_outbox()
        if not lab.sent:
            return
        work = lab.sent.pop(0)
        try:
            lab.do(work)
        except LeaseLostError:
            lab.clock.forward(seconds=20)
            lab.sent.append(work)
    raise AssertionError("messages beget messages")


SCENARIOS = [
    *(
        Scenario(make.__name__, make)
        for make in (first_run, later_run, hint, changes, use, score_run, score_bundle, revoke)
    ),
    *(Scenario(make.__name__, make, due) for make in playing.PLAYED),
]


def outcome(lab: Lab) -> dict[str, Any]:
    """Everything that must not depend on whether a worker died: no random ids, no instants."""
    store, cid = lab.store, lab.connection_id
    now = lab.clock.now()
    year = timedelta(days=365)
    weeks = {
        (row[0], row[1]): seen
        for week in sorted({f"{(now - timedelta(days=d)).date():%G-W%V}" for d in range(190)})
        for row, seen in _week(lab, week)
    }
    window = store.use.window(cid)
    return {
        "bundles": {b.principal.id: (b.principal, b.grants) for b in store.bundles.all(cid)},
        "footprints": {app.id: store.footprints.holders(cid, app.id) for app in store.apps.all_facts()},
        "history": sorted(
            (e.principal_id, e.app_id, e.kind, e.before or "", e.after or "")
            for e in store.history.read(cid, now - year, now + year)
        ),
        "findings": {
            f.id: (f.status, f.severity, tuple((a.id, a.state) for a in f.affected))
            for f in store.findings.page(None, 500).items
            # Messages come in any order: scoring between two readings of use opens what the second resolves.
            if (f.rule_id, f.status) != ("stale-grant", FindingStatus.RESOLVED)
        },
        "apps": sorted((r.app_id, r.holders, r.risk, r.verdict, r.last_used) for r in store.apps.summary()),
        "use": weeks,
        "last_use": {k: dict(v) for k, v in store.use.last_use(cid, 0, 1).items()},
        "use_from": window.complete_from.date() if window else None,
        "use_until": window.complete_until.date() if window else None,
        "audit": sorted(_logged(lab)),
        # A crash between two targets of a step may split the job of a playbook in two.
        "jobs": [
            (j.state, j.counts)
            for j in store.jobs.page(50).items
            if not j.requested_by.startswith("playbook:")
        ],
        "runs": [(r.state, r.coverage.listed) for r in store.runs.list(cid, 50).items],
        "delegations": [(d.client_id, d.scopes, len(d.history)) for d in store.delegations.list(cid)],
        "channels": sorted(c.event for c in store.channels.list(cid) if c.resource_id),
        "provider": lab.world.truth(),
        "deletions": sum(1 for c in lab.world.org.grants.changes if c.scopes is None),
        **playing.played(lab),
    }


def _logged(lab: Lab) -> Iterator[tuple[str, str, str]]:
    """The audit log without ids that differ; of the jobs of playbooks only that there was one."""
    ours = {one.subject for one in lab.store.audit.entries() if one.actor.startswith("playbook:")}
    seen = set()
    for one in lab.store.audit.entries():
        line = (
            one.action,
            one.subject if one.action.startswith("grant") else "",
            one.detail.get("state", ""),
        )
        if one.action.startswith("job.") and one.subject in ours:
            if line in seen:
                continue
            seen.add(line)
        yield line


def _week(lab: Lab, week: str) -> list[tuple[tuple[str, str, str], Any]]:
    shards = lab.connection.shards
    return [
        ((week, pid, app), seen)
        for shard in range(shards)
        for pid, apps in lab.store.use.week(lab.connection_id, week, shard, shards).items()
        for app, seen in apps.items()
    ]
