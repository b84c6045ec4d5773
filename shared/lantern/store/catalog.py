"""A tenant's own catalog entries, packed into one item, and how far its apps follow the catalog."""

from typing import Final

from lantern.domain.errors import ConflictError
from lantern.domain.overlay import AppliedCatalog, TenantCatalog
from lantern.store.documents import Documents, Put
from lantern.store.records import Records, Versioned

MAX_BYTES: Final = 300_000
"""Of all entries together as stored: DynamoDB takes items of up to 400 kB."""


class CatalogRepository:
    """A tenant's layer of the catalog. All of it is one item, so that judging reads it with one request."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._keys = documents.keys
        self._entries = Versioned(documents, "catalog", TenantCatalog)
        self._applied = Records(documents, "catalog_applied", AppliedCatalog)

    def get(self, *, consistent: bool = False) -> TenantCatalog:
        """All entries."""
        return self._entries.get(self._keys.catalog_entries(), consistent=consistent) or TenantCatalog()

    def op(self, catalog: TenantCatalog) -> Put:
        """The write of all entries on `catalog.rev`, for a transaction.

        Raises:
            ConflictError: they take more room than an item has.
        """
        op = self._entries.op(self._keys.catalog_entries(), catalog)
        if len(op.doc.body) > MAX_BYTES:
            raise ConflictError("The entries take more room than there is; remove or shorten some.")
        return op

    def state(self, *, consistent: bool = False) -> tuple[TenantCatalog, AppliedCatalog | None]:
        """All entries, and the catalog that was last applied, in one request."""
        catalog, applied = TenantCatalog(), None
        for doc in self._documents.query(self._keys.catalog(), consistent=consistent):
            if doc.key == self._keys.catalog_entries():
                catalog = self._entries.decode(doc)
            elif doc.key == self._keys.catalog_applied():
                applied = self._applied.decode(doc)
        return catalog, applied

    def applied(self) -> AppliedCatalog | None:
        """The catalog that was last applied to the tenant's apps."""
        return self._applied.get(self._keys.catalog_applied())

    def put_applied(self, applied: AppliedCatalog) -> None:
        """Note a catalog as applied."""
        self._documents.put(self._applied.doc(self._keys.catalog_applied(), applied), None)
