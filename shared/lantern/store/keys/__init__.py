"""Every key of the TenantTable. Nothing else builds keys.

A partition key, an index key too, always starts `T#<tenant>#`: the client guard and the IAM policy
(`dynamodb:LeadingKeys`) both rely on it. Parts come from callers, so a part that could reach across
to another kind of item is refused here.
"""

from lantern.store.keys.connections import ConnectionKeys
from lantern.store.keys.inventory import InventoryKeys
from lantern.store.keys.parts import (
    BUCKETS,
    Key,
    bucket_of,
    change_prefix,
    part,
    prefix,
    shard_name,
    shard_named,
    ttl,
)
from lantern.store.keys.records import RecordKeys
from lantern.store.keys.work import WorkKeys

__all__ = [
    "BUCKETS",
    "Key",
    "Keys",
    "bucket_of",
    "change_prefix",
    "part",
    "prefix",
    "shard_name",
    "shard_named",
    "ttl",
]


class Keys(ConnectionKeys, InventoryKeys, WorkKeys, RecordKeys):
    """The keys of one tenant."""
