"""What receiving a provider's push messages needs, in words common to all providers.

A provider that pushes has a module `push` with one function, `receive(request, known, now)`, see `Receive`.
The web hook imports it and answers within three seconds, so it needs the standard library only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from lantern.connectors.protocol import Hint
from lantern.domain.errors import LanternError

BODY_LIMIT: Final = 1_000_000
CHANNEL_LOST: Final = "channel lost"
"""The event of a hint that says: the provider closed this channel, open another."""

Refused = Literal["unknown_channel", "bad_token", "expired", "too_large", "malformed"]
"""Why a message is not believed: no such channel, a wrong secret or signature, too old, unreadable."""


@dataclass(frozen=True, slots=True)
class PushRequest:
    """A message as it came in: names of headers in lower case, each with the one value it occurred with."""

    method: str
    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KnownChannel:
    """A channel we opened; `secret_sha256` is the hex digest of the secret given to the provider."""

    id: str
    secret_sha256: str = field(repr=False)
    expires_at: datetime
    resource_id: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known here, looked up when asked for.

    `channel` gives the channel of an id, if the message came to its address. `signing_secret` gives the
    secret that the provider signs all messages to our app with.
    """

    channel: Callable[[str], KnownChannel | None]
    signing_secret: Callable[[], str]
    channel_id: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What one organisation is told; `organisation_id` None is the organisation of the channel.

    Each hint becomes a message of its own; `event_id` of a hint (else `message_id` with the hint's position)
    is what repetitions are known by.
    """

    hints: tuple[Hint, ...]
    organisation_id: str | None = None
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What somebody of an organisation answered there to a question of ours; `said` are short texts.

    It is a claim: who may answer is checked where the question is known. `message_id` is what repetitions are
    known by. `command`: it was no answer but something they typed for us to do.
    """

    organisation_id: str
    message_id: str
    said: Mapping[str, str] = field(repr=False)
    command: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """A believed message and what to answer.

    The body is sent as plain text or JSON; as HTML only where it is a page of our own.

    `headers` are further ones that the provider's own protocol knows.
    """

    told: tuple[Told, ...] = ()
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    replies: tuple[Reply, ...] = ()


Receive = Callable[[PushRequest, Known, datetime], Receipt]
"""Check a message on its raw bytes and read what it hints at.

Raises:
    PushRefusedError: it is not to be believed.
"""


class PushRefusedError(LanternError):
    """A message that is not the provider's, or not readable. `reason` is a short stable word."""

    def __init__(self, reason: Refused) -> None:
        super().__init__(reason)
        self.reason = reason
