"""Opaque cursors: where a listing goes on, bound to the tenant and to the question that was asked."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lantern.domain.errors import InvalidInputError

_MAC_BYTES: Final = 16
_MAX_LENGTH: Final = 4_096
_REMEDY: Final = "Send the next_cursor of the previous page of the same listing, unchanged, or none at all."


@dataclass(frozen=True, slots=True)
class Listing:
    """A question: whose, which operation, with which filters. A cursor fits no other."""

    tenant_id: str
    operation: str
    filters: Mapping[str, str]

    def fingerprint(self) -> bytes:
        """The bytes a cursor is bound to."""
        parts = [self.tenant_id, self.operation, sorted(self.filters.items())]
        return json.dumps(parts, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class CursorCodec:
    """Seals positions into cursors and opens them again; `key` is a platform secret of 32 bytes."""

    key: bytes = field(repr=False)

    def seal(self, listing: Listing, position: str) -> str:
        """The cursor for `position` in `listing`: URL-safe text."""
        raw = position.encode()
        return base64.urlsafe_b64encode(self._mac(listing, raw) + raw).decode().rstrip("=")

    def open(self, listing: Listing, cursor: str) -> str:
        """The position in a cursor.

        Raises:
            InvalidInputError: it is damaged, made up, another tenant's or another listing's.
        """
        if len(cursor) > _MAX_LENGTH:
            raise InvalidInputError("cursor", _REMEDY)
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            mac, raw = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
            if hmac.compare_digest(mac, self._mac(listing, raw)):
                return raw.decode()
        except (binascii.Error, ValueError):
            pass
        raise InvalidInputError("cursor", _REMEDY)

    def _mac(self, listing: Listing, raw: bytes) -> bytes:
        bound = listing.fingerprint()
        message = len(bound).to_bytes(4, "big") + bound + raw
        return hmac.new(self.key, message, hashlib.sha256).digest()[:_MAC_BYTES]
