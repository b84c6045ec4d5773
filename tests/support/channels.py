"""Ways out that keep what they were given."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lantern.channels.protocol import Sent
from lantern.domain.messages import Outgoing


@dataclass
class MemoryChannel:
    """Keeps messages; `answer` says what becomes of each."""

    sent: list[Outgoing] = field(default_factory=list)
    answer: Callable[[Outgoing], Sent] = lambda _message: Sent("sent", 200)

    def send(self, message: Outgoing) -> Sent:
        """Keep it."""
        self.sent.append(message)
        return self.answer(message)


@dataclass
class Channels:
    """A way out of each kind, and the secrets as if they were unsealed."""

    slack: MemoryChannel = field(default_factory=MemoryChannel)
    teams: MemoryChannel = field(default_factory=MemoryChannel)
    email: MemoryChannel = field(default_factory=MemoryChannel)
    webhook: MemoryChannel = field(default_factory=MemoryChannel)
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def people(self) -> list[Outgoing]:
        """What reached people, on any channel."""
        return [*self.slack.sent, *self.teams.sent, *self.email.sent]
