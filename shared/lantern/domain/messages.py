"""Messages to people and to systems, before and after a channel carried them.

A `Message` is plain words: no markup of any channel, and names that anybody may have chosen stay as they are.
Each channel's template puts it into its own form and makes those names inert there. Whoever wants to tell
somebody something writes a `Delivery` in the transaction of what caused it; the outreach worker sends it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from lantern.domain import ids

ChannelKind = Literal["slack", "teams", "email", "webhook"]
Purpose = Literal["alert", "digest", "nudge", "request", "campaign", "playbook", "event", "test"]
"""What a message is for: `event` is for machines, the others are for people."""
ButtonStyle = Literal["plain", "primary", "danger"]
DeliveryState = Literal["pending", "sent", "failed", "withdrawn"]
AttemptOutcome = Literal["sent", "retry", "refused"]

DELIVERY: Final = "dlv"
"""Prefix of the ids of deliveries."""
MAX_ATTEMPTS_KEPT: Final = 20


@dataclass(frozen=True, slots=True)
class Button:
    """Something to press: a link (`url`), or in Slack an action with a value that comes back to us.

    A channel that cannot send a press back shows the link only, and leaves out a button without one.
    """

    text: str
    url: str = ""
    action: str = ""
    value: str = ""
    style: ButtonStyle = "plain"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a message. `facts` are label and value; `more` counts what `items` leaves out."""

    title: str = ""
    text: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    items: tuple[str, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """What to tell somebody, in plain words.

    `severity` (`critical`, `high` …) colours it and may be empty; `language` names the catalog of texts for
    what the template adds; `footer` says why the reader gets this.
    """

    purpose: Purpose
    title: str
    text: str = ""
    sections: tuple[Section, ...] = ()
    buttons: tuple[Button, ...] = ()
    footer: str = ""
    severity: str = ""
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a message goes, without the secret that opens the way.

    Attributes:
        kind: the channel.
        to: Slack channel or user id, e-mail address; empty where the sealed secret is the address.
        secret_id: under which id the secret is sealed: the Slack connection, the Teams channel, the webhook
            endpoint; empty for e-mail.
    """

    kind: ChannelKind
    to: str = ""
    secret_id: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try. `status` is the HTTP status where there was one; `detail` a short word, never a body."""

    at: datetime
    outcome: AttemptOutcome
    status: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one address, with what became of it.

    Attributes:
        id: `dlv_…`; sorts by time. It is the same under redelivery, and receivers see it (`webhook-id`).
        target_id: whose list it is in: an alert channel, a webhook endpoint, or `people`.
        address: where it goes.
        instead: where it goes when that does not work; None where there is no other way.
        purpose: what it is for.
        message: what to tell people; None for an event.
        event: JSON text of an event for machines; empty for people.
        event_type: its type, such as `finding.opened`.
        subject_id: what it is about, so that whoever asked can follow it: a finding, nudge, request …
        state: `pending` until it was sent, or given up after the last attempt.
        next_at: when it is due; None when nothing more is to be done.
        reference: the channel's own id of the message, such as Slack's channel and time stamp.
        unsubscribe: address at which an e-mail's reader ends such e-mails; empty where there is none.
        number: as it went into the id.
        covers: how many findings it tells of: news again where it reaches nobody.
        wave: under which number the channel's ledger has them; 0 where it tells of none.
    """

    id: str
    target_id: str
    address: Address
    purpose: Purpose
    created_at: datetime
    next_at: datetime | None
    message: Message | None = None
    event: str = ""
    event_type: str = ""
    subject_id: str = ""
    state: DeliveryState = "pending"
    attempts: tuple[Attempt, ...] = ()
    tries: int = 0
    reference: str = ""
    unsubscribe: str = ""
    number: int = 0
    covers: int = 0
    wave: int = 0
    instead: Address | None = None
    rev: int = 0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message in the form of its channel, ready to be carried; `repr` shows none of it.

    Attributes:
        key: the delivery's id; a channel that can tells the receiver, so that a repetition is known as one.
        to: as `Address.to`; for Teams and webhooks the URL.
        secret: Slack token or webhook signing secrets (separated by spaces, newest first); else empty.
        subject: one plain line.
        text: plain text: the whole e-mail, or what Slack shows in a notification.
        html: the HTML of an e-mail.
        payload: JSON text of blocks (Slack), card (Teams) or event (webhook).
        at: time of this attempt.
        unsubscribe: address at which an e-mail's reader ends such e-mails; empty where there is none.
    """

    key: str
    to: str
    at: datetime
    secret: str = ""
    subject: str = ""
    text: str = ""
    html: str = ""
    payload: str = ""
    unsubscribe: str = ""

    def __repr__(self) -> str:
        return f"Outgoing({self.key})"


def delivery_id(at: datetime, *parts: str) -> str:
    """The id of a delivery of something that happened at `at`: the same for the same parts."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return ids.time_id(DELIVERY, at, lambda size: digest[:size])


def delivery(
    address: Address,
    message: Message,
    now: datetime,
    *,
    target_id: str,
    subject_id: str,
    number: int = 0,
    instead: Address | None = None,
) -> Delivery:
    """A delivery of a message to people, due at once.

    Args:
        address: where to.
        message: what.
        now: when it was decided on.
        target_id: whose list it is in: an alert channel, or `people`.
        subject_id: what it is about, such as a nudge.
        number: tells apart what is told more than once about one subject at one time.
        instead: where to when that does not work.
    """
    name = delivery_id(now, target_id, address.kind, address.to, subject_id, str(number))
    return Delivery(
        name,
        target_id,
        address,
        message.purpose,
        now,
        now,
        message,
        subject_id=subject_id,
        number=number,
        instead=instead,
    )
