"""How a tenant guides its people: how often it asks, how long it waits, who decides. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from lantern.domain.errors import InvalidInputError

MOST_A_WEEK: Final = 10
MOST_DAYS: Final = 365
MOST_OWNERS: Final = 2_000


@dataclass(frozen=True, slots=True)
class GuidancePolicy:
    """What the tenant set.

    `weekly_nudges` is the most questions one person gets within any seven days. `answer_days` is how long a
    question may be answered, `review_days` for how long what somebody keeps is not asked about again.
    `reviewers` are person ids who decide on requests where nobody answers for the tool, `request_hours` how
    long they have before `escalate_to` is told too. `policy_url` is the acceptable-use policy that people are
    asked to acknowledge. `owners` names who answers for a tool: product or app id → person id.
    """

    weekly_nudges: int = 2
    answer_days: int = 7
    review_days: int = 90
    request_hours: int = 48
    reviewers: tuple[str, ...] = ()
    escalate_to: tuple[str, ...] = ()
    policy_url: str | None = None
    owners: Mapping[str, str] = field(default_factory=dict)
    rev: int = 0

    @property
    def review(self) -> timedelta:
        """For how long a kept tool is not asked about again."""
        return timedelta(days=self.review_days)

    @property
    def sla(self) -> timedelta:
        """How long a request may wait for its reviewers."""
        return timedelta(hours=self.request_hours)


def checked(policy: GuidancePolicy) -> GuidancePolicy:
    """The settings, if they make sense.

    Raises:
        InvalidInputError: one is out of bounds.
    """
    bounds = (
        ("weekly_nudges", policy.weekly_nudges, 1, MOST_A_WEEK),
        ("answer_days", policy.answer_days, 1, 60),
        ("review_days", policy.review_days, 1, MOST_DAYS),
        ("request_hours", policy.request_hours, 1, 24 * 30),
    )
    for name, value, least, most in bounds:
        if not least <= value <= most:
            raise InvalidInputError(name, f"Send a number from {least} to {most}.")
    return policy
