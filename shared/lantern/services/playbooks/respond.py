"""What rules name as their response: one that enforces starts the playbook, one that observes proposes it."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lantern.domain.errors import ConflictError, InvalidInputError, NotFoundError, RevisionConflictError
from lantern.domain.findings import EventKind, Finding, FindingEvent, FindingStatus
from lantern.domain.ids import RandomBytes
from lantern.domain.playbooks.loading import Playbooks
from lantern.domain.playbooks.machine import About
from lantern.domain.playbooks.model import Playbook
from lantern.domain.rules.model import Rule, RuleSet
from lantern.domain.rules.vocabulary import GroupBy, Stage
from lantern.services.playbooks.requests import Cause, start
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

FIRST_DAY: Final = timedelta(days=1)
"""What the first reading of an organisation finds is looked at by people before anything starts by itself."""
_RECENT: Final = 100
_OPENED: Final = frozenset({EventKind.OPENED, EventKind.REOPENED})


@dataclass(frozen=True, slots=True)
class Opened:
    """A finding that has just opened, and when."""

    finding: Finding
    at: datetime


def opened(finding: Finding, events: Iterable[FindingEvent]) -> Opened | None:
    """The finding, where these events opened it."""
    at = next((one.at for one in events if one.kind in _OPENED), None)
    return Opened(finding, at) if at is not None and finding.status is FindingStatus.OPEN else None


def respond(
    store: TenantStore,
    books: Playbooks,
    rules: RuleSet,
    found: Sequence[Opened],
    *,
    since: datetime,
    now: datetime,
    random: RandomBytes,
) -> int:
    """Start or propose the playbooks that rules name for findings that have just opened; returns how many.

    Beyond `max_open` open runs of a playbook further ones are proposed only. Nothing happens on the first
    day after `since`, when the connection was made: its findings wait for people.
    """
    wanted = [pair for one in found if (pair := _wanted(books, rules, one)) is not None]
    if not wanted or now < since + FIRST_DAY:
        return 0
    running = Counter(one.book.id for one in store.playbooks.page(_RECENT).items if one.state == "running")
    begun = 0
    for one, rule, book in wanted:
        enforce = rule.stage is Stage.ENFORCE and running[book.id] < book.max_open
        if _start(store, book, rule, one, propose=not enforce, now=now, random=random):
            running[book.id] += enforce
            begun += 1
    return begun


def _wanted(books: Playbooks, rules: RuleSet, one: Opened) -> tuple[Opened, Rule, Playbook] | None:
    rule = rules.get(one.finding.rule_id)
    book = books.answering(rule.respond) if rule else None
    return (one, rule, book) if rule is not None and book is not None else None


def _start(
    store: TenantStore,
    book: Playbook,
    rule: Rule,
    one: Opened,
    *,
    propose: bool,
    now: datetime,
    random: RandomBytes,
) -> bool:
    finding = one.finding
    try:
        start(
            store,
            book,
            about=about(book, finding),
            requested_by=f"rule:{rule.id}@{rule.version}",
            others=_authors(store, rule),
            reason=finding.title,
            propose=propose,
            cause=Cause(("finding", finding.id, one.at.isoformat()), one.at),
            now=now,
            random=random,
        )
    except RevisionConflictError:
        raise  # somebody else is at it: the message comes again and finds what came of it
    except (ConflictError, InvalidInputError, NotFoundError) as refused:
        log.info("no run for the finding", extra={"finding": finding.id, "why": str(refused)})
        # A brake keeps it from starting by itself; people may narrow it.
        return (
            not propose
            and isinstance(refused, ConflictError)
            and _start(*(store, book, rule, one), propose=True, now=now, random=random)
        )
    return True


def _authors(store: TenantStore, rule: Rule) -> tuple[str, ...]:
    """Who wrote and set an own rule: who decides when a run starts has asked for it."""
    policy = store.policy.get()
    own, chosen = policy.own.get(rule.id), policy.settings.get(rule.id)
    if own is None:
        return ()
    return tuple(sorted({own.by, chosen.by if chosen else own.by} - {""}))


def about(book: Playbook, finding: Finding) -> About:
    """What a run for a finding is about: the person, the grants that are affected, or the app as a whole."""
    if finding.group.kind is GroupBy.PERSON and "accounts" in book.gathers:
        return About(person_id=finding.group.id)
    if finding.open_items or finding.group.kind is not GroupBy.APP:
        return About(finding_id=finding.id)
    return About(app_id=finding.group.id)
