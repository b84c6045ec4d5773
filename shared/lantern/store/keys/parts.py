"""What keys are made of: parts, shards, buckets, months."""

import re
from datetime import UTC, date, datetime
from typing import Final, NamedTuple

from lantern.domain import ids
from lantern.domain.errors import NotFoundError

BUCKETS: Final = 100
"""Into how many items the footprints of one shard are cut: one BatchGetItem reads them all."""

_PART: Final = re.compile(r"[\x21\x22\x24-\x7d]{1,200}")  # printable ASCII but '#', '~' and space


class Key(NamedTuple):
    """Partition key and sort key of an item, or of its index entry."""

    pk: str
    sk: str


def part(value: str) -> str:
    """`value` as a part of a key.

    Raises:
        NotFoundError: it has a character that no id has, so nothing by this id exists.
    """
    if _PART.fullmatch(value) is None:
        raise NotFoundError("item", repr(value[:40]))
    return value


def prefix(tenant_id: str) -> str:
    """What every partition key of a tenant starts with.

    Raises:
        ValueError: `tenant_id` is not a tenant id.
    """
    if not ids.is_tenant_id(tenant_id):
        raise ValueError("not a tenant id")
    return f"T#{tenant_id}#"


class TenantPrefix:
    """What the keys of one tenant have in common."""

    def __init__(self, tenant_id: str) -> None:
        self.prefix = prefix(tenant_id)

    def _pk(self, *parts: str) -> str:
        return self.prefix + "#".join(parts)


def shard_name(shard: int, shards: int) -> str:
    """Sort key of what belongs to shard `shard` of `shards`; the generation is part of the name."""
    if not 0 <= shard < shards:
        raise ValueError(f"no shard {shard} of {shards}")
    return f"{shard:04d}/{shards:04d}"


def shard_named(name: str) -> tuple[int, int]:
    """Shard and number of shards of a `shard_name`."""
    shard, shards = name.split("/")
    return int(shard), int(shards)


def change_prefix(day: date, shard: int) -> str:
    """What the sort keys of a shard's changes of a day start with."""
    return f"{day:%Y-%m-%d}#{shard:04d}#"


def bucket_of(app_id: str) -> int:
    """The footprint bucket of an app."""
    return int.from_bytes(ids.pack_app(app_id)[:4], "big") % BUCKETS


def ttl(at: datetime, days: int) -> int:
    """Epoch seconds at which an item of `at` expires after `days`."""
    return int(at.astimezone(UTC).timestamp()) + days * 86_400
