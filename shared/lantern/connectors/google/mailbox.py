"""Headers of a mailbox's new messages: sender and subject, by the `gmail.metadata` permission.

Opt-in and apart from the consent of everything else. What the permission allows (Gmail discovery document):
no search (`q`), no bodies, only the history since a point that Gmail keeps for about a week, and headers
message by message. An administrator's own consent opens that person's mailbox alone; those of others take
domain-wide delegation to a service account, which a super administrator enters by hand (see `delegated`).
"""

import logging
from datetime import UTC, datetime
from typing import Any, Final

from lantern.connectors.google.api import MAIL_QUERY, GoogleApi, segment
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED
from lantern.connectors.mail import NewMail
from lantern.connectors.resolution import CallError
from lantern.domain.signup_mail import MailHeaders

log = logging.getLogger(__name__)

_ME: Final = "/gmail/v1/users/me"
_PAGE: Final = "500"  # the most that `history.list` gives
MOST: Final = 500
"""Messages of one reading; the next goes on after them."""
_NOT_RECEIVED: Final = frozenset({"SPAM", "TRASH", "SENT", "DRAFT", "CHAT"})
_HEADERS: Final = "?metadataHeaders=From&metadataHeaders=Subject"


def read(api: GoogleApi, cursor: str | None, halt: Halt) -> NewMail:
    """What came into a mailbox since `cursor`; None notes where it stands and reads nothing of the past.

    Args:
        api: Gmail, in the name of the mailbox's owner.
        cursor: of the last reading.
        halt: when to stop.

    Raises:
        CallError: Google did not answer as documented.
        HaltedError: told to stop; read again from the same cursor.
    """
    if cursor is None:
        return NewMail((), position(api, halt), gap=True)
    try:
        added, following, last = _added(api, cursor, halt)
    except CallError as error:
        if error.reason != "not_found":
            raise
        log.info("gmail: the history since the last reading is forgotten")
        return NewMail((), position(api, halt), gap=True)
    found = (_headers(api, identifier, halt) for identifier in added)
    return NewMail(tuple(one for one in found if one is not None), following, last=last)


def position(api: GoogleApi, halt: Halt) -> str:
    """Where a mailbox stands now."""
    body = api.ask(f"{_ME}/profile", halt, params={}, quotas=MAIL_QUERY)
    return _number(body.get("historyId"))


def _added(api: GoogleApi, cursor: str, halt: Halt) -> tuple[list[str], str, bool]:
    """Ids of new messages, oldest first, the cursor after them, and whether that is the present."""
    found: dict[str, None] = {}
    reached = cursor
    token: str | None = None
    while True:
        params = {"startHistoryId": cursor, "historyTypes": "messageAdded", "maxResults": _PAGE}
        if token:
            params["pageToken"] = token
        body = api.ask(f"{_ME}/history", halt, params=params, quotas=MAIL_QUERY)
        records, token = body.get("history", []), body.get("nextPageToken")
        if not isinstance(records, list) or not isinstance(token, str | None):
            raise CallError(GARBLED, detail="gmail: history")
        for record in records:
            new = _messages(record)
            if len(found) + len(new) > MOST and found:
                return list(found), reached, False
            found |= dict.fromkeys(new)
            reached = _number(record.get("id"))
        if not token:
            # The list's own number is the present: records of other kinds lie between.
            return list(found), _number(body.get("historyId")), True


def _messages(record: Any) -> list[str]:
    if not isinstance(record, dict) or not isinstance(record.get("messagesAdded", []), list):
        raise CallError(GARBLED, detail="gmail: history")
    found = []
    for row in record.get("messagesAdded", []):
        message = row.get("message") if isinstance(row, dict) else None
        if not isinstance(message, dict) or not isinstance(message.get("id"), str):
            raise CallError(GARBLED, detail="gmail: history")
        labels = message.get("labelIds", [])
        if not isinstance(labels, list) or not _NOT_RECEIVED & {str(label) for label in labels}:
            found.append(message["id"])
    return found


def _headers(api: GoogleApi, identifier: str, halt: Halt) -> MailHeaders | None:
    """One message's headers; None where it was deleted meanwhile."""
    path = f"{_ME}/messages/{segment(identifier)}{_HEADERS}"
    try:
        body = api.ask(path, halt, params={"format": "metadata"}, quotas=MAIL_QUERY)
    except CallError as error:
        if error.reason == "not_found":
            return None
        raise
    payload, at = body.get("payload"), _number(body.get("internalDate"))
    rows = payload.get("headers", []) if isinstance(payload, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CallError(GARBLED, detail="gmail: message")
    named = [(str(row.get("name")).lower(), row.get("value")) for row in rows]
    return MailHeaders(
        tuple(value for name, value in named if name == "from" and isinstance(value, str)),
        tuple(value for name, value in named if name == "subject" and isinstance(value, str)),
        datetime.fromtimestamp(int(at) / 1000, UTC),
    )


def _number(value: object) -> str:
    """A 64-bit number, which comes as text."""
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 20:
        raise CallError(GARBLED, detail="gmail: a number is missing")
    return value
