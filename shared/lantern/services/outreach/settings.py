"""What people set up: alert settings, channels and webhook endpoints; each with its audit entry.

Addresses and signing secrets are sealed before they are stored. Whoever seals here cannot open: only the
outreach worker can.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from lantern.channels.vetting import target
from lantern.domain import ids
from lantern.domain.alerts import CHANNEL, MAX_CHANNELS, MAX_RECIPIENTS, AlertChannel, AlertSettings
from lantern.domain.audit import GONE, NOTHING, AuditEvent, change, differences
from lantern.domain.channel_health import ChannelHealth
from lantern.domain.deliveries import replayed
from lantern.domain.errors import ConflictError, InvalidInputError, NotFoundError
from lantern.domain.ids import RandomBytes
from lantern.domain.messages import Delivery, Message, delivery, delivery_id
from lantern.domain.webhooks import (
    ENDPOINT,
    MAX_ENDPOINTS,
    Endpoint,
    PayloadKind,
    new_secret,
    rotated,
)
from lantern.domain.work import Work
from lantern.services.outreach.announcing import trial_event
from lantern.services.outreach.wording import texts
from lantern.services.unsubscribing import link
from lantern.store.documents import Put
from lantern.store.platform import PlatformStore
from lantern.store.tenant import TenantStore

Seal = Callable[[str, str], bytes]
"""Secret id and text to ciphertext, for one tenant."""

CHAT: Final = "chat:write"
_LINK_LASTS: Final = timedelta(days=1_830)
_SLACK_ID: Final = re.compile(r"[CDGUW][A-Z0-9]{5,20}")
_EMAIL: Final = re.compile(r"[A-Za-z0-9._%+-]{1,64}@((?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,63})")


@dataclass(frozen=True, slots=True)
class Setting:
    """Who sets something up, when, and with what."""

    store: TenantStore
    by: str
    now: datetime
    random: RandomBytes
    seal: Seal
    platform: PlatformStore | None = None


_TOLD: Final = (
    *("enabled", "minimum", "instant", "digest", "digest_at", "digest_day", "daily_cap", "to"),
    "connection_id",
)
"""What the audit log tells of a changed channel; its name is not among it."""


def save_settings(use: Setting, settings: AlertSettings) -> AlertSettings:
    """Write the settings on their revision.

    Raises:
        InvalidInputError: the time zone or the address of the console makes no sense.
        RevisionConflictError: they changed since they were read.
    """
    zone = settings.zone
    if settings.console_url and not settings.console_url.startswith("https://"):
        raise InvalidInputError("console_url", "It must begin with https://.")
    quiet = settings.quiet_hours
    if quiet is not None and quiet.start == quiet.end:
        raise InvalidInputError("quiet_hours", "Begin and end must differ; send null for no quiet hours.")
    known = use.store.alerts.settings()
    detail = differences(known, settings, "time_zone", "quiet_hours", "language", "console_url")
    event = AuditEvent(use.by, "alerts.set", "alerts", {"time_zone": str(zone), **detail})
    unit = use.store.transact(use.now).put(use.store.alerts.settings_op(settings)).audit(event)
    unit.outbox(_look(use)).commit()
    return replace(settings, rev=settings.rev + 1)


def add_channel(use: Setting, channel: AlertChannel, url: str | None) -> AlertChannel:
    """A new channel; its id is made here.

    Raises:
        InvalidInputError: where it leads makes no sense, or there are too many channels.
        ConflictError: the Slack connection does not let Lantern write.
    """
    if len(use.store.alerts.channels()) >= MAX_CHANNELS:
        raise InvalidInputError("channel", f"A tenant has at most {MAX_CHANNELS}; delete one.")
    if channel.kind == "teams" and url is None:
        raise InvalidInputError("url", "A Teams channel needs the address of its workflow.")
    made = replace(channel, id=ids.new_id(CHANNEL, use.random), created_at=use.now, rev=0)
    return _save_channel(use, made, url, "channel.added")


def change_channel(use: Setting, channel: AlertChannel, url: str | None) -> AlertChannel:
    """Write a channel on its revision; its address only where a new one is given. Raises as `add_channel`."""
    return _save_channel(use, channel, url, "channel.changed")


def _save_channel(use: Setting, channel: AlertChannel, url: str | None, verb: str) -> AlertChannel:
    _check(use.store, channel, url)
    if channel.kind == "email":
        channel = _linked(use, channel)
    detail = differences(use.store.alerts.channel(channel.id), channel, *_TOLD)
    event = AuditEvent(use.by, verb, channel.id, {"kind": channel.kind, **detail})
    unit = use.store.transact(use.now).put(use.store.alerts.channel_op(channel)).audit(event)
    if url is not None:
        unit.put(_sealed(use, channel.id, url))
    health = use.store.alerts.health(channel.id)
    if health.rev:
        # It may work now: the next message is not waited with.
        unit.put(use.store.alerts.health_op(ChannelHealth(channel.id, rev=health.rev)))
    unit.outbox(_look(use)).commit()
    return replace(channel, rev=channel.rev + 1)


def _linked(use: Setting, channel: AlertChannel) -> AlertChannel:
    """The channel with a link for each of its addresses by which that unsubscribes."""
    links = {to: channel.links.get(to) or use.random(20).hex() for to in channel.to}
    if use.platform is not None:
        for to in channel.to:
            if to not in channel.links:
                lasting = use.now + _LINK_LASTS
                use.platform.put_channel(link(links[to], use.store.tenant_id, channel.id, lasting))
    return replace(channel, links=links)


def _check(store: TenantStore, channel: AlertChannel, url: str | None) -> None:
    if channel.connection_id and store.connections.get(channel.connection_id) is None:
        raise NotFoundError("connection", channel.connection_id)
    if channel.kind != "teams" and url is not None:
        raise InvalidInputError("url", "Only a Teams channel has an address.")
    if channel.kind == "teams":
        if channel.to or channel.connection_id:
            raise InvalidInputError("to", "A Teams channel has an address only: send url.")
        if url is not None:
            target(url)
        return
    if not channel.to or len(channel.to) > MAX_RECIPIENTS:
        raise InvalidInputError("to", f"Name 1 to {MAX_RECIPIENTS}.")
    if channel.kind == "slack":
        _check_slack(store, channel)
    else:
        _check_email(store, channel.to)


def _check_slack(store: TenantStore, channel: AlertChannel) -> None:
    if len(channel.to) != 1 or not _SLACK_ID.fullmatch(channel.to[0]):
        raise InvalidInputError("to", 'Name one Slack channel or person by id, such as "C0123456789".')
    connection = store.connections.get(channel.connection_id) if channel.connection_id else None
    if connection is None or connection.provider != "slack" or connection.leaving:
        raise InvalidInputError("connection_id", "Name a connection of Slack.")
    if CHAT in connection.missing_scopes:
        raise ConflictError("Lantern may not write in this Slack: connect Slack again and accept that.")


def _check_email(store: TenantStore, to: Sequence[str]) -> None:
    """E-mails go to the organisation's own domains: nobody is written to who did not connect anything."""
    own = {domain.lower() for connection in store.connections.list() for domain in connection.domains}
    for address in to:
        match = _EMAIL.fullmatch(address)
        if match is None:
            raise InvalidInputError("to", "Name e-mail addresses.")
        if match[1] not in own:
            raise InvalidInputError("to", "Name addresses of the domains of your connections.")


def remove_channel(use: Setting, channel: AlertChannel) -> None:
    """Forget a channel and its address; what is still to be sent there is dropped.

    Raises:
        RevisionConflictError: it changed since it was read.
    """
    store = use.store
    unit = store.transact(use.now).put(store.alerts.channel_gone(channel))
    if channel.kind == "teams":
        unit.put(store.secrets.gone_op(channel.id))
    unit.audit(
        AuditEvent(use.by, "channel.removed", channel.id, {"kind": channel.kind, **change("enabled", GONE)})
    )
    unit.commit()


def try_channel(use: Setting, channel: AlertChannel) -> tuple[Delivery, ...]:
    """Send a test message to everybody a channel reaches."""
    said = texts(use.store.alerts.settings().language)["alerts"]
    message = Message(
        "test",
        said["test"]["title"],
        said["test"]["text"],
        footer=said["footer"].format(channel=channel.name),
    )
    made = [
        delivery(address, message, use.now, target_id=channel.id, subject_id=channel.id, number=number)
        for number, address in enumerate(channel.addresses())
    ]
    unit = use.store.transact(use.now).put(*(use.store.deliveries.op(one) for one in made))
    unit.audit(AuditEvent(use.by, "channel.tested", channel.id))
    unit.outbox(*(_deliver(use, one) for one in made)).commit()
    return tuple(made)


# --- webhook endpoints ------------------------------------------------------------------------------


def add_endpoint(
    use: Setting, url: str, *, description: str, events: tuple[str, ...], payload: PayloadKind
) -> tuple[Endpoint, str]:
    """A new endpoint and its signing secret, which nobody can read again.

    Raises:
        InvalidInputError: we would never call such an address, or there are too many endpoints.
    """
    if len(use.store.alerts.endpoints()) >= MAX_ENDPOINTS:
        raise InvalidInputError("url", f"A tenant has at most {MAX_ENDPOINTS} endpoints; delete one.")
    to, secret = target(url), new_secret(use.random)
    made = Endpoint(
        id=ids.new_id(ENDPOINT, use.random),
        host=to.host,
        created_at=use.now,
        created_by=use.by,
        description=description,
        events=events,
        payload=payload,
    )
    unit = use.store.transact(use.now).put(
        use.store.alerts.endpoint_op(made),
        _sealed(use, made.address_id, url),
        _sealed(use, made.secret_id(1), secret),
    )
    unit.audit(
        AuditEvent(use.by, "webhook.added", made.id, {"payload": payload, **change(NOTHING, made.status)})
    )
    unit.commit()
    return replace(made, rev=1), secret


def change_endpoint(use: Setting, endpoint: Endpoint, url: str | None) -> Endpoint:
    """Write an endpoint on its revision; its address only where a new one is given.

    Raises:
        InvalidInputError: we would never call such an address.
        RevisionConflictError: it changed since it was read.
    """
    changed = replace(endpoint, host=target(url).host) if url is not None else endpoint
    before = use.store.alerts.endpoint(endpoint.id)
    detail = differences(before, changed, "host", "events", "payload", "status")
    event = AuditEvent(use.by, "webhook.changed", changed.id, {"status": changed.status, **detail})
    unit = use.store.transact(use.now).put(use.store.alerts.endpoint_op(changed)).audit(event)
    if url is not None:
        unit.put(_sealed(use, changed.address_id, url))
    unit.commit()
    return replace(changed, rev=endpoint.rev + 1)


def rotate(use: Setting, endpoint: Endpoint) -> tuple[Endpoint, str]:
    """The next signing secret; the one before signs too for a day.

    Raises:
        RevisionConflictError: the endpoint changed since it was read.
    """
    changed, secret = rotated(endpoint, use.now), new_secret(use.random)
    turned = change(f"secret {endpoint.generation}", f"secret {changed.generation}")
    unit = use.store.transact(use.now).put(
        use.store.alerts.endpoint_op(changed), _sealed(use, changed.secret_id(changed.generation), secret)
    )
    if changed.generation > 2:
        unit.put(use.store.secrets.gone_op(changed.secret_id(changed.generation - 2)))
    unit.audit(AuditEvent(use.by, "webhook.rotated", changed.id, turned)).commit()
    return replace(changed, rev=endpoint.rev + 1), secret


def remove_endpoint(use: Setting, endpoint: Endpoint) -> None:
    """Forget an endpoint with its address and secrets; what is still to be sent there is dropped.

    Raises:
        RevisionConflictError: it changed since it was read.
    """
    store = use.store
    held = [
        endpoint.address_id,
        *(endpoint.secret_id(n) for n in (endpoint.generation, endpoint.generation - 1)),
    ]
    unit = store.transact(use.now).put(store.alerts.endpoint_gone(endpoint))
    unit.put(*(store.secrets.gone_op(secret_id) for secret_id in held))
    unit.audit(AuditEvent(use.by, "webhook.removed", endpoint.id, change(endpoint.status, GONE))).commit()


def try_endpoint(use: Setting, endpoint: Endpoint) -> Delivery:
    """Send an event that only shows whether events arrive.

    Raises:
        ConflictError: the endpoint is disabled.
    """
    if endpoint.status == "disabled":
        raise ConflictError("the endpoint is disabled: enable it first")
    name = delivery_id(use.now, endpoint.id, "test", use.random(8).hex())
    made = trial_event(endpoint, name, use.store.tenant_id, use.now)
    event = AuditEvent(use.by, "webhook.tested", endpoint.id)
    unit = use.store.transact(use.now).put(use.store.deliveries.op(made)).audit(event)
    unit.outbox(_deliver(use, made)).commit()
    return replace(made, rev=1)


def replay(use: Setting, endpoint: Endpoint, found: Delivery) -> Delivery:
    """Send an event once more, under the same id.

    Raises:
        ConflictError: the endpoint is disabled, or the event is still being sent.
    """
    if endpoint.status == "disabled":
        raise ConflictError("the endpoint is disabled: enable it first")
    if found.state == "pending":
        raise ConflictError("it is still being sent")
    again = replayed(found, use.now)
    event = AuditEvent(
        use.by, "webhook.replayed", endpoint.id, {"delivery": found.id, **change(found.state, again.state)}
    )
    unit = use.store.transact(use.now).put(use.store.deliveries.op(again)).audit(event)
    unit.outbox(_deliver(use, again)).commit()
    return replace(again, rev=found.rev + 1)


def channel(store: TenantStore, channel_id: str) -> AlertChannel:
    """A channel.

    Raises:
        NotFoundError: no such one.
    """
    found = store.alerts.channel(channel_id)
    if found is None:
        raise NotFoundError("channel", channel_id)
    return found


def endpoint(store: TenantStore, endpoint_id: str) -> Endpoint:
    """An endpoint.

    Raises:
        NotFoundError: no such one.
    """
    found = store.alerts.endpoint(endpoint_id)
    if found is None:
        raise NotFoundError("endpoint", endpoint_id)
    return found


def delivered(store: TenantStore, endpoint_id: str, name: str) -> Delivery:
    """A delivery of an endpoint.

    Raises:
        NotFoundError: no such one.
    """
    found = store.deliveries.get(endpoint_id, name)
    if found is None:
        raise NotFoundError("delivery", name)
    return found


def event(found: Delivery) -> dict[str, Any]:
    """The event of a delivery, as it was sent."""
    body: dict[str, Any] = json.loads(found.event)
    return body


def _sealed(use: Setting, secret_id: str, text: str) -> Put:
    return use.store.secrets.op(secret_id, use.seal(secret_id, text), use.now)


def _look(use: Setting) -> Work:
    return Work(use.store.tenant_id, "outreach.findings", cause=use.by)


def _deliver(use: Setting, made: Delivery) -> Work:
    body = {"target_id": made.target_id, "delivery_id": made.id}
    return Work(use.store.tenant_id, "outreach.deliver", body=body, cause=use.by)
