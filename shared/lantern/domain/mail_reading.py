"""Reading headers of mail for sign-ups: whether an organisation wants it, and how it stands. Pure.

It is a choice of its own, apart from the consent of a connection, and takes a permission that an
administrator gives at the provider by hand. Lantern says "on" only after a call has shown that it holds.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

MailState = Literal["asked", "waiting", "not_offered", "on", "ending", "off"]
"""`asked`: nobody has looked yet. `waiting`: the permission is not there (yet); it is looked for again.
`not_offered`: this installation has no service account. `on`: shown to work. `ending`: what was found is
being taken back. `off`: nothing is read and nothing is left."""

EVERY: Final = timedelta(hours=20)
"""Between two readings of everybody's mailbox; providers remember what is new for a week."""
LOOK_AGAIN: Final = timedelta(hours=1)
PREFIX: Final = "mail:"
"""What the client id begins with that an app of hints alone is given."""
PATIENCE: Final = timedelta(days=7)
"""So long a permission that is not there is looked for; then somebody must ask again."""


@dataclass(frozen=True, slots=True)
class MailPass:
    """One reading of everybody's mailbox.

    `mailboxes` were read, `unread` were not; `gaps` of those read had new mail that is not known, because
    it is their first reading or the provider has forgotten; `messages` had their headers looked at, `hints`
    said something of an account with a listed AI product.
    """

    begun_at: datetime
    mailboxes: int = 0
    unread: int = 0
    gaps: int = 0
    messages: int = 0
    hints: int = 0


@dataclass(frozen=True, slots=True)
class MailReading:
    """The choice of one connection, and how it stands.

    `client_id` and `permission` are what an administrator enters at the provider. `note` says in words what
    is wrong or to be done. `due_at`: when to look or read next; None where there is nothing to do.
    `proven_at`: when a call last showed that the permission holds.
    """

    connection_id: str
    state: MailState
    asked_at: datetime
    asked_by: str
    client_id: str | None = None
    permission: str | None = None
    note: str | None = None
    due_at: datetime | None = None
    proven_at: datetime | None = None
    last: MailPass | None = None
    rev: int = 0

    def due(self, now: datetime) -> bool:
        """Whether a worker has something to do."""
        return self.due_at is not None and self.due_at <= now

    def next_look(self, now: datetime) -> datetime | None:
        """When to look for the permission again; None when that was done for long enough."""
        return now + LOOK_AGAIN if now - self.asked_at < PATIENCE else None
