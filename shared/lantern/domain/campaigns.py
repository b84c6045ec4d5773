"""Reviews of access: what is looked at, who decides on which grant, by when, and what silence means. Pure."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from lantern.domain.errors import ConflictError, InvalidInputError
from lantern.domain.inventory import Bundle, Grant
from lantern.domain.scopes import DataClass

CampaignState = Literal["building", "open", "closing", "closed", "cancelled"]
ReviewBy = Literal["owner", "manager", "named"]
Decision = Literal["keep", "revoke"]

MOST_ITEMS: Final = 5_000
MOST_DAYS: Final = 90
AGAIN: Final = timedelta(hours=1)
"""When work that was not finished is asked for again."""
LONGEST: Final = 1_000


@dataclass(frozen=True, slots=True)
class CampaignScope:
    """Which grants are reviewed: those that are in every one of the lists that is not empty.

    `org_units` are paths as the directory names them; what is below one is in it. `person_ids` are those
    persons; `manager_ids` those who report to one of these, as the directory says.
    """

    app_ids: tuple[str, ...] = ()
    product_ids: tuple[str, ...] = ()
    data_classes: tuple[DataClass, ...] = ()
    org_units: tuple[str, ...] = ()
    person_ids: tuple[str, ...] = ()
    manager_ids: tuple[str, ...] = ()

    def holds(
        self,
        bundle: Bundle,
        grant: Grant,
        product_id: str | None,
        reached: Collection[DataClass],
        manager_id: str | None = None,
    ) -> bool:
        """Whether a grant is in it; `manager_id` is whom its bearer reports to, if that is known."""
        unit = bundle.principal.org_unit
        return (
            (not self.app_ids or grant.app_id in self.app_ids)
            and (not self.product_ids or product_id in self.product_ids)
            and (not self.data_classes or not set(self.data_classes).isdisjoint(reached))
            and (not self.org_units or any(_within(unit, one) for one in self.org_units))
            and (not self.person_ids or bundle.principal.person_id in self.person_ids)
            and (not self.manager_ids or manager_id in self.manager_ids)
        )

    @property
    def empty(self) -> bool:
        """Whether it names nothing: then everything would be reviewed."""
        groups = (self.org_units, self.person_ids, self.manager_ids)
        return not (self.app_ids or self.product_ids or self.data_classes or any(groups))


def _within(unit: str | None, parent: str) -> bool:
    return unit is not None and (unit == parent or unit.startswith(parent.rstrip("/") + "/"))


@dataclass(frozen=True, slots=True)
class CampaignCounts:
    """How far it has come, in grants. `silent` are those that the silence outcome decided."""

    items: int = 0
    keep: int = 0
    revoke: int = 0
    silent: int = 0

    @property
    def undecided(self) -> int:
        """Grants that nobody has decided on."""
        return self.items - self.keep - self.revoke


@dataclass(frozen=True, slots=True)
class Campaign:
    """One review.

    `reviewers` are persons: all decide on everything (`named`), or on what nobody answers for (`owner`,
    `manager`). Nobody decides on their own access. `opened_at` is when its grants were found. `next_at` is
    when something is to be done: remind, close. `jobs` holds the job that takes away what was not
    kept; `refused` says why it could not be asked for.
    """

    id: str
    name: str
    state: CampaignState
    scope: CampaignScope
    review_by: ReviewBy
    reviewers: tuple[str, ...]
    silence: Decision
    created_by: str
    created_at: datetime
    due: datetime
    next_at: datetime | None
    remind_days: int = 3
    opened_at: datetime | None = None
    reminded_at: datetime | None = None
    counts: CampaignCounts = CampaignCounts()
    jobs: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    closed_by: str | None = None
    closed_at: datetime | None = None
    problem: str | None = None
    rev: int = 0


@dataclass(frozen=True, slots=True)
class CampaignItem:
    """One grant under review; `id` is the grant's. `by` is the decider, `silence` where nobody was."""

    id: str
    campaign_id: str
    connection_id: str
    principal_id: str
    person_id: str
    app_id: str
    scope_set: str
    reviewers: tuple[str, ...] = ()
    decision: Decision | None = None
    by: str | None = None
    at: datetime | None = None
    reason: str = ""
    rev: int = 0


SILENCE: Final = "silence"
"""The decider of what nobody decided on."""


def checked(campaign: Campaign) -> Campaign:
    """The campaign, if it makes sense.

    Raises:
        InvalidInputError: it reviews nothing in particular, or is due at no good time.
    """
    if campaign.scope.empty:
        raise InvalidInputError(
            "scope", "Name apps, products, kinds of data, org units, persons or managers."
        )
    left = campaign.due - campaign.created_at
    if not timedelta(hours=1) <= left <= timedelta(days=MOST_DAYS):
        raise InvalidInputError("due", f"Send a time from one hour to {MOST_DAYS} days from now.")
    return campaign


def opened(campaign: Campaign, items: int, now: datetime) -> Campaign:
    """The campaign with its grants found."""
    remind = campaign.due - timedelta(days=campaign.remind_days)
    return replace(
        campaign,
        state="open",
        counts=CampaignCounts(items=items),
        opened_at=now,
        next_at=remind if remind > now else campaign.due,
    )


def decided(item: CampaignItem, decision: Decision, *, by: str, reason: str, now: datetime) -> CampaignItem:
    """The grant decided on; another decision replaces the first while the review is open."""
    words = " ".join(reason.split())[:LONGEST]
    return replace(item, decision=decision, by=by, at=now, reason=words)


def counted(counts: CampaignCounts, before: CampaignItem, after: CampaignItem) -> CampaignCounts:
    """The counts after a decision on one grant."""
    moved = {"keep": counts.keep, "revoke": counts.revoke}
    if before.decision is not None:
        moved[before.decision] -= 1
    if after.decision is not None:
        moved[after.decision] += 1
    silent = counts.silent + (after.by == SILENCE) - (before.by == SILENCE)
    return replace(counts, keep=moved["keep"], revoke=moved["revoke"], silent=silent)


def closing(campaign: Campaign, by: str, now: datetime) -> Campaign:
    """The campaign that takes no more decisions.

    Raises:
        ConflictError: it is not open.
    """
    if campaign.state != "open":
        raise ConflictError(f"the review is {campaign.state}")
    return replace(campaign, state="closing", closed_by=by, closed_at=now, next_at=now + AGAIN)


def cancelled(campaign: Campaign, by: str, now: datetime) -> Campaign:
    """The campaign given up: nothing is taken away.

    Raises:
        ConflictError: it is over.
    """
    if campaign.state not in ("building", "open"):
        raise ConflictError(f"the review is {campaign.state}")
    return replace(campaign, state="cancelled", closed_by=by, closed_at=now, next_at=None)
