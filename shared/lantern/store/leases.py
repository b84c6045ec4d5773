"""Fenced leases: one worker per chain, and a number by which a late one is known."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from lantern.domain.errors import LeaseLostError, RevisionConflictError
from lantern.domain.tenancy import Lease
from lantern.store.documents import Documents
from lantern.store.records import Versioned


@dataclass(frozen=True, slots=True)
class _Held:
    lease: Lease
    rev: int = 0


class LeaseRepository:
    """Leases of a connection's chains.

    The item stays when a lease is released, so that the fence goes on counting.
    """

    def __init__(self, documents: Documents) -> None:
        self._records = Versioned(documents, "lease", _Held)
        self._keys = documents.keys

    def acquire(self, cid: str, chain: str, owner: str, ttl_s: float, now: datetime) -> Lease:
        """Become the one worker of a chain for `ttl_s` seconds, with a fence larger than any before.

        An owner is a message: when it is delivered again because its worker died, it takes over at once,
        and a worker that was only slow loses the lease at its next renewal.

        Raises:
            LeaseLostError: another owner holds it.
        """
        held = self._read(cid, chain)
        if held is not None and held.lease.expires_at > now and held.lease.owner != owner:
            raise LeaseLostError(f"{chain} is held until {held.lease.expires_at:%H:%M:%S}")
        fence = held.lease.fence + 1 if held else 1
        lease = Lease(owner, fence, now + timedelta(seconds=ttl_s))
        self._write(cid, chain, _Held(lease, held.rev if held else 0))
        return lease

    def renew(self, cid: str, chain: str, lease: Lease, ttl_s: float, now: datetime) -> Lease:
        """Hold it for `ttl_s` seconds from now; an expired lease that nobody took may be renewed.

        Raises:
            LeaseLostError: somebody took it.
        """
        held = self._own(cid, chain, lease)
        renewed = Lease(lease.owner, lease.fence, now + timedelta(seconds=ttl_s))
        self._write(cid, chain, _Held(renewed, held.rev))
        return renewed

    def release(self, cid: str, chain: str, lease: Lease) -> None:
        """Let go of it; a lease that somebody else took is let go of already."""
        try:
            held = self._own(cid, chain, lease)
            expired = Lease(lease.owner, lease.fence, datetime.fromtimestamp(0, tz=lease.expires_at.tzinfo))
            self._write(cid, chain, _Held(expired, held.rev))
        except LeaseLostError:
            return

    def _read(self, cid: str, chain: str) -> _Held | None:
        return self._records.get(self._keys.lease(cid, chain), consistent=True)

    def _own(self, cid: str, chain: str, lease: Lease) -> _Held:
        held = self._read(cid, chain)
        if held is None or (held.lease.owner, held.lease.fence) != (lease.owner, lease.fence):
            raise LeaseLostError(f"{chain} was taken by another worker")
        return held

    def _write(self, cid: str, chain: str, held: _Held) -> None:
        try:
            self._records.put(self._keys.lease(cid, chain), held)
        except RevisionConflictError:
            raise LeaseLostError(f"{chain} was taken by another worker") from None
