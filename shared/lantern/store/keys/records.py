"""Keys of the audit chain, the outbox and access."""

from lantern.store.keys.parts import Key, TenantPrefix, part


class RecordKeys(TenantPrefix):
    """Audit, outbox, access."""

    def audit(self) -> str:
        """Partition of the audit chain."""
        return self._pk("AUDIT")

    def audit_entry(self, seq: int) -> Key:
        """An audit entry."""
        return Key(self.audit(), f"E#{seq:012d}")

    def audit_head(self) -> Key:
        """The end of the audit chain."""
        return Key(self.audit(), "HEAD")

    def outbox(self) -> str:
        """Partition of messages to send."""
        return self._pk("OUTBOX")

    def message(self, message_id: str) -> Key:
        """A message to send."""
        return Key(self.outbox(), part(message_id))

    def api_keys(self) -> str:
        """Partition of the API keys' metadata."""
        return self._pk("KEY")

    def api_key(self, key_id: str) -> Key:
        """An API key's metadata."""
        return Key(self.api_keys(), part(key_id))

    def link(self, link_id: str) -> Key:
        """A consent link."""
        return Key(self._pk("LINK"), part(link_id))

    def idempotency(self) -> str:
        """Partition of idempotency records (Powertools: `static_pk_value`)."""
        return self._pk("IDEM")
