"""What is due in a tenant: runs to carry on, revoked access to look at, administrators' steps to verify."""

from contextlib import suppress
from datetime import datetime
from typing import Final

from lantern.connectors.protocol import Deadline
from lantern.domain.actors import RUN_ACTOR
from lantern.domain.errors import (
    ConflictError,
    InvalidInputError,
    LeaseLostError,
    NotFoundError,
    RevisionConflictError,
)
from lantern.domain.ids import RandomBytes, split_grant_id
from lantern.domain.inventory import Bundle
from lantern.domain.playbooks.loading import Playbooks
from lantern.domain.playbooks.machine import About
from lantern.services.apart import Apart
from lantern.services.playbooks.advance import Playing, advance
from lantern.services.playbooks.requests import Cause, start
from lantern.services.remediation import following, watching
from lantern.services.remediation.watching import LOOK_EVERY
from lantern.store.playbooks import Watch
from lantern.store.tenant import TenantStore

_BY: Final = "system"


def anything_due(store: TenantStore, now: datetime) -> bool:
    """Whether a sweep would find something to do; three small queries of sparse worklists."""
    return bool(
        store.playbooks.due(now) or store.watches.due(now) or store.jobs.left_to_people(now - LOOK_EVERY, 1)
    )


def do_due(task: Playing, books: Playbooks, deadline: Deadline) -> int:
    """Do what is due, as far as time allows; returns how many runs were carried on.

    What is left stays on the worklists: the next sweep goes on. What fails keeps nothing else waiting.

    Raises:
        Exception: the first failure, whatever it was, after all else was done: the message comes again.
    """
    store, now, apart = task.store, task.clock.now(), Apart()
    with apart.one("jobs"):
        following.follow(store, now, apart)
    for listed in store.watches.due(now):
        with apart.one("watched access", listed.grant_id):
            watch = watching.look(store, listed, now)
            if watch is not None:
                if_returned(store, books, watch, now, task.random)
    carried = 0
    for run in store.playbooks.due(now):
        if deadline.passed():
            break
        with apart.one("a run", run.id), suppress(LeaseLostError):
            advance(task, run.id)
            carried += 1
    apart.over()
    return carried


def see_bundle(
    store: TenantStore, books: Playbooks, bundle: Bundle, now: datetime, random: RandomBytes
) -> int:
    """Notice in a bundle just written that revoked access is back; returns how many grants are."""
    back = watching.returned(store, bundle, now)
    for watch in back:
        if_returned(store, books, watch, now, random)
    return len(back)


def if_returned(
    store: TenantStore, books: Playbooks, watch: Watch, now: datetime, random: RandomBytes
) -> None:
    """Put up for approval what the playbook that revoked the access says of its return."""
    pair = split_grant_id(watch.grant_id)
    if watch.then is None or pair is None:
        return
    try:
        start(
            store,
            books.get(watch.then),
            about=About(app_id=pair[1]),
            requested_by=f"{RUN_ACTOR}{watch.run_id}" if watch.run_id else _BY,
            reason="Access that was revoked came back.",
            propose=True,
            cause=Cause(("returned", watch.grant_id, watch.job_id), watch.revoked_at),
            now=now,
            random=random,
        )
    except RevisionConflictError:
        raise
    except (ConflictError, InvalidInputError, NotFoundError) as error:
        watching.log.warning("not put up", extra={"grant": watch.grant_id, "why": str(error)})
