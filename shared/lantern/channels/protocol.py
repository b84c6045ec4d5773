"""What a channel is: it carries one message in its own form, once, and says what became of it."""

from dataclasses import dataclass
from typing import Protocol

from lantern.domain.messages import AttemptOutcome, Outgoing


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one attempt.

    Attributes:
        outcome: `sent`; `retry` where a later attempt may work; `refused` where none will.
        status: HTTP status where there was an answer.
        detail: a short stable word for people, such as `channel_not_found`; never what the receiver wrote.
        retry_after_s: when the receiver asked us to come back; None where it did not say.
        reference: the channel's own id of the message.
    """

    outcome: AttemptOutcome
    status: int | None = None
    detail: str = ""
    retry_after_s: float | None = None
    reference: str = ""


class Channel(Protocol):
    """A way out. It never raises for what the other side did: that is an outcome."""

    def send(self, message: Outgoing) -> Sent:
        """Carry one message; one attempt."""
        ...
