"""A push message from a provider: verify it on the raw bytes, drop what was seen, enqueue, answer at once.

What it says is only a hint: it names an account to read again. A forged or lost one costs a read or
fifteen minutes, never a wrong fact.

A message comes to the address of one connection's channel, or to the address of our app, where the verified
message itself names the organisation. Providers wait for this, so it imports neither pydantic nor PynamoDB
nor boto3 nor requests.
"""

import importlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast, get_args

from lantern.connectors.protocol import Hint
from lantern.connectors.pushing import (
    BODY_LIMIT,
    CHANNEL_LOST,
    Known,
    KnownChannel,
    PushRefusedError,
    PushRequest,
    Receipt,
    Receive,
    Refused,
    Reply,
    Told,
)
from lantern.domain.errors import LanternError
from lantern.domain.inventory import ConsentProvider
from lantern.domain.work import Work, WorkKind
from lantern.services import unsubscribing
from lantern.services.once import hand_on
from lantern.services.web import WebRequest
from lantern.store.platform import ChannelRoute, PlatformStore

log = logging.getLogger(__name__)

SEEN_S: Final = 7 * 86_400
"""How long a message is remembered: longer than any provider repeats one."""
STATUSES: Final[Mapping[Refused, int]] = {
    "unknown_channel": 404,
    "bad_token": 401,
    "expired": 404,
    "too_large": 413,
    "malformed": 400,
}
_SOURCES: Final = frozenset(get_args(ConsentProvider))


@dataclass(frozen=True, slots=True)
class Receiver:
    """What receiving needs. `signing_secret` gives the secret with which a provider signs for our app."""

    platform: PlatformStore
    send: Callable[[Work], None]
    now: Callable[[], datetime]
    signing_secret: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Route:
    tenant_id: str
    connection_id: str


def receive(receiver: Receiver, request: WebRequest, method: str = "POST") -> Receipt:
    """Take a push message and say what to answer.

    A first sight is recorded before the message is enqueued, so that of many replays at once one has an
    effect. Should enqueueing fail it is forgotten: a repetition has its effect, and where none comes the next
    poll of the audit feed finds what this message was about.
    """
    source, channel_id = request.parameters.get("source", ""), request.parameters.get("id", "")
    if len(request.body) > BODY_LIMIT:
        return Receipt(status=413)
    if source == unsubscribing.SOURCE:
        return unsubscribing.receive(receiver.platform, receiver.send, receiver.now(), channel_id, method)
    read = _module(source)
    if read is None:
        return Receipt(status=404)
    found: list[ChannelRoute] = []

    def channel(given: str) -> KnownChannel | None:
        route = receiver.platform.get_channel(given) if given == channel_id else None
        if route is None or route.source not in ("", source):  # empty: opened before this was kept
            return None
        found.append(route)
        return KnownChannel(route.channel_id, route.secret_hash, route.expires_at)

    known = Known(channel, lambda: receiver.signing_secret(source), channel_id)
    try:
        receipt = read(_plain(request, method), known, receiver.now())
    except PushRefusedError as refused:
        log.warning("push refused: %s", refused.reason, extra={"source": source})
        return Receipt(status=STATUSES[refused.reason])
    for told in receipt.told:
        _take(receiver, source, found[0] if found else None, told)
    for reply in receipt.replies:
        _reply(receiver, source, reply)
    return receipt


def _plain(request: WebRequest, method: str) -> PushRequest:
    # What occurs twice is left out: nobody who may send here sends a header or a parameter twice.
    headers = {name: values[0] for name, values in request.headers.items() if len(values) == 1}
    query = {name: values[0] for name, values in request.query.items() if len(values) == 1}
    return PushRequest(method, headers, query, request.body)


def _module(source: str) -> Receive | None:
    """How a source's messages are read; None where there is no such source, or it sends no push messages."""
    if source not in _SOURCES:
        return None
    name = f"lantern.connectors.{source}.push"
    try:
        return cast("Receive", importlib.import_module(name).receive)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        return None


def _take(receiver: Receiver, source: str, channel: ChannelRoute | None, told: Told) -> None:
    route = _route(receiver, source, channel, told)
    if route is None or not told.hints:
        return
    about = {"tenant_id": route.tenant_id, "connection_id": route.connection_id, "source": source}
    tenant = receiver.platform.get_tenant(route.tenant_id)
    if tenant is None or tenant.status != "active":
        log.info("push dropped: tenant is not active", extra=about)
        return
    for event, work in _works(route, told, channel):
        _once(receiver, source, f"{route.connection_id}#{event}", work)


def _once(receiver: Receiver, source: str, seen: str, work: Work) -> None:
    hand_on(receiver.platform, receiver.send, work, (source, seen), SEEN_S, receiver.now())


def _reply(receiver: Receiver, source: str, reply: Reply) -> None:
    """Hand an answer to the tenant whose organisation it came from; the same press is handed on once."""
    owner = receiver.platform.get_org(source, reply.organisation_id)
    tenant = receiver.platform.get_tenant(owner.tenant_id) if owner else None
    if owner is None or tenant is None or tenant.status != "active":
        log.info("answer dropped: organisation is not connected", extra={"source": source})
        return
    kind: WorkKind = "slack.command" if reply.command else "nudge.press"
    work = Work(owner.tenant_id, kind, owner.connection_id, reply.said, cause="press")
    _once(receiver, source, f"{owner.connection_id}#{reply.message_id}", work)


def _route(receiver: Receiver, source: str, channel: ChannelRoute | None, told: Told) -> _Route | None:
    """Whose connection is told; None where nobody here has connected the organisation."""
    if told.organisation_id is None:
        return _Route(channel.tenant_id, channel.connection_id) if channel else None
    owner = receiver.platform.get_org(source, told.organisation_id)
    if owner is None:
        log.info("push dropped: organisation is not connected", extra={"source": source})
        return None
    return _Route(owner.tenant_id, owner.connection_id)


def _works(route: _Route, told: Told, channel: ChannelRoute | None) -> Iterator[tuple[str, Work]]:
    """One message per hint; where the account has no id, the feed of changes is read instead."""
    for hint in told.hints:
        yield hint.event_id or told.message_id, _work(route, hint, channel)


def _work(route: _Route, hint: Hint, channel: ChannelRoute | None) -> Work:
    if hint.event == CHANNEL_LOST and channel is not None:
        body = {"lost": channel.channel_id}
        return Work(route.tenant_id, "connection.channels", route.connection_id, body, cause="hint")
    if hint.native_id is None:
        return Work(route.tenant_id, "connection.changes", route.connection_id, cause="hint")
    body = {"native_id": hint.native_id, "event": hint.event}
    if hint.event_id is not None:
        body["event_id"] = hint.event_id
    if hint.account:
        body["about"] = "account"
    return Work(route.tenant_id, "bundle.read", route.connection_id, body, cause="hint")


def handle(receiver: Receiver, read: Callable[[], WebRequest], method: str = "POST") -> Receipt:
    """What to answer, whatever happens: what we cannot do now the provider may repeat."""
    try:
        return receive(receiver, read(), method)
    except ValueError:
        return Receipt(status=400)
    except LanternError as error:
        log.error("push not taken: %s", type(error).__name__)
        return Receipt(status=503)
