"""Microsoft Teams: a post to the address of a workflow ("when a webhook request is received") in a channel.

Source: learn.microsoft.com, "Create incoming webhooks with Workflows for Microsoft Teams": a message of one
adaptive card, 28 kB at most. The address is the secret; customers name it, so it is called as any other of
theirs.
"""

from dataclasses import dataclass
from typing import Final

from lantern.channels.protocol import Sent
from lantern.channels.webhook import Poster, outcome
from lantern.domain.messages import Outgoing

MAX_BYTES: Final = 28 * 1024
_DEAD: Final = frozenset({400, 401, 403, 404})


@dataclass(frozen=True, slots=True)
class TeamsChannel:
    """Posts cards."""

    poster: Poster

    def send(self, message: Outgoing) -> Sent:
        """Post one card."""
        body = message.payload.encode()
        if len(body) > MAX_BYTES:
            return Sent("refused", detail="too_large")
        sent = outcome(self.poster.post(message.to, body, {"Content-Type": "application/json"}), message.at)
        if sent.outcome == "retry" and sent.status in _DEAD:
            # The workflow was deleted or switched off: asking again tells it nothing new.
            return Sent("refused", sent.status, sent.detail)
        return sent
