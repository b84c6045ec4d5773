"""Looking several things up in one request."""

from collections.abc import Sequence

from lantern.domain.errors import NotFoundError
from lantern.store.keys import Key
from lantern.store.tenant import TenantStore


def require(store: TenantStore, things: Sequence[tuple[str, str, Key]]) -> None:
    """Refuse unless everything exists: (what, id, key) each, in one request.

    Raises:
        NotFoundError: naming the first that does not.
    """
    found = store.documents.batch_get([key for _, _, key in things])
    for what, identifier, key in things:
        if key not in found:
            raise NotFoundError(what, identifier)
