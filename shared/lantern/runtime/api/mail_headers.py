"""Headers of mail: whether a connection reads them, and how that stands."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from lantern.domain.mail_reading import MailReading, MailState
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer
from lantern.services import decisions_mail

_PATH = "/v1/connections/{connection_id}/mail-headers"


class MailPassAnswer(Answer):
    """One reading of everybody's mailbox, in numbers."""

    begun_at: datetime
    mailboxes: int
    unread: int = Field(description="Mailboxes that could not be read.")
    gaps: int = Field(
        description="Mailboxes read for the first time, or too late: mail came in that is not known."
    )
    messages: int = Field(description="Messages whose headers were looked at.")
    hints: int = Field(description="Those that hint at an account with an AI product.")


class MailHeadersAnswer(Answer):
    """Reading of mail headers at a connection."""

    connection_id: str
    state: MailState | Literal["never_asked"] = Field(
        description="`on` only after a call has shown that the permission holds."
    )
    client_id: str | None = Field(
        description="What an administrator allows at the provider; null until a worker has looked."
    )
    permission: str | None = Field(description="The one permission to allow it.")
    note: str | None = Field(description="What is wrong or to be done.")
    asked_at: datetime | None
    proven_at: datetime | None = Field(description="When a call last showed that the permission holds.")
    due_at: datetime | None = Field(description="When it is looked or read next.")
    last: MailPassAnswer | None = Field(description="The last reading of everybody's mailbox.")


def _answer(connection_id: str, reading: MailReading | None) -> MailHeadersAnswer:
    last = reading.last if reading else None
    return MailHeadersAnswer(
        connection_id=connection_id,
        state=reading.state if reading else "never_asked",
        client_id=reading.client_id if reading else None,
        permission=reading.permission if reading else None,
        note=reading.note if reading else None,
        asked_at=reading.asked_at if reading else None,
        proven_at=reading.proven_at if reading else None,
        due_at=reading.due_at if reading else None,
        last=MailPassAnswer.model_validate(last, from_attributes=True) if last else None,
    )


def _begun(connection_id: str, reading: MailReading | None) -> Reply:
    where = _PATH.format(connection_id=connection_id)
    return Reply(_answer(connection_id, reading), status=202, location=where)


def get_mail_headers(call: Call[Any, None]) -> Reply:
    """How it stands."""
    connection_id = call.path["connection_id"]
    return Reply(_answer(connection_id, decisions_mail.standing(call.store, connection_id)))


def read_mail_headers(call: Call[Any, None]) -> Reply:
    """Have it."""
    connection_id = call.path["connection_id"]
    reading = decisions_mail.ask(call.store, connection_id, by=call.caller.actor, now=call.tools.now())
    return _begun(connection_id, reading)


def end_mail_headers(call: Call[Any, None]) -> Reply:
    """Have it no more."""
    connection_id = call.path["connection_id"]
    reading = decisions_mail.end(call.store, connection_id, by=call.caller.actor, now=call.tools.now())
    return _begun(connection_id, reading)


ROUTES = (
    Route(
        method="GET",
        path=_PATH,
        operation="getMailHeaders",
        tag="Connections",
        summary="Whether headers of mail are read",
        description="A choice apart from the consent: what to allow at the provider, and how it goes.",
        handler=get_mail_headers,
        scope="read",
        answer=MailHeadersAnswer,
    ),
    Route(
        method="POST",
        path=_PATH,
        operation="readMailHeaders",
        tag="Connections",
        summary="Have headers of mail read",
        description=(
            "Looks whether the permission is there and turns on once a call has shown it; until then `note` "
            "and `client_id` say what to do. Of new mail sender and subject are looked at and not kept; "
            "bodies are never read. Asking again looks again."
        ),
        handler=read_mail_headers,
        scope="admin",
        answer=MailHeadersAnswer,
        status=202,
        problems=("conflict",),
    ),
    Route(
        method="DELETE",
        path=_PATH,
        operation="endMailHeaders",
        tag="Connections",
        summary="Have headers of mail read no more",
        description="Nothing is read from now on, and what mail hinted at is taken out of the inventory.",
        handler=end_mail_headers,
        scope="admin",
        answer=MailHeadersAnswer,
        status=202,
        problems=("conflict",),
    ),
)
