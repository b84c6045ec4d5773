"""Reading headers of mailboxes, where a provider offers it: apart from a connection and its consent.

A provider that does has the feature `mail`, a permission in `Manifest.apart`, and a module `mail` with
`reader(registration, tenant, io)`, which answers None where this installation has nothing to read with.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from lantern.connectors.consent import ClientRegistration
from lantern.connectors.manifests import load, manifest
from lantern.connectors.protocol import Deadline
from lantern.connectors.registry import Io
from lantern.domain.signup_mail import MailHeaders


@dataclass(frozen=True, slots=True)
class NewMail:
    """Headers of what came in since a cursor; `cursor` continues it.

    `gap`: what came in before the cursor is not known, because the mailbox was read for the first time, or
    so long ago that the provider has forgotten. `last`: the mailbox was read to the present.
    """

    mails: tuple[MailHeaders, ...]
    cursor: str
    gap: bool = False
    last: bool = True


@dataclass(frozen=True, slots=True)
class MailboxWanted:
    """A mailbox to read: whose (a key of the caller's), its address, and the cursor of the last reading."""

    owner: str
    email: str
    cursor: str | None


@dataclass(frozen=True, slots=True)
class MailboxRead:
    """What came of it. `mail` None: it could not be read, for `reason`, a short stable word."""

    owner: str
    mail: NewMail | None
    reason: str = ""


class MailReader(Protocol):
    """Reads mailboxes of one organisation.

    `client_id` and `permission` are what its administrator must allow at the provider.
    """

    @property
    def client_id(self) -> str:
        """Our client, as the provider calls it."""
        ...

    @property
    def permission(self) -> str:
        """The one permission that it takes."""
        ...

    def prove(self, email: str) -> None:
        """Show by a call that this person's mailbox may be read.

        Raises:
            ConnectorError: `config` where it may not; anything else says nothing about that.
        """
        ...

    def read(self, wanted: Sequence[MailboxWanted], deadline: Deadline) -> Iterator[MailboxRead]:
        """Read mailboxes, in any order; stops quietly at the deadline.

        Raises:
            ConnectorError: what would fail for all of them.
        """
        ...


def reader(provider: str, registration: ClientRegistration, tenant: str, io: Io) -> MailReader | None:
    """The reader of a provider; None where it or this installation offers none."""
    if "mail" not in manifest(provider).features:
        return None
    make = cast(
        "Callable[[ClientRegistration, str, Io], MailReader | None]", load(provider, "mail", "reader")
    )
    return make(registration, tenant, io)
