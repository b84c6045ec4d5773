"""How the inventory changed: one entry per grant that was added, removed or changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from lantern.domain.inventory import Bundle, Cause, DeltaKind


@dataclass(frozen=True, slots=True)
class ChangeEntry:
    """One change of one grant.

    `rev` is the revision of the bundle that the change produced: (principal, rev, app) names a change,
    so that recording it twice records it once. `before` and `after` are scope set ids, None where absent.
    """

    at: datetime
    principal_id: str
    rev: int
    app_id: str
    kind: DeltaKind
    before: str | None
    after: str | None
    cause: Cause

    @property
    def identity(self) -> tuple[str, int, str]:
        """What makes two entries the same change."""
        return self.principal_id, self.rev, self.app_id


def entries_of(bundle: Bundle) -> Iterator[ChangeEntry]:
    """The change entries of a stored bundle's last write.

    Raises:
        ValueError: the bundle has a delta but was never written.
    """
    if bundle.delta and (bundle.changed_at is None or bundle.rev < 1):
        raise ValueError("a delta belongs to a bundle that was written")
    for delta in bundle.delta:
        assert bundle.changed_at is not None  # noqa: S101 - narrows the type; checked above
        yield ChangeEntry(
            at=bundle.changed_at,
            principal_id=bundle.principal.id,
            rev=bundle.rev,
            app_id=delta.app_id,
            kind=delta.kind,
            before=delta.before,
            after=delta.after,
            cause=bundle.cause,
        )
