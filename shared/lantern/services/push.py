"""A push message from a provider: verify it on the raw bytes, drop what was seen, enqueue, answer at once.

What it says is only a hint: it names an account to read again. A forged or lost one costs a read or
fifteen minutes, never a wrong fact. Answers are a status and nothing else.

Providers wait for this, so it imports neither pydantic nor PynamoDB nor boto3 nor requests.
"""

import importlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, get_args

from lantern.connectors.protocol import Hint
from lantern.domain.errors import LanternError
from lantern.domain.inventory import Provider
from lantern.domain.work import Work
from lantern.services.web import WebRequest
from lantern.store.platform import ChannelRoute, PlatformStore

log = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 1_000_000
SEEN_S: Final = 7 * 86_400
"""How long a message is remembered: longer than any provider repeats one."""
STATUSES: Final[Mapping[str, int]] = {
    "unknown_channel": 404,
    "bad_token": 401,
    "expired": 404,
    "too_large": 413,
    "malformed": 400,
}
_SOURCES: Final = frozenset(get_args(Provider))


@dataclass(frozen=True, slots=True)
class Receiver:
    """What receiving needs."""

    platform: PlatformStore
    send: Callable[[Work], None]
    now: Callable[[], datetime]


def receive(receiver: Receiver, request: WebRequest) -> int:
    """The status to answer a push message with.

    A first sight is recorded before the message is enqueued, so that of many replays at once one has an
    effect. Should enqueueing fail, the next poll of the audit feed finds what this message was about.
    """
    source, channel_id = request.parameters.get("source", ""), request.parameters.get("id", "")
    if len(request.body) > MAX_BODY_BYTES:
        return 413
    module = _module(source)
    if module is None:
        return 404
    # A header that occurs twice is left out: nobody who may send here sends one twice.
    headers = {name: values[0] for name, values in request.headers.items() if len(values) == 1}
    found: list[ChannelRoute] = []

    def lookup(given: str) -> Any:
        route = receiver.platform.get_channel(given) if given == channel_id else None
        if route is None:
            return None
        found.append(route)
        return module.KnownChannel(route.channel_id, route.secret_hash, route.expires_at)

    try:
        notification = module.verify(headers, request.body, lookup=lookup, now=receiver.now())
    except module.PushRefusedError as refused:
        log.warning("push refused: %s", refused.reason, extra={"source": source})
        return STATUSES.get(refused.reason, 400)
    _take(receiver, source, found[0], notification)
    return 200


def _module(source: str) -> Any:
    """The `push` module of a source; None where there is no such source, or it sends no push messages."""
    if source not in _SOURCES:
        return None
    name = f"lantern.connectors.{source}.push"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        return None


def _take(receiver: Receiver, source: str, route: ChannelRoute, notification: Any) -> None:
    about = {"tenant_id": route.tenant_id, "connection_id": route.connection_id, "source": source}
    if notification.sync or not notification.hints:
        return
    tenant = receiver.platform.get_tenant(route.tenant_id)
    if tenant is None or tenant.status != "active":
        log.info("push dropped: tenant is not active", extra=about)
        return
    for hint, work in _works(route, notification.hints):
        event = hint.event_id or f"{route.channel_id}#{notification.message_number}"
        seen = f"{route.connection_id}#{event}"
        if receiver.platform.first_sight(source, seen, SEEN_S, receiver.now()):
            receiver.send(work)


def _works(route: ChannelRoute, hints: tuple[Hint, ...]) -> Iterator[tuple[Hint, Work]]:
    """One message per account; where the account has no id, the audit feed is read instead."""
    for hint in hints:
        if hint.native_id is not None:
            body = {"native_id": hint.native_id, "event": hint.event}
            if hint.event_id is not None:
                body["event_id"] = hint.event_id
            yield hint, Work(route.tenant_id, "bundle.read", route.connection_id, body, cause="hint")
        else:
            yield hint, Work(route.tenant_id, "connection.changes", route.connection_id, cause="hint")


def handle(receiver: Receiver, read: Callable[[], WebRequest]) -> int:
    """The status to answer with, whatever happens: what we cannot do now the provider may repeat."""
    try:
        return receive(receiver, read())
    except ValueError:
        return 400
    except LanternError as error:
        log.error("push not taken: %s", type(error).__name__)
        return 503
