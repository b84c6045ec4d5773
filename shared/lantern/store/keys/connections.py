"""Keys of connections, and of what was read at each."""

from datetime import date

from lantern.store.keys.parts import Key, TenantPrefix, change_prefix, part, shard_name


class ConnectionKeys(TenantPrefix):
    """Connections, and what was read at each."""

    # --- the tenant ------------------------------------------------------------------------------
    def tenant(self) -> Key:
        """The tenant record."""
        return Key(self._pk("TENANT"), "TENANT")

    def connection(self, cid: str) -> Key:
        """A connection."""
        return Key(self.connections(), part(cid))

    def connections(self) -> str:
        """Partition of all connections."""
        return self._pk("CONN")

    def secret(self, cid: str) -> Key:
        """A connection's encrypted credential."""
        return Key(self._pk("SECRET"), part(cid))

    # --- one connection --------------------------------------------------------------------------
    def of_connection(self, cid: str) -> str:
        """Partition of what belongs to a connection and is no listing of its own."""
        return self._pk("C", part(cid))

    def cursor(self, cid: str, stream: str) -> Key:
        """How far a feed has been read."""
        return Key(self.of_connection(cid), f"CURSOR#{part(stream)}")

    def lease(self, cid: str, chain: str) -> Key:
        """The lease of a chain."""
        return Key(self.of_connection(cid), f"LEASE#{part(chain)}")

    def mail(self, cid: str) -> Key:
        """Whether headers of mail are read."""
        return Key(self.of_connection(cid), "MAIL")

    def channel(self, cid: str, channel_id: str) -> Key:
        """A push channel."""
        return Key(self.of_connection(cid), f"CHAN#{part(channel_id)}")

    def activity(self, cid: str) -> Key:
        """The window of use that is known."""
        return Key(self.of_connection(cid), "ACTIVITY")

    def runs(self, cid: str) -> str:
        """Partition of the runs of a connection."""
        return self._pk("C", part(cid), "RUN")

    def run(self, cid: str, run_id: str) -> Key:
        """A run."""
        return Key(self.runs(cid), part(run_id))

    def bundles(self, cid: str) -> str:
        """Partition of the bundles of a connection."""
        return self._pk("C", part(cid), "P")

    def bundle(self, cid: str, pid: str) -> Key:
        """A principal's bundle."""
        return Key(self.bundles(cid), part(pid))

    def bundle_part(self, cid: str, pid: str, rev: int, number: int) -> Key:
        """An overflow part of a bundle revision."""
        return Key(self.bundles(cid), f"{part(pid)}~{rev:08d}~{number:03d}")

    def bucket(self, cid: str, bucket: int) -> str:
        """Partition of the footprints of the apps that fall into a bucket."""
        return self._pk("C", part(cid), "F", f"{bucket:02d}")

    def footprint(self, cid: str, bucket: int, shard: int, shards: int) -> Key:
        """The footprints of a bucket's apps in one shard."""
        return Key(self.bucket(cid, bucket), shard_name(shard, shards))

    def shard_states(self, cid: str) -> str:
        """Partition of the states of a connection's shards."""
        return self._pk("C", part(cid), "SHARD")

    def shard_state(self, cid: str, shard: int, shards: int) -> Key:
        """When a shard was last read completely."""
        return Key(self.shard_states(cid), shard_name(shard, shards))

    def changes(self, cid: str, day: date) -> str:
        """Partition of a month of change history."""
        return self._pk("C", part(cid), "H", f"{day:%Y-%m}")

    def change(self, cid: str, day: date, shard: int, number: int) -> Key:
        """A part of the change history of a shard and day."""
        return Key(self.changes(cid, day), f"{change_prefix(day, shard)}{number:04d}")

    def use_week(self, cid: str, week: str, shard: int, shards: int) -> Key:
        """Use of one ISO week in one shard."""
        return Key(self._pk("C", part(cid), "USE", part(week)), shard_name(shard, shards))

    def consents(self, cid: str, shard: int, shards: int) -> Key:
        """When grants of one shard were given, as far as past events said."""
        return Key(self._pk("C", part(cid), "CONSENT"), shard_name(shard, shards))

    def last_use(self, cid: str, shard: int, shards: int) -> Key:
        """Last use in one shard."""
        return Key(self._pk("C", part(cid), "LAST"), shard_name(shard, shards))

    def app_use(self, cid: str, name: str) -> Key:
        """Use of some apps as a whole, or the window in which it is known."""
        return Key(self._pk("C", part(cid), "APPUSE"), part(name))

    def delegations(self, cid: str) -> str:
        """Partition of the delegation ledger."""
        return self._pk("C", part(cid), "DELEG")

    def delegation(self, cid: str, client_id: str) -> Key:
        """The ledger of one client's delegation."""
        return Key(self.delegations(cid), part(client_id))
