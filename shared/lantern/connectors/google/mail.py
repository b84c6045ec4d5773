"""Mailboxes of an organisation by domain-wide delegation to our service account: headers of new mail alone.

Nothing here knows the consent of a connection: the key is the installation's own, the permission is what a
super administrator entered for it by hand. See `delegated` for whose name a call is made in, `mailbox` for
what is asked.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Final

from lantern.connectors.consent import ClientRegistration
from lantern.connectors.fanout import fan_out
from lantern.connectors.google import mailbox
from lantern.connectors.google.api import GoogleApi
from lantern.connectors.google.delegated import ServiceAccount, mailbox_of, service_account
from lantern.connectors.google.manifest import MAIL_HEADERS
from lantern.connectors.halt import Halt, within
from lantern.connectors.http import HaltedError
from lantern.connectors.mail import MailboxRead, MailboxWanted, MailReader
from lantern.connectors.protocol import Deadline
from lantern.connectors.registry import Io
from lantern.connectors.resolution import CallError

log = logging.getLogger(__name__)

_AT_ONCE: Final = 32
"""Mailboxes read side by side: at 100 ms a call more would only wait for the common pace."""
_PATIENCE_S: Final = 30.0


class Mailboxes:
    """The mailboxes of one organisation. Safe for threads."""

    permission: Final = MAIL_HEADERS

    def __init__(self, account: ServiceAccount, tenant: str, io: Io) -> None:
        self._account = account
        self._tenant = tenant
        self._io = io

    @property
    def client_id(self) -> str:
        """The client id of our service account, which a super administrator delegates to."""
        return self._account.client_id

    def prove(self, email: str) -> None:
        """Ask where a mailbox stands; nothing of its mail is read.

        Raises:
            CallError: `config` where the delegation does not hold.
        """
        mailbox.position(self._open(email), within(self._io.clock, _PATIENCE_S))

    def read(self, wanted: Sequence[MailboxWanted], deadline: Deadline) -> Iterator[MailboxRead]:
        """Read mailboxes, one stretch of each.

        Raises:
            CallError: what would fail for all of them: the delegation is gone.
        """
        halt = Halt(self._io.clock, deadline)

        def work(one: MailboxWanted, _: bool) -> MailboxRead | None:  # noqa: FBT001 - calls wait for their own turn
            return self._read(one, halt)

        cap = min(self._io.max_in_flight, _AT_ONCE)
        for outcome in fan_out(wanted, lambda: True, work, halt=halt, cap=cap):
            if outcome is not None:
                yield outcome

    def _read(self, one: MailboxWanted, halt: Halt) -> MailboxRead | None:
        """One mailbox; None when told to stop first."""
        try:
            return MailboxRead(one.owner, mailbox.read(self._open(one.email), one.cursor, halt))
        except HaltedError:
            return None
        except CallError as error:
            if error.resolution.connection_wide:
                raise
            log.info("gmail: a mailbox was not read: %s", error.detail)
            return MailboxRead(one.owner, None, error.reason)

    def _open(self, email: str) -> GoogleApi:
        return mailbox_of(self._account, email, self._tenant, self._io)


def reader(registration: ClientRegistration, tenant: str, io: Io) -> MailReader | None:
    """The reader of an organisation's mailboxes; None where this installation has no service account.

    Raises:
        InvalidInputError: what was given as its key file is none.
    """
    account = service_account(registration)
    return Mailboxes(account, tenant, io) if account else None
