"""Questions to employees about one tool each: what is asked, what may be answered, what follows. Pure.

A nudge guides instead of blocking. It is asked of the person who holds the access, never of a leaver, and
never at an account that several use or nobody does. Silence has an outcome too, and the question says which.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from lantern.domain.errors import ConflictError, InvalidInputError
from lantern.domain.inventory import Principal

NudgeKind = Literal[
    "still_need", "what_for", "use_instead", "delete_account", "fewer_scopes", "acknowledge", "rotate"
]
NudgeState = Literal["queued", "sent", "answered", "expired", "withdrawn"]
NudgeAnswer = Literal[
    "keep", "revoke", "switch", "deleted", "reconnected", "acknowledged", "rotated", "not_mine"
]
Silence = Literal["keep", "revoke", "escalate"]
"""What silence does: nothing, take the access away, or tell whoever answers for the tool."""
Unasked = Literal["left", "shared_account", "service_account", "organisation", "excepted", "no_access"]
"""Why somebody is not asked: see `UNASKED` for who is instead."""

WEEK: Final = timedelta(days=7)
DAY: Final = timedelta(days=1)
LONGEST_REASON: Final = 1_000

ANSWERS: Final[Mapping[NudgeKind, tuple[NudgeAnswer, ...]]] = {
    "still_need": ("keep", "revoke", "not_mine"),
    "what_for": ("keep", "revoke", "not_mine"),
    "use_instead": ("switch", "keep", "not_mine"),
    "delete_account": ("deleted", "keep", "not_mine"),
    "fewer_scopes": ("reconnected", "revoke", "keep"),
    "acknowledge": ("acknowledged",),
    "rotate": ("rotated", "not_mine"),
}
"""What each question may be answered with, the most wanted answer first."""
SILENCE: Final[Mapping[NudgeKind, Silence]] = {
    "still_need": "revoke",
    "what_for": "escalate",
    "use_instead": "escalate",
    "delete_account": "escalate",
    "fewer_scopes": "escalate",
    "acknowledge": "escalate",
    "rotate": "escalate",
}
"""What silence does where who asks says nothing else."""
UNASKED: Final[Mapping[Unasked, str]] = {
    "left": "The person left; nobody is asked. Offboarding takes the access away.",
    "shared_account": "Several people use the account; nobody is asked. The owner of the tool decides.",
    "service_account": "No person is behind the account; nobody is asked. Its owner decides.",
    "organisation": "The whole organisation holds the access; nobody is asked. An administrator decides.",
    "excepted": "The person was allowed to keep it until a date; nobody is asked before.",
    "no_access": "The account no longer has the access; there is nothing to ask.",
}
REASONED: Final[frozenset[NudgeAnswer]] = frozenset({"keep"})
"""Answers that need a reason."""
REVOKING: Final[frozenset[NudgeAnswer]] = frozenset({"revoke", "switch", "not_mine"})
"""Answers after which the access is taken away."""
CHECKED: Final[frozenset[NudgeAnswer]] = frozenset({"deleted", "reconnected"})
"""Answers believed once the account was read again. A renewed key shows nowhere: there the word stands."""
URGENT: Final[frozenset[NudgeKind]] = frozenset({"rotate"})
"""Kinds that go out first where a person's week has room for one only; the cap holds for them too."""
OPEN: Final[frozenset[NudgeState]] = frozenset({"queued", "sent"})

_NEXT: Final[Mapping[NudgeState, frozenset[NudgeState]]] = {
    "queued": frozenset({"sent", "withdrawn", "expired"}),
    "sent": frozenset({"answered", "expired", "withdrawn"}),
    "answered": frozenset(),
    "expired": frozenset(),
    "withdrawn": frozenset(),
}


@dataclass(frozen=True, slots=True)
class Nudge:
    """One question to one person about one app.

    `origin` names who asks (`playbook:<run id>.<step>`, `incident:<id>`, a key's id): where it starts with
    one of `OWNERS`, whatever follows from the answer is left to that one. `due` is when silence counts as the
    answer; `next_at` when something is to be done without one: send it, or end it. `alternative` is the app
    to use instead. `grant_id` is None where the question is about no tool. `sent_via` is None until a channel
    took it. `exception_id` and `job_id` are what the answer led to, at `followed_at`. `scope_set` is what the
    app could do when it was asked. `looks` counts how often the account is looked at after an answer that is
    to be checked, 0 when that is over; `verified` is what came out.
    """

    id: str
    person_id: str
    principal_id: str
    connection_id: str
    app_id: str
    kind: NudgeKind
    state: NudgeState
    silence: Silence
    origin: str
    created_at: datetime
    next_at: datetime
    days: int
    grant_id: str | None = None
    product_id: str | None = None
    alternative: str | None = None
    note: str = ""
    due: datetime | None = None
    sent_at: datetime | None = None
    sent_via: str | None = None
    answer: NudgeAnswer | None = None
    reason: str = ""
    answered_at: datetime | None = None
    answered_via: str | None = None
    closed_at: datetime | None = None
    exception_id: str | None = None
    job_id: str | None = None
    delivery_id: str | None = None
    scope_set: str | None = None
    followed_at: datetime | None = None
    looks: int = 0
    verified: bool | None = None
    rev: int = 0

    @property
    def waiting(self) -> bool:
        """Whether something is to be done at `next_at`: it is open, or what was said is looked after."""
        return self.open or self.looks > 0

    @property
    def open(self) -> bool:
        """Whether it waits to be sent or answered."""
        return self.state in OPEN

    @property
    def owned(self) -> bool:
        """Whether who asked does what follows from the answer."""
        return self.origin.partition(":")[0] in OWNERS


OWNERS: Final[frozenset[str]] = frozenset({"playbook"})
"""Who does what follows from an answer by itself."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What one person was asked: when in the last week, and what is open.

    `sent` and `asked` (for a tool, by the person) are times, `linked` when the person last had the address of
    their page sent, `escalated` when they were or will be told last of questions of others that wait for
    their decision. `open` maps
    `<app id>/<kind>` to the nudge. Whoever asks writes it on its revision: two who ask at once cannot both
    find room.
    """

    person_id: str
    sent: tuple[datetime, ...] = ()
    open: Mapping[str, str] | None = None
    asked: tuple[datetime, ...] = ()
    linked: datetime | None = None
    escalated: datetime | None = None
    rev: int = 0

    def holder(self, app_id: str, kind: NudgeKind) -> str | None:
        """The open nudge of this kind about this app."""
        return (self.open or {}).get(subject(app_id, kind))


def subject(app_id: str, kind: NudgeKind) -> str:
    """Under which name an open nudge stands in its person's ledger."""
    return f"{app_id}/{kind}"


def room(ledger: Ledger, now: datetime, cap: int) -> datetime:
    """When the person may be asked next: `now`, or when enough of what was sent is a week old.

    Args:
        ledger: what was sent.
        now: current time.
        cap: most nudges within any seven days, at least 1.
    """
    within = sorted(at for at in ledger.sent if at > now - WEEK)
    return now if len(within) < cap else within[len(within) - cap] + WEEK


def opened(ledger: Ledger, nudge: Nudge) -> Ledger:
    """The ledger with a nudge that is open."""
    return replace(ledger, open={**(ledger.open or {}), subject(nudge.app_id, nudge.kind): nudge.id})


def closed(ledger: Ledger, nudge: Nudge) -> Ledger:
    """The ledger without a nudge that is no longer open."""
    rest = {name: one for name, one in (ledger.open or {}).items() if one != nudge.id}
    return replace(ledger, open=rest)


def counted(ledger: Ledger, now: datetime) -> Ledger:
    """The ledger with one more nudge sent at `now`.

    What is older than two weeks is forgotten: one week would do, were clocks never set back.
    """
    return replace(ledger, sent=(*(at for at in ledger.sent if at > now - 2 * WEEK), now))


@dataclass(frozen=True, slots=True)
class Silent:
    """A question of somebody else that waits for one person's decision, since `at`."""

    nudge_id: str
    at: datetime


def turned_to(ledger: Ledger, now: datetime) -> tuple[Ledger, datetime | None]:
    """The ledger of somebody who is turned to about a silent question, and when to tell them.

    None where they will be told anyway.

    At once the first time, then once a day at most, of all that came meanwhile: a hundred people who do not
    answer are not a hundred messages.
    """
    last = ledger.escalated
    if last is not None and last > now:
        return ledger, None
    at = now if last is None or last + DAY <= now else last + DAY
    return replace(ledger, escalated=at), at


def unasked(principal: Principal, *, departed: bool) -> Unasked | None:
    """Why the bearer of an account is not asked; None where they may be."""
    if principal.kind == "shared":
        return "shared_account"
    if principal.kind in ("group", "organisation"):
        return "organisation"
    if principal.kind == "service":
        return "service_account"
    return "left" if departed or principal.departed else None


def _move(nudge: Nudge, state: NudgeState) -> Nudge:
    if state not in _NEXT[nudge.state]:
        raise ConflictError(f"a question that is {nudge.state} cannot become {state}")
    return replace(nudge, state=state)


def postpone(nudge: Nudge, until: datetime) -> Nudge:
    """The nudge once more in the queue until `until`."""
    return replace(nudge, next_at=until)


def send(nudge: Nudge, now: datetime) -> Nudge:
    """The nudge handed to the channels; from now on silence counts.

    Raises:
        ConflictError: it is not queued.
    """
    due = now + timedelta(days=nudge.days)
    return replace(_move(nudge, "sent"), sent_at=now, due=due, next_at=due)


def answer(nudge: Nudge, given: NudgeAnswer, *, reason: str, via: str, now: datetime) -> Nudge:
    """The nudge with its answer.

    Raises:
        ConflictError: it was answered, has expired or was withdrawn, or was never sent.
        InvalidInputError: the question has no such answer, or the answer needs a reason.
    """
    if nudge.state == "sent" and nudge.due is not None and now >= nudge.due:
        raise ConflictError("the question has expired")
    moved = _move(nudge, "answered")
    if given not in ANSWERS[nudge.kind]:
        raise InvalidInputError("answer", f"Answer with one of: {', '.join(ANSWERS[nudge.kind])}.")
    words = " ".join(reason.split())[:LONGEST_REASON]
    if given in REASONED and not words:
        raise InvalidInputError("reason", "Say in a few words what you use it for.")
    return replace(moved, answer=given, reason=words, answered_via=via, answered_at=now, closed_at=now)


def expire(nudge: Nudge, now: datetime) -> Nudge:
    """The nudge ended by silence.

    Raises:
        ConflictError: it is closed.
    """
    return replace(_move(nudge, "expired"), closed_at=now)


def withdraw(nudge: Nudge, now: datetime) -> Nudge:
    """The nudge taken back: there is nothing to ask any more.

    Raises:
        ConflictError: it is closed.
    """
    return replace(_move(nudge, "withdrawn"), closed_at=now)
