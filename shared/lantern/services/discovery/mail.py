"""Follow the choice to read headers of mail: show that it is allowed, read, or take back what was found.

One chain of messages per connection. A reading goes through all accounts slot by slot; of each mailbox it
looks at the headers of what came in since the last reading, keeps that a person seems to have an account with
an AI product since a day, and notes how far it got. Senders, subjects and ids of messages are kept nowhere,
neither stored nor logged. Hints are stored before the position that leaves their mail behind, and storing
one again changes nothing: a worker may die anywhere and a message may come twice.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Final

import msgspec

from lantern.connectors.mail import MailboxWanted, MailReader, NewMail
from lantern.connectors.protocol import Clock, Deadline, Unread
from lantern.domain import ids
from lantern.domain.audit import NOTHING, AuditEvent, change
from lantern.domain.errors import ConnectorError, LeaseLostError
from lantern.domain.inventory import App, Bundle, Observation, ObservedGrant, Principal
from lantern.domain.mail_reading import EVERY, PREFIX, MailPass, MailReading
from lantern.domain.signup_mail import Recognise, Told
from lantern.domain.tenancy import Connection
from lantern.domain.work import Work
from lantern.services.discovery.bundles import BundleWriter
from lantern.services.discovery.context import Send
from lantern.store.mail import SLOTS, Position
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

CHAIN: Final = "mail"
SCOPE: Final = "mail:sign-up"
AT_ONCE: Final = 100
"""Mailboxes whose positions are noted together: what a crash makes the chain read again, at most."""
_LEASE_TTL_S: Final = 960
_SYSTEM: Final = "system"
NOT_OFFERED: Final = (
    "This installation of Lantern has no service account for reading mail headers. Whoever operates it can "
    "give it one."
)
NOBODY: Final = "No account has been read yet: this goes on after the first full reading."
HOW: Final = (
    "In the Google Admin console, under Security > Access and data control > API controls > Domain-wide "
    "delegation, add this client ID with this one scope. Lantern looks every hour for a week; after that, "
    "ask again."
)


@dataclass(frozen=True, slots=True)
class MailTask:
    """One message's tools. `reader` and `recognise` are made only when there is something to read."""

    store: TenantStore
    connection: Connection
    clock: Clock
    deadline: Deadline
    send: Send
    message_id: str
    reader: Callable[[], MailReader | None]
    recognise: Callable[[], Recognise]
    hop: int = 0


@dataclass(frozen=True, slots=True)
class _Progress:
    slot: int
    made: MailPass


def follow_mail(task: MailTask) -> None:
    """Do what is due for a connection's choice.

    Raises:
        ConnectorError: the provider cannot be asked just now; the message is delivered again.
    """
    store, cid = task.store, task.connection.id
    try:
        lease = store.leases.acquire(cid, CHAIN, task.message_id, _LEASE_TTL_S, task.clock.now())
    except LeaseLostError:
        return
    try:
        reading = store.mail.get(cid)
        if reading is None or not reading.due(task.clock.now()):
            return
        done = _end(task, reading) if reading.state == "ending" else _go_on(task, reading)
    finally:
        # Also after a failure: this message may come again late, the next one must not find the door shut.
        store.leases.release(cid, CHAIN, lease)
    if not done:
        task.send(Work(store.tenant_id, "connection.mail", cid, hop=task.hop + 1), 0)


def _go_on(task: MailTask, reading: MailReading) -> bool:
    """Look whether it is allowed, then read; False when the deadline came first."""
    reader = task.reader()
    now = task.clock.now()
    if reader is None:
        _say(task, replace(reading, state="not_offered", note=NOT_OFFERED, due_at=None))
        return True
    reading = replace(reading, client_id=reader.client_id, permission=reader.permission)
    try:
        if reading.state != "on":
            email = _witness(task)
            if email is None:
                _say(task, replace(reading, state="waiting", note=NOBODY, due_at=reading.next_look(now)))
                return True
            reader.prove(email)
            reading = _say(task, replace(reading, state="on", note=None, due_at=now, proven_at=now))
        return _read_all(task, reading, reader)
    except ConnectorError as error:
        if error.kind != "config":
            raise
        # Asked for anew from here: what was on and is not any more gets its week too.
        since = now if reading.state == "on" else reading.asked_at
        lost = replace(reading, state="waiting", note=f"{error.user_message} {HOW}", asked_at=since)
        _say(task, replace(lost, due_at=lost.next_look(now)))
        return True


def _say(task: MailTask, reading: MailReading) -> MailReading:
    """Store how it stands; a change of state goes into the audit log."""
    store, now = task.store, task.clock.now()
    before = store.mail.get(reading.connection_id)
    unit = store.transact(now).put(store.mail.op(reading))
    if before is None or before.state != reading.state:
        detail = {"connection": reading.connection_id, "state": reading.state}
        detail |= change(before.state if before else NOTHING, reading.state)
        unit = unit.audit(AuditEvent(_SYSTEM, "mail.state", reading.connection_id, detail))
    unit.commit()
    return replace(reading, rev=reading.rev + 1)


def _witness(task: MailTask) -> str | None:
    """Whose mailbox shows that it is allowed: the administrator's who connected, or anybody's."""
    bundles, cid = task.store.bundles, task.connection.id
    by = task.connection.connected_by
    known = bundles.get(cid, by) if by else None
    if known is not None and _readable(known):
        return known.principal.email
    found = (one.principal.email for one in bundles.all(cid) if _readable(one))
    return next(found, None)


def _readable(bundle: Bundle) -> bool:
    """Whether an account has a mailbox to read, and bundles that a hint can be added to.

    Grants that were never read are unknown: with a hint among them they would pass for known.
    """
    one = bundle.principal
    return one.kind == "user" and one.status == "active" and bool(one.email) and bundle.grants is not None


def _read_all(task: MailTask, reading: MailReading, reader: MailReader) -> bool:
    store, cid = task.store, task.connection.id
    raw = store.mail.progress(cid)
    begun = _Progress(0, MailPass(task.clock.now()))
    progress = msgspec.json.decode(raw, type=_Progress) if raw else begun
    recognise = task.recognise()
    while progress.slot < SLOTS:
        made, whole = _read_slot(task, progress, reader, recognise)
        progress = _Progress(progress.slot + whole, made)
        store.mail.put_progress(cid, msgspec.json.encode(progress).decode(), task.clock.now())
        if not whole or (task.deadline.passed() and progress.slot < SLOTS):
            return False
    made, now = progress.made, task.clock.now()
    current = store.mail.get(cid)
    if current is not None and current.state == "on":
        # Of the standing that was read: somebody may have switched it off meanwhile, which stays.
        kept = replace(current, client_id=reading.client_id, permission=reading.permission)
        store.mail.put(replace(kept, last=made, due_at=made.begun_at + EVERY, proven_at=now))
    store.mail.end_progress(cid)
    return True


def _read_slot(
    task: MailTask, progress: _Progress, reader: MailReader, recognise: Recognise
) -> tuple[MailPass, bool]:
    """Read the mailboxes of a slot; what came of it, and whether all of them were reached."""
    store, cid, made = task.store, task.connection.id, progress.made
    number = int(made.begun_at.timestamp())
    known = store.mail.positions(cid, progress.slot)
    accounts = [one.principal for one in store.bundles.shard(cid, progress.slot, SLOTS) if _readable(one)]
    there = {one.id for one in accounts}
    positions = {pid: at for pid, at in known.items() if pid in there}
    left = iter([one for one in accounts if one.id not in known or known[one.id].reading != number])
    while chunk := list(islice(left, AT_ONCE)):
        if task.deadline.passed() or not _still_on(task):
            return made, False
        made = _read_chunk(task, chunk, positions, made, reader, recognise)
        store.mail.put_positions(cid, progress.slot, positions, task.clock.now())
        if any(pid.id not in positions or positions[pid.id].reading != number for pid in chunk):
            return made, False
    if known.keys() - there:  # accounts that are gone
        store.mail.put_positions(cid, progress.slot, positions, task.clock.now())
    return made, True


def _still_on(task: MailTask) -> bool:
    """Whether nobody has switched it off: a reading under way stops within a hundred mailboxes."""
    reading = task.store.mail.get(task.connection.id)
    return reading is not None and reading.state == "on"


def _read_chunk(
    task: MailTask,
    accounts: Sequence[Principal],
    positions: dict[str, Position],
    made: MailPass,
    reader: MailReader,
    recognise: Recognise,
) -> MailPass:
    """Read some mailboxes and store what they hint at; `positions` are moved on for the caller to store."""
    number = int(made.begun_at.timestamp())
    wanted = [
        MailboxWanted(
            one.id, one.email or "", at.cursor if (at := positions.get(one.id)) and at.cursor else None
        )
        for one in accounts
    ]
    reached: dict[str, Position] = {}
    hints: dict[str, dict[str, Told]] = {}
    for outcome in reader.read(wanted, task.deadline):
        before = positions.get(outcome.owner)
        if outcome.mail is None:
            reached[outcome.owner] = Position(before.cursor if before else "", number)
            made = replace(made, unread=made.unread + 1)
            continue
        reached[outcome.owner] = Position(outcome.mail.cursor, number)
        made = _counted(made, outcome.mail)
        for mail in outcome.mail.mails:
            if told := recognise(mail):
                made = replace(made, hints=made.hints + 1)
                hints.setdefault(outcome.owner, {}).setdefault(told.key, told)
    unstored = _store(task, [one for one in accounts if one.id in hints], hints)
    positions.update((pid, at) for pid, at in reached.items() if pid not in unstored)
    return made


def _counted(made: MailPass, mail: NewMail) -> MailPass:
    return replace(
        made,
        mailboxes=made.mailboxes + 1,
        gaps=made.gaps + mail.gap,
        messages=made.messages + len(mail.mails),
    )


def _store(
    task: MailTask, accounts: list[Principal], hints: Mapping[str, Mapping[str, Told]]
) -> frozenset[str]:
    """Add hints to what is known of these accounts; ids of those that time ran out for."""
    if not accounts:
        return frozenset()
    writer = _writer(task, _Hinted(task.store, task.connection, hints))
    tally = writer.refresh(accounts, task.deadline, task.clock.now())
    return frozenset({one.id for one in accounts} - (tally.reached - tally.unread.keys()))


def _writer(task: MailTask, bundles: "_Hinted | _Without") -> BundleWriter:
    return BundleWriter(
        task.store, bundles, task.connection, cause="hint", indexed=True, baseline=False, clock=task.clock.now
    )


@dataclass(frozen=True, slots=True)
class _Hinted:
    """Accounts as they are stored, with what their mail hints at; reads like a connector."""

    store: TenantStore
    connection: Connection
    hints: Mapping[str, Mapping[str, Told]]

    def read(self, principals: Sequence[Principal], deadline: Deadline) -> Iterator[Observation | Unread]:
        """What is known stays: of no source is all read, so nothing is removed."""
        for bundle in _stored(self.store, self.connection, principals, deadline):
            fresh = tuple(
                grant
                for told in self.hints[bundle.principal.id].values()
                # A second message moves no date, and a message says less than whatever else is known.
                if bundle.grant((grant := _grant(self.connection, told)).app.id) is None
            )
            yield Observation(bundle.principal, fresh, sources=frozenset())


@dataclass(frozen=True, slots=True)
class _Without:
    """Accounts as they are stored, without what their mail hinted at; reads like a connector."""

    store: TenantStore
    connection: Connection

    def read(self, principals: Sequence[Principal], deadline: Deadline) -> Iterator[Observation | Unread]:
        """All of the source is read, and it says nothing any more."""
        for bundle in _stored(self.store, self.connection, principals, deadline):
            yield Observation(bundle.principal, (), sources=frozenset({"mail"}))


def _stored(
    store: TenantStore, connection: Connection, principals: Sequence[Principal], deadline: Deadline
) -> Iterator[Bundle]:
    """Their bundles with grants that are known."""
    found = store.bundles.batch_get(connection.id, [one.id for one in principals])
    for bundle in found.values():
        if deadline.passed():
            return
        if bundle.grants is not None:
            yield bundle


def _grant(connection: Connection, told: Told) -> ObservedGrant:
    client = f"{PREFIX}{told.key}"
    app = App(
        ids.app_id(connection.provider, client),
        connection.provider,
        client,
        told.name,
        "account",
        domains=told.domains,
    )
    return ObservedGrant(app, frozenset({SCOPE}), told.on, source="mail")


def _end(task: MailTask, reading: MailReading) -> bool:
    """Take back what was found and forget how far mailboxes were read; False when the deadline came first."""
    store, cid = task.store, task.connection.id
    held = (
        one.principal
        for one in store.bundles.all(cid)
        if any(grant.source == "mail" for grant in one.grants or ())
    )
    while chunk := list(islice(held, AT_ONCE)):
        tally = _writer(task, _Without(store, task.connection)).refresh(
            chunk, task.deadline, task.clock.now()
        )
        if len(tally.reached) < len(chunk):
            return False
    store.mail.forget(cid)
    _say(task, replace(reading, state="off", note=None, due_at=None, last=None, proven_at=None))
    return True


def wake_mail(store: TenantStore, connection: Connection, now: datetime) -> Work | None:
    """The message that is due for a connection's choice; None where there is nothing to do."""
    reading = store.mail.get(connection.id) if connection.mail else None
    if reading is None or not reading.due(now):
        return None
    return Work(store.tenant_id, "connection.mail", connection.id, cause="schedule")
