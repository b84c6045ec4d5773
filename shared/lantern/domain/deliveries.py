"""The life of a delivery: claimed, tried, tried again later, given up. Pure.

The schedule is that of Standard Webhooks' recommendations, for people's channels too; what people did not get
within a day is no news any more and is given up.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from lantern.domain.messages import MAX_ATTEMPTS_KEPT, Attempt, AttemptOutcome, Delivery

Luck = Callable[[], float]
"""A number in [0, 1)."""

LEASE: Final = timedelta(minutes=3)
"""For how long one worker has a delivery to itself; longer than any attempt lasts."""
DELAYS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
)
"""Between one attempt and the next; the last one repeats."""
JITTER: Final = 0.1
"""Each delay gets up to this part of itself on top, so that a receiver that comes back is not stormed."""
EVENTS_FOR: Final = timedelta(days=3)
PEOPLE_FOR: Final = timedelta(days=1)


def is_due(delivery: Delivery, now: datetime) -> bool:
    """Whether an attempt is to be made now."""
    return delivery.state == "pending" and delivery.next_at is not None and delivery.next_at <= now


def claimed(delivery: Delivery, now: datetime) -> Delivery:
    """The delivery in the hands of one worker. Where that dies, it is due again when the lease is over.

    A worker that died between sending and writing so down has sent: people may then get a message twice,
    systems get the same id twice.
    """
    return replace(delivery, next_at=now + LEASE, tries=delivery.tries + 1)


def attempted(
    delivery: Delivery,
    attempt: Attempt,
    luck: Luck,
    *,
    retry_after_s: float | None = None,
    reference: str = "",
) -> Delivery:
    """The delivery after an attempt: sent, due again, or given up.

    Args:
        delivery: as claimed.
        attempt: what became of it.
        luck: for the jitter.
        retry_after_s: what the receiver asked for; never shortens a delay.
        reference: the channel's own id of the message.
    """
    kept = (*delivery.attempts, attempt)[-MAX_ATTEMPTS_KEPT:]
    tried = replace(delivery, attempts=kept, next_at=None)
    if attempt.outcome == "sent":
        return replace(tried, state="sent", reference=reference)
    following = next_attempt(delivery, attempt.at, luck, retry_after_s)
    if attempt.outcome == "refused" or following is None:
        return replace(tried, state="failed")
    return replace(tried, next_at=following)


def next_attempt(
    delivery: Delivery, now: datetime, luck: Luck, retry_after_s: float | None = None
) -> datetime | None:
    """When to try again after `delivery.tries` attempts; None where it is too late for that."""
    delay = DELAYS[min(max(delivery.tries, 1), len(DELAYS)) - 1]
    wait = max(delay * (1 + JITTER * luck()), timedelta(seconds=min(retry_after_s or 0.0, 86_400.0)))
    lasts = EVENTS_FOR if delivery.purpose == "event" else PEOPLE_FOR
    following = now + wait
    return following if following <= delivery.created_at + lasts else None


def turned(delivery: Delivery, now: datetime) -> Delivery:
    """What was given up, to go its other way at once; what was tried before stays in it, and so does its id.

    Raises:
        ValueError: it was not given up, or there is no other way.
    """
    if delivery.state != "failed" or delivery.instead is None:
        raise ValueError("a delivery that has no other way to go")
    again = replace(delivery, address=delivery.instead, instead=None, state="pending", next_at=now)
    return replace(again, created_at=now, tries=0)


def withdrawn(delivery: Delivery, at: datetime, why: str) -> Delivery:
    """Not to be sent any more: where it was to go is gone or switched off."""
    outcome: AttemptOutcome = "refused"
    kept = (*delivery.attempts, Attempt(at, outcome, None, why))[-MAX_ATTEMPTS_KEPT:]
    return replace(delivery, state="withdrawn", next_at=None, attempts=kept)


def replayed(delivery: Delivery, now: datetime) -> Delivery:
    """The delivery to be sent once more, with the schedule begun anew; its id stays."""
    return replace(delivery, state="pending", next_at=now, created_at=now, tries=0)
