"""Assets of a tenant: what its connections listed beside grants, and what has gone since."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lantern.domain.assets import Asset, AssetKind
from lantern.domain.errors import RevisionConflictError
from lantern.store.documents import Documents, Page
from lantern.store.keys import ttl
from lantern.store.records import Versioned

GONE_DAYS: Final = 400
_ATTEMPTS: Final = 4


@dataclass(frozen=True, slots=True)
class StoredAsset:
    """An asset as last listed; `gone_at` is when a complete listing no longer had it."""

    asset: Asset
    first_seen: datetime
    changed_at: datetime
    gone_at: datetime | None = None
    rev: int = 0


@dataclass(frozen=True, slots=True)
class AssetChanges:
    """What a listing changed, by asset id."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


class AssetRepository:
    """Assets of a tenant, by id, by kind and by connection."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._keys = documents.keys
        self._records = Versioned(documents, "asset", StoredAsset)

    def get(self, asset_id: str) -> StoredAsset | None:
        """An asset; one that is gone stays readable for 400 days."""
        return self._records.get(self._keys.asset(asset_id))

    def batch_get(self, asset_ids: Iterable[str]) -> dict[str, StoredAsset]:
        """Assets by id, as far as they are kept; 100 a call."""
        docs = self._documents.batch_get(self._keys.asset(one) for one in asset_ids)
        found = (self._records.decode(doc) for doc in docs.values())
        return {one.asset.id: one for one in found}

    def page(
        self, kind: AssetKind, connection_id: str | None, *, limit: int, cursor: str | None
    ) -> Page[StoredAsset]:
        """Assets of a kind, of one connection or of all, those that are gone too."""
        starts = f"{connection_id}#" if connection_id else None
        return self._records.page(
            self._keys.assets_of(kind), index=True, starts=starts, limit=limit, cursor=cursor
        )

    def present(self, kinds: Iterable[AssetKind]) -> Iterator[StoredAsset]:
        """Every asset of some kinds that is there now, page by page as consumed."""
        for kind in kinds:
            yield from (one for one in self._of(None, kind) if one.gone_at is None)

    def reconcile(
        self, connection_id: str, kind: AssetKind, listed: Iterable[Asset], now: datetime
    ) -> AssetChanges:
        """Store a complete listing: what is new or changed is written, what is missing is marked as gone.

        An unchanged asset costs no write. Doing it again changes nothing.
        """
        stored = {one.asset.id: one for one in self._of(connection_id, kind)}
        added: list[str] = []
        changed: list[str] = []
        gone: list[str] = []
        for asset in listed:
            known = stored.pop(asset.id, None)
            if known is not None and known.asset == asset and known.gone_at is None:
                continue
            self._put(asset.id, known, asset, now, gone=False)
            (changed if known else added).append(asset.id)
        for missing in stored.values():
            if missing.gone_at is None:
                self._put(missing.asset.id, missing, missing.asset, now, gone=True)
                gone.append(missing.asset.id)
        return AssetChanges(tuple(added), tuple(changed), tuple(gone))

    def _of(self, connection_id: str | None, kind: AssetKind) -> Iterator[StoredAsset]:
        cursor: str | None = None
        while True:
            page = self.page(kind, connection_id, limit=200, cursor=cursor)
            yield from page.items
            cursor = page.cursor
            if cursor is None:
                return

    def _put(
        self, asset_id: str, known: StoredAsset | None, asset: Asset, now: datetime, *, gone: bool
    ) -> None:
        """Write on the revision that is there: the index may lag behind the table."""
        for _ in range(_ATTEMPTS):
            fresh = StoredAsset(
                asset,
                first_seen=known.first_seen if known else now,
                changed_at=now,
                gone_at=now if gone else None,
                rev=known.rev if known else 0,
            )
            try:
                self._records.put(
                    self._keys.asset(asset_id),
                    fresh,
                    index=self._keys.asset_listed(asset.kind, asset.connection_id, asset_id),
                    ttl=ttl(now, GONE_DAYS) if gone else None,
                )
            except RevisionConflictError:
                known = self._records.get(self._keys.asset(asset_id), consistent=True)
                continue
            return
        raise RevisionConflictError(f"asset {asset_id} keeps changing")
