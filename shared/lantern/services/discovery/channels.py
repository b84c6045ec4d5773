"""Keep push channels open: one per event, opened anew before the old one ends."""

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from lantern.connectors.protocol import Channel, ChannelRequest
from lantern.domain import ids
from lantern.domain.access import StoredChannel
from lantern.services.discovery.context import Discovery
from lantern.store.platform import ChannelRoute, PlatformStore

log = logging.getLogger(__name__)

_ENDLESS: Final = timedelta(days=3_650)
_SECRET_BYTES: Final = 32

Address = Callable[[str, str], str]
"""The public address of a webhook, from provider and channel id."""


def renew_channels(
    task: Discovery, platform: PlatformStore, address: Address, *, lost: str | None = None
) -> int:
    """Open a channel for every event that has none which lasts long enough; close what they replace.

    How long channels live and when the next is opened is in the provider's manifest.

    The new channel is known here before the provider is asked to deliver to it, so that its first
    message finds it. Deliveries of both overlap for a moment; they are hints and meet in one bundle.
    `lost` is a channel that the provider closed by itself, so it counts as ended.
    A connection that is given up meanwhile keeps no channel: whoever sees the other's work last closes it.

    Returns:
        How many channels were opened.
    """
    fact = task.connector.manifest.push
    if fact is None or fact.kind != "channel":
        return 0
    life = timedelta(seconds=fact.ttl_s) if fact.ttl_s else _ENDLESS
    ahead = timedelta(seconds=fact.renew_s)
    now = task.clock.now()
    current = task.store.channels.list(task.connection.id)
    opened = 0
    for event in fact.events:
        mine = [c for c in current if c.event == event]
        if any(c.resource_id and c.id != lost and c.expires_at - now > ahead for c in mine):
            continue
        fresh = _open(task, platform, address, event, now, life, ahead)
        if _given_up(task):
            close_channel(task, platform, fresh)
            return opened
        opened += 1
        for old in mine:
            close_channel(task, platform, old)
    return opened


def _given_up(task: Discovery) -> bool:
    current = task.store.connections.get(task.connection.id)
    return current is None or current.leaving


def _open(
    task: Discovery,
    platform: PlatformStore,
    address: Address,
    event: str,
    now: datetime,
    life: timedelta,
    ahead: timedelta,
) -> StoredChannel:
    connection = task.connection
    channel_id = ids.new_id("chn", task.random)
    secret = ids.new_id("whk", lambda _size: task.random(_SECRET_BYTES))
    hashed = hashlib.sha256(secret.encode()).hexdigest()
    platform.put_channel(
        ChannelRoute(
            channel_id, task.store.tenant_id, connection.id, hashed, now + life + ahead, connection.provider
        )
    )
    waiting = StoredChannel(channel_id, "", "grants", event, now + life, hashed)
    task.store.channels.put(connection.id, waiting)
    channel = task.connector.open_channel(
        ChannelRequest(
            id=channel_id,
            address=address(connection.provider, channel_id),
            secret=secret,
            purpose="grants",
            event=event,
            ttl_s=int(life.total_seconds()),
        )
    )
    stored = StoredChannel(channel_id, channel.resource_id, "grants", event, channel.expires_at, hashed)
    task.store.channels.put(connection.id, stored)
    return stored


def close_channel(task: Discovery, platform: PlatformStore, stored: StoredChannel) -> None:
    """Stop a channel at the provider and forget it; one that never opened is only forgotten."""
    if stored.resource_id:
        task.connector.close_channel(
            Channel(stored.id, stored.resource_id, "grants", stored.expires_at, stored.event)
        )
    platform.delete_channel(stored.id)
    task.store.channels.delete(task.connection.id, stored.id)
