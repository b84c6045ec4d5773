"""API keys of a tenant: issue, list, revoke.

A key is two records: what the authorizer needs is in the platform table, what the tenant sees is among
its own items. They cannot change in one transaction, so each use-case orders its writes such that a
crash in between leaves a key that does not work, never one that nobody sees.
"""

from dataclasses import replace
from datetime import datetime

from lantern.domain import apikeys
from lantern.domain.access import ApiKeyInfo
from lantern.domain.apikeys import Scope
from lantern.domain.audit import NOTHING, AuditEvent, change
from lantern.domain.errors import NotFoundError
from lantern.domain.ids import RandomBytes
from lantern.domain.pagination import Slice, slice_after
from lantern.services import queries_people
from lantern.store.platform import KeyEntry, PlatformStore
from lantern.store.tenant import TenantStore


def issue(
    store: TenantStore,
    platform: PlatformStore,
    *,
    environment: str,
    name: str,
    scopes: frozenset[Scope],
    by: str,
    now: datetime,
    random: RandomBytes,
    person_id: str | None = None,
) -> tuple[ApiKeyInfo, str]:
    """A fresh key: what the tenant sees of it, and its text, which exists nowhere else.

    Raises:
        NotFoundError: nobody has this `person_id`.
    """
    if person_id is not None:
        queries_people.accounts(store, person_id)
    key = apikeys.issue(environment, random)
    info = ApiKeyInfo(
        id=key.id,
        name=name,
        scopes=scopes,
        created_at=now,
        created_by=by,
        last4=key.last4,
        person_id=person_id,
    )
    detail = {"scopes": " ".join(sorted(scopes)), **change(NOTHING, "active")}
    if person_id is not None:
        detail["person"] = person_id
    event = AuditEvent(by, "key.issued", key.id, detail)
    store.transact(now).put(store.keys.op(info)).audit(event).commit()
    platform.put_key(KeyEntry(key.id, store.tenant_id, frozenset(scopes), key.hash))
    return replace(info, rev=1), key.text


def listing(store: TenantStore, *, after: str | None, limit: int) -> Slice[ApiKeyInfo]:
    """Keys in the order of their ids, revoked ones too."""
    position = None if after is None else (after,)
    return slice_after(store.keys.list(), key=lambda info: (info.id,), after=position, limit=limit)


def revoke(store: TenantStore, platform: PlatformStore, key_id: str, *, by: str, now: datetime) -> ApiKeyInfo:
    """End a key, at once for the table and within the authorizer's cache time for requests.

    Doing it twice does it once.

    Raises:
        NotFoundError: the tenant has no such key.
    """
    info = store.keys.get(key_id)
    if info is None:
        raise NotFoundError("key", key_id)
    platform.revoke_key(key_id, store.tenant_id)
    if info.revoked_at is not None:
        return info
    revoked = replace(info, revoked_at=now)
    event = AuditEvent(by, "key.revoked", key_id, change("active", "revoked"))
    store.transact(now).put(store.keys.op(revoked)).audit(event).commit()
    return replace(revoked, rev=info.rev + 1)
