"""Requests for a tool: who asks for what, who decides by when, and what was decided. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from lantern.domain.actors import alike
from lantern.domain.apps import AppSummary
from lantern.domain.errors import ConflictError, ForbiddenError, InvalidInputError, LanternError

RequestState = Literal["open", "approved", "declined", "withdrawn", "lapsed", "ended"]
Scope = Literal["person", "everyone"]

LONGEST: Final = 1_000
ALTERNATIVES: Final = 5
PATIENCE: Final = timedelta(days=30)
"""What nobody decided for so long after it was escalated has lapsed: the person may ask again."""
DAY: Final = timedelta(days=1)
MOST_A_DAY: Final = 5
"""Tools that one person can ask for within a day."""
_WAITS: Final[frozenset[RequestState]] = frozenset({"open"})


class TooOftenError(LanternError):
    """Somebody asks too often; `remedy` is for them."""

    def __init__(self, remedy: str) -> None:
        super().__init__(remedy)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """One person asks for one tool.

    `name` is the tool in the person's own words; `app_id`, `product_id` and `category` what it was recognised
    as, if it was. `alternatives` are approved apps of the same kind that the person was shown, `reviewers`
    persons. `due` is when they should have decided; `next_at` when something is to be done without them.
    `until` ends what was approved; None is no end.
    """

    id: str
    person_id: str
    name: str
    reason: str
    state: RequestState
    asked_by: str
    created_at: datetime
    due: datetime
    next_at: datetime | None
    app_id: str | None = None
    product_id: str | None = None
    category: str | None = None
    alternatives: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    escalated_at: datetime | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    scope: Scope | None = None
    until: datetime | None = None
    conditions: str = ""
    note: str = ""
    rev: int = 0

    @property
    def open(self) -> bool:
        """Whether it waits for a decision."""
        return self.state in _WAITS


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a reviewer decides. An approval is for the person, or for everyone."""

    approve: bool
    scope: Scope = "person"
    until: datetime | None = None
    conditions: str = ""
    note: str = ""


def words(text: str) -> str:
    """Free text on one line, at most `LONGEST` characters."""
    return " ".join(text.split())[:LONGEST]


def recognise(
    rows: Iterable[AppSummary], name: str, app_id: str | None = None, product_id: str | None = None
) -> AppSummary | None:
    """The app that is meant: by id, else by its exact name; None where that is none or more than one product.

    A name that looks like another tool's is not taken for it: whoever decides sees the words.
    """
    if app_id or product_id:
        return next(
            (row for row in rows if app_id == row.app_id or (product_id and product_id == row.product_id)),
            None,
        )
    wanted = name.casefold()
    found = [
        row
        for row in rows
        if wanted in (row.name.casefold(), (row.product or "").casefold()) and not row.lookalike_of
    ]
    if len({row.product_id or row.app_id for row in found}) != 1:
        return None
    return min(found, key=lambda row: (row.product_evidence is None, row.app_id))


def alternatives(rows: Iterable[AppSummary], row: AppSummary | None) -> tuple[AppSummary, ...]:
    """Approved tools of the same kind, the least risky first, one app a product."""
    if row is None or row.category is None:
        return ()
    found = [
        one
        for one in rows
        if one.status == "approved"
        and one.category == row.category
        and one.app_id != row.app_id
        and (one.product_id is None or one.product_id != row.product_id)
    ]
    ordered = sorted(found, key=lambda one: (one.risk is None, one.risk or 0, -one.holders, one.app_id))
    products: dict[str, AppSummary] = {}
    for one in ordered:
        products.setdefault(one.product_id or one.app_id, one)
    return tuple(products.values())[:ALTERNATIVES]


def owner_of(owners: Mapping[str, str], row: AppSummary | None) -> str | None:
    """Who answers for a tool: by its product, else by the app."""
    if row is None:
        return None
    return owners.get(row.product_id or "") or owners.get(row.app_id)


def decide(
    request: AccessRequest,
    ruling: Ruling,
    by: str,
    now: datetime,
    asked: Collection[str] = (),
    decides: Collection[str] = (),
) -> AccessRequest:
    """The request decided; `asked` and `decides` are who is known to be behind who asked and `by`.

    Raises:
        ConflictError: it is decided or over.
        ForbiddenError: `by`, or the person behind it, asked for it, or it is for that person.
        InvalidInputError: it ends in the past, or cannot be approved as it is.
    """
    if not request.open:
        raise ConflictError(f"the request is {request.state}")
    if alike({request.asked_by, request.person_id, *asked}, {by, *decides}):
        raise ForbiddenError("a request is decided by somebody other than who made it")
    if ruling.until is not None and ruling.until <= now:
        raise InvalidInputError("until", "Send a time in the future.")
    if ruling.approve and ruling.scope == "everyone" and request.app_id is None:
        raise InvalidInputError("scope", "The tool is not known here yet: approve it for the person.")
    return replace(
        request,
        state="approved" if ruling.approve else "declined",
        decided_by=by,
        decided_at=now,
        scope=ruling.scope if ruling.approve else None,
        until=ruling.until if ruling.approve else None,
        conditions=words(ruling.conditions),
        note=words(ruling.note),
        next_at=ruling.until if ruling.approve else None,
    )


def asked(before: Sequence[datetime], now: datetime) -> tuple[datetime, ...]:
    """When somebody asked within a day, with this time.

    Raises:
        TooOftenError: it would be more than `MOST_A_DAY` times.
    """
    recent = tuple(at for at in before if now - DAY < at)
    if len(recent) >= MOST_A_DAY:
        raise TooOftenError(
            f"You have asked for {MOST_A_DAY} tools within a day. Please ask again tomorrow; "
            "what you asked for is being looked at."
        )
    return (*recent, now)


def withdraw(request: AccessRequest, by: str, now: datetime) -> AccessRequest:
    """The request taken back.

    Raises:
        ConflictError: it is decided or over.
    """
    if not request.open:
        raise ConflictError(f"the request is {request.state}")
    return replace(request, state="withdrawn", decided_by=by, decided_at=now, next_at=None)


def pass_time(request: AccessRequest, now: datetime) -> AccessRequest | None:
    """The request as time has changed it: escalated, lapsed, ended; None where it has not."""
    if request.next_at is None or now < request.next_at:
        return None
    if request.state == "approved":
        return replace(request, state="ended", next_at=None)
    if request.open and request.escalated_at is None:
        return replace(request, escalated_at=now, next_at=now + PATIENCE)
    return replace(request, state="lapsed", next_at=None) if request.open else None
