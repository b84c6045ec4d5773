"""The audit log as a hash chain: what an entry says, how entries are chained, how a chain is verified.

`hash_n = sha256(hash_{n-1} + canonical(entry_n))`. Entries hold opaque ids only, so that the item which
maps an id to a person can be erased without breaking the chain.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

GENESIS: Final = "0" * 64
"""The hash before the first entry."""


NOTHING: Final = "none"
"""What was before something was made."""
GONE: Final = "gone"
"""What is after something was taken away."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What somebody did: `actor` and `subject` are opaque ids, `detail` small facts without secrets.

    What changes something says how it was in `before` and how it is in `after`.
    """

    actor: str
    action: str
    subject: str
    detail: Mapping[str, str] = field(default_factory=dict)


def change(before: object, after: object) -> dict[str, str]:
    """What a decision or an act changed, in short words for `detail`: how it was, and how it is since."""
    return {"before": str(before)[:200], "after": str(after)[:200]}


def differences(before: object, after: object, *names: str) -> dict[str, str]:
    """The fields of these names that differ between two records, as `change` tells them.

    A collection is told by its length: its members may be names of people. Where none of them differs, such
    as when only a text of people was changed, the revisions are told.
    """
    pairs = [(name, getattr(before, name, None), getattr(after, name)) for name in names]
    differ = [(name, old, new) for name, old, new in pairs if old != new or before is None]
    if not differ and before is not None:
        was = getattr(before, "rev", 0)
        return change(f"revision {was}", f"revision {was + 1}")
    return change(
        " ".join(f"{name}={_short(old)}" for name, old, _ in differ) if before is not None else NOTHING,
        " ".join(f"{name}={_short(new)}" for name, _, new in differ),
    )


def _short(value: object) -> str:
    if isinstance(value, tuple | list | frozenset | set | dict):
        return str(len(value))
    return str(getattr(value, "value", value)) or "none"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An event in its place in the chain; `seq` counts from 1."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, str]
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The last entry of the chain; `seq` 0 for an empty one."""

    seq: int = 0
    hash: str = GENESIS


def canonical(entry: AuditEntry) -> bytes:
    """The bytes of an entry that its hash covers: everything but the two hashes.

    JSON with sorted keys, no spaces, ASCII only, the time in UTC with microseconds.
    """
    content = {
        "action": entry.action,
        "actor": entry.actor,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "detail": dict(entry.detail),
        "seq": entry.seq,
        "subject": entry.subject,
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode("ascii")


def digest(entry: AuditEntry) -> str:
    """The hash an entry must have: 64 hexadecimal digits."""
    return hashlib.sha256(entry.prev_hash.encode("ascii") + canonical(entry)).hexdigest()


def chain(head: AuditHead, events: Iterable[AuditEvent], at: datetime) -> tuple[AuditEntry, ...]:
    """The entries that `events` become after `head`."""
    entries: list[AuditEntry] = []
    seq, previous = head.seq, head.hash
    for event in events:
        seq += 1
        draft = AuditEntry(
            seq, at, event.actor, event.action, event.subject, dict(event.detail), previous, ""
        )
        entry = AuditEntry(
            seq, at, event.actor, event.action, event.subject, draft.detail, previous, digest(draft)
        )
        entries.append(entry)
        previous = entry.hash
    return tuple(entries)


def verify(
    entries: Iterable[AuditEntry], *, after: AuditHead | None = None, head: AuditHead | None = None
) -> int | None:
    """The first sequence number at which a chain is not what was written, or None.

    Args:
        entries: as stored, in sequence order.
        after: the trusted entry they follow; by default they start the chain.
        head: where the chain must end: a trusted head (an anchor, or the stored one). Without it entries
            cut off at the end cannot be noticed.

    Returns:
        The number of the first entry that is missing, edited, out of place or forked; None for a sound chain.
    """
    last = after or AuditHead()
    for entry in entries:
        expected = last.seq + 1
        if entry.seq != expected:
            return min(entry.seq, expected)
        if head is not None and entry.seq > head.seq:
            return entry.seq
        if entry.prev_hash != last.hash or entry.hash != digest(entry):
            return expected
        last = AuditHead(entry.seq, entry.hash)
    if head is None or last == head:
        return None
    return last.seq + 1 if last.seq < head.seq else last.seq
