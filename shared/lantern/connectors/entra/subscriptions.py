"""Change notifications about accounts: opened, closed, and reauthorised while they last."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from lantern.connectors.entra.api import GraphApi, entity, segment
from lantern.connectors.entra.manifest import LIFE_S
from lantern.connectors.entra.normalize import MalformedError, instant
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED
from lantern.connectors.protocol import Channel, ChannelRequest
from lantern.connectors.resolution import CallError

TEND_EVERY: Final = timedelta(hours=2)
_CHANGES: Final = "updated,deleted"


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """The subscriptions of our app in one tenant. `allowed`: whether it may have any."""

    api: GraphApi
    client_id: str
    now: Callable[[], datetime]
    allowed: bool

    def open(self, request: ChannelRequest, halt: Halt) -> Channel:
        """Subscribe to one collection (`request.event`). Graph calls both addresses before it answers."""
        ends = self.now() + timedelta(seconds=min(request.ttl_s, LIFE_S))
        body = {
            "changeType": _CHANGES,
            "notificationUrl": request.address,
            "lifecycleNotificationUrl": request.address,
            "resource": request.event,
            "expirationDateTime": _rfc3339(ends),
            "clientState": request.secret,
            "latestSupportedTlsVersion": "v1_2",
        }
        answer = entity(self.api.send("POST", "/subscriptions", halt, json=body).body)
        try:
            expires = instant(answer.get("expirationDateTime"))
        except MalformedError:
            raise CallError(GARBLED, detail="subscriptions: no expiration") from None
        return Channel(request.id, answer["id"], request.purpose, expires, request.event)

    def close(self, channel: Channel, halt: Halt) -> None:
        """Unsubscribe; what Graph does not know is closed."""
        self._delete(channel.resource_id, halt)

    def _delete(self, subscription: str, halt: Halt) -> None:
        try:
            self.api.send("DELETE", f"/subscriptions/{segment(subscription)}", halt)
        except CallError as error:
            if error.reason != "not_found":
                raise

    def tend(self, halt: Halt) -> int:
        """Reauthorise every subscription of ours, as `reauthorizationRequired` asks; returns how many.

        Graph sends that before it holds messages back. It is not waited for: this is done every few hours.
        One that was removed is not there any more: it is opened again when its time is over, and meanwhile
        the delta feeds tell what it would have told.
        """
        if not self.allowed:
            return 0
        mine = [
            one for one in self.api.all("/subscriptions", halt) if one.get("applicationId") == self.client_id
        ]
        for one in mine:
            path = f"/subscriptions/{segment(entity(one)['id'])}/reauthorize"
            try:
                self.api.send("POST", path, halt)
            except CallError as error:
                if error.reason != "not_found":
                    raise
        return len(mine)


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
