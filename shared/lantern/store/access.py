"""API key metadata and consent links."""

from datetime import datetime

from lantern.domain.access import ApiKeyInfo, ConsentLink
from lantern.store.documents import Documents, Put
from lantern.store.keys import ttl
from lantern.store.records import Records, Versioned


class ApiKeyRepository:
    """What a tenant may see of its API keys."""

    def __init__(self, documents: Documents) -> None:
        self._records = Versioned(documents, "api_key", ApiKeyInfo)
        self._keys = documents.keys

    def get(self, key_id: str) -> ApiKeyInfo | None:
        """A key's metadata."""
        return self._records.get(self._keys.api_key(key_id))

    def list(self) -> tuple[ApiKeyInfo, ...]:
        """All keys, revoked ones too."""
        return tuple(self._records.all(self._keys.api_keys()))

    def put(self, info: ApiKeyInfo) -> ApiKeyInfo:
        """Write on `info.rev`; raises `RevisionConflictError`."""
        return self._records.put(self._keys.api_key(info.id), info)

    def op(self, info: ApiKeyInfo) -> Put:
        """The same write for a transaction."""
        return self._records.op(self._keys.api_key(info.id), info)


class LinkRepository:
    """Single-use consent links."""

    def __init__(self, documents: Documents) -> None:
        self._records = Records(documents, "link", ConsentLink)
        self._keys = documents.keys

    def put(self, link: ConsentLink) -> None:
        """Store a new link.

        Raises:
            RevisionConflictError: its id is taken.
        """
        doc = self._records.doc(self._keys.link(link.id), link, ttl=ttl(link.expires_at, 1))
        self._records.documents.put(doc, 0)

    def consume(self, link_id: str, now: datetime) -> ConsentLink | None:
        """The link, for the one caller that takes it; None where it was used, expired or never made.

        A link whose taking got no answer counts as taken.
        """
        doc = self._records.documents.delete(self._keys.link(link_id))
        if doc is None:
            return None
        link = self._records.decode(doc)
        return link if now < link.expires_at else None
