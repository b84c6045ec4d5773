"""Opaque identifiers: random where something is created, derived where a provider already named it.

Derived ids are the same on every run and every machine, so that a duplicate message can only meet
the record it made before. No id is, or reveals, an e-mail address.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

RandomBytes = Callable[[int], bytes]
"""Source of randomness, injected: `secrets.token_bytes` in production, seeded in tests."""

TENANT_ID: Final = re.compile(r"[a-z0-9]{20}")
_APP_BYTES: Final = 8
_PRINCIPAL_BYTES: Final = 10
_SCOPE_SET_BYTES: Final = 6


def _text(raw: bytes) -> str:
    # base32hex keeps byte order, so text order of ids is the order of their digests.
    return base64.b32hexencode(raw).decode("ascii").rstrip("=").lower()


def _raw(text: str) -> bytes:
    return base64.b32hexdecode(text.upper() + "=" * (-len(text) % 8))


def _digest(parts: tuple[str, ...], size: int) -> bytes:
    # Length-prefixed, so that ("ab", "c") and ("a", "bc") differ.
    joined = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(joined.encode()).digest()[:size]


def is_tenant_id(value: str) -> bool:
    """Whether `value` has the shape of a tenant id: 20 characters of `[a-z0-9]`."""
    return TENANT_ID.fullmatch(value) is not None


def new_tenant_id(random: RandomBytes) -> str:
    """A fresh tenant id of 20 characters (100 random bits)."""
    return _text(random(13))[:20]


def new_id(prefix: str, random: RandomBytes) -> str:
    """A fresh id `<prefix>_<16 characters>` of 80 random bits."""
    return f"{prefix}_{_text(random(10))}"


def time_id(prefix: str, now: datetime, random: RandomBytes) -> str:
    """A fresh id that sorts by creation time: 48 bits of milliseconds, then 72 random bits.

    The alphabet keeps byte order, so DynamoDB sort keys sort by time.
    """
    return f"{prefix}_{_text(int(now.timestamp() * 1000).to_bytes(6, 'big') + random(9))}"


def time_floor(prefix: str, at: datetime) -> str:
    """The smallest id that `time_id` can make at `at`: a bound for ranges of time ids."""
    return f"{prefix}_{_text(int(at.timestamp() * 1000).to_bytes(6, 'big') + bytes(9))}"


def app_id(provider: str, client_id: str) -> str:
    """The id of an app: `app_` and 64 bits derived from provider and client id."""
    return f"app_{_text(_digest((provider, client_id), _APP_BYTES))}"


def principal_id(provider: str, organisation_id: str, native_id: str) -> str:
    """The id of an account at a provider: `pri_` and 80 bits derived from its immutable native id."""
    return f"pri_{_text(_digest((provider, organisation_id, native_id), _PRINCIPAL_BYTES))}"


def person_id(principal: str) -> str:
    """The id of the person behind a principal that no other principal has been joined to yet."""
    return f"per_{principal.removeprefix('pri_')}"


def pack_person(value: str) -> bytes:
    """The 10 bytes of a person id, for packed records."""
    return _raw(value.removeprefix("per_"))


def unpack_person(raw: bytes) -> str:
    """The person id of 10 packed bytes."""
    return f"per_{_text(raw)}"


def scope_set_id(scopes: frozenset[str]) -> str:
    """The id of a set of scopes: `ss_` and 48 bits derived from the sorted scopes."""
    return f"ss_{_text(_digest(tuple(sorted(scopes)), _SCOPE_SET_BYTES))}"


def grant_id(principal: str, app: str) -> str:
    """The id of a grant: it names its principal and its app, so a grant is found without an index."""
    return f"gr_{principal.removeprefix('pri_')}.{app.removeprefix('app_')}"


def split_grant_id(value: str) -> tuple[str, str] | None:
    """Principal id and app id of a grant id; None where `value` is no grant id."""
    match = re.fullmatch(r"gr_([0-9a-v]{16})\.([0-9a-v]{13})", value)
    return (f"pri_{match[1]}", f"app_{match[2]}") if match else None


def asset_id(connection: str, kind: str, native_id: str) -> str:
    """The id of an asset: `ast_` and 80 bits derived from connection, kind and its immutable native id."""
    return derived_id("ast", connection, kind, native_id)


def derived_id(prefix: str, *parts: str) -> str:
    """A general derived id `<prefix>_<16 characters>` of 80 bits over `parts`."""
    return f"{prefix}_{_text(_digest(parts, 10))}"


def is_asset_id(value: str) -> bool:
    """Whether `value` is the id of an asset."""
    return re.fullmatch(r"ast_[0-9a-v]{16}", value) is not None


def pack_asset(value: str) -> bytes:
    """The 10 bytes of an asset id, for packed records."""
    return _raw(value.removeprefix("ast_"))


def unpack_asset(raw: bytes) -> str:
    """The asset id of 10 packed bytes."""
    return f"ast_{_text(raw)}"


def pack_app(value: str) -> bytes:
    """The 8 bytes of an app id, for packed records."""
    return _raw(value.removeprefix("app_"))


def unpack_app(raw: bytes) -> str:
    """The app id of 8 packed bytes."""
    return f"app_{_text(raw)}"


def pack_scope_set(value: str) -> bytes:
    """The 6 bytes of a scope set id, for packed records."""
    return _raw(value.removeprefix("ss_"))


def unpack_scope_set(raw: bytes) -> str:
    """The scope set id of 6 packed bytes."""
    return f"ss_{_text(raw)}"


def pack_principal(value: str) -> bytes:
    """The 10 bytes of a principal id, for packed records."""
    return _raw(value.removeprefix("pri_"))


def unpack_principal(raw: bytes) -> str:
    """The principal id of 10 packed bytes."""
    return f"pri_{_text(raw)}"


def shard_of(principal: str, shards: int) -> int:
    """The shard of a principal among `shards`, a power of two.

    Principal ids are uniform digests, so shard k of n is a contiguous range of ids: a doubling
    of n splits each range in two and moves no item whose key is the principal id.
    """
    if shards < 1 or shards & (shards - 1):
        raise ValueError(f"shards must be a power of two, got {shards}")
    return int.from_bytes(pack_principal(principal)[:2], "big") * shards >> 16


def shard_range(shard: int, shards: int) -> tuple[str, str]:
    """First and last possible principal id of a shard, both inclusive."""
    width = (1 << 16) // shards
    first = (shard * width).to_bytes(2, "big") + bytes(8)
    last = ((shard + 1) * width - 1).to_bytes(2, "big") + b"\xff" * 8
    return unpack_principal(first), unpack_principal(last)
