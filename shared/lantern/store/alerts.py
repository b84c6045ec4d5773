"""What a tenant wants to be told, where, and what it was told already."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from lantern.domain.alerts import AlertChannel, AlertSettings, Ledger, OutreachState
from lantern.domain.channel_health import ChannelHealth
from lantern.domain.errors import RevisionConflictError
from lantern.domain.webhooks import Endpoint
from lantern.store.documents import Delete, Documents, Put
from lantern.store.records import Versioned
from lantern.store.spread import PARTS, Spread

_ATTEMPTS: Final = 5
LEDGER_ITEMS: Final = PARTS + 1


@dataclass(frozen=True, slots=True)
class Announced:
    """Up to which revision each finding was announced to systems; `at` is when that was last looked at."""

    revs: Mapping[str, int] = field(default_factory=dict)
    at: datetime | None = None
    rev: int = 0


class AlertRepository:
    """A tenant's alerts."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._keys = documents.keys
        self._settings = Versioned(documents, "alert_settings", AlertSettings)
        self._channels = Versioned(documents, "alert_channel", AlertChannel)
        self._ledgers = Spread(documents, "alert_ledger", Ledger, "told", "by")
        self._endpoints = Versioned(documents, "webhook_endpoint", Endpoint)
        self._announced = Spread(documents, "announced", Announced, "revs")
        self._health = Versioned(documents, "channel_health", ChannelHealth)
        self._state = Versioned(documents, "outreach_state", OutreachState)

    # --- settings and channels ------------------------------------------------------------------
    def settings(self) -> AlertSettings:
        """The settings; the defaults where none were made."""
        return self._settings.get(self._keys.alert("SETTINGS"), consistent=True) or AlertSettings()

    def settings_op(self, settings: AlertSettings) -> Put:
        """Their write, for a transaction."""
        return self._settings.op(self._keys.alert("SETTINGS"), settings)

    def channels(self) -> tuple[AlertChannel, ...]:
        """All channels, in the order of their ids."""
        return tuple(self._channels.all(self._keys.alert_channels()))

    def channel(self, channel_id: str) -> AlertChannel | None:
        """A channel."""
        return self._channels.get(self._keys.alert_channel(channel_id), consistent=True)

    def channel_op(self, channel: AlertChannel) -> Put:
        """Its write, for a transaction."""
        return self._channels.op(self._keys.alert_channel(channel.id), channel)

    def channel_gone(self, channel: AlertChannel) -> Delete:
        """Its removal, for a transaction."""
        return Delete(self._keys.alert_channel(channel.id), channel.rev)

    # --- what was told --------------------------------------------------------------------------
    def ledger(self, channel_id: str) -> Ledger:
        """What a channel was told."""
        key = self._keys.alert(f"LEDGER#{channel_id}")
        return self._ledgers.whole(key) or Ledger(channel_id)

    def ledger_ops(self, before: Ledger, after: Ledger) -> Iterator[Put]:
        """Its write on the revision of what was read, for a transaction: at most `LEDGER_ITEMS`."""
        return self._ledgers.ops(self._keys.alert(f"LEDGER#{after.channel_id}"), before, after)

    def health(self, channel_id: str) -> ChannelHealth:
        """Whether a channel works."""
        key = self._keys.alert(f"HEALTH#{channel_id}")
        return self._health.get(key, consistent=True) or ChannelHealth(channel_id)

    def standing(self, channel_ids: Sequence[str]) -> tuple[AlertSettings, Mapping[str, ChannelHealth]]:
        """The settings, and whether each of these channels works; one request."""
        settings = self._keys.alert("SETTINGS")
        keys = {name: self._keys.alert(f"HEALTH#{name}") for name in channel_ids}
        found = self._documents.batch_get([settings, *keys.values()], consistent=True)
        held = {name: self._health.decode(found[key]) for name, key in keys.items() if key in found}
        return (
            self._settings.decode(found[settings]) if settings in found else AlertSettings(),
            {name: held.get(name) or ChannelHealth(name) for name in channel_ids},
        )

    def health_op(self, health: ChannelHealth) -> Put:
        """Its write, for a transaction."""
        return self._health.op(self._keys.alert(f"HEALTH#{health.channel_id}"), health)

    def announced(self) -> Announced:
        """What systems were told."""
        return self._announced.whole(self._keys.alert("ANNOUNCED")) or Announced()

    def announced_ops(self, before: Announced, after: Announced) -> Iterator[Put]:
        """Its write on the revision of what was read, for a transaction."""
        return self._announced.ops(self._keys.alert("ANNOUNCED"), before, after)

    # --- endpoints ------------------------------------------------------------------------------
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All endpoints, in the order of their ids."""
        return tuple(self._endpoints.all(self._keys.endpoints()))

    def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """An endpoint."""
        return self._endpoints.get(self._keys.endpoint(endpoint_id), consistent=True)

    def put_endpoint(self, endpoint: Endpoint) -> Endpoint:
        """Write on its revision; raises `RevisionConflictError`."""
        return self._endpoints.put(self._keys.endpoint(endpoint.id), endpoint)

    def endpoint_op(self, endpoint: Endpoint) -> Put:
        """The same write for a transaction."""
        return self._endpoints.op(self._keys.endpoint(endpoint.id), endpoint)

    def endpoint_gone(self, endpoint: Endpoint) -> Delete:
        """Its removal, for a transaction."""
        return Delete(self._keys.endpoint(endpoint.id), endpoint.rev)

    # --- when to look again ---------------------------------------------------------------------
    def state(self) -> OutreachState:
        """When outreach must look again."""
        return self._state.get(self._keys.alert("STATE"), consistent=True) or OutreachState()

    def wake(self, at: datetime, read: OutreachState | None = None) -> None:
        """Have outreach look again at `at` or before.

        Args:
            at: when.
            read: the state as it was before everything that is due was done; what it asked for is done then.
        """
        before = read or self.state()
        for _ in range(_ATTEMPTS):
            asked = before.due_at
            if read is None and asked is not None and asked <= at:
                return
            try:
                self._state.put(self._keys.alert("STATE"), OutreachState(at, before.rev))
            except RevisionConflictError:
                before, read = self.state(), None
            else:
                return
