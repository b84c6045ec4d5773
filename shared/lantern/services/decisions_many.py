"""One decision about many findings: each is decided on what was seen of it, and by itself."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from lantern.domain.audit import AuditEvent, change
from lantern.domain.errors import ConflictError, NotFoundError, RevisionConflictError
from lantern.domain.findings import Finding
from lantern.domain.findings.records import FindingEvent, Outcome
from lantern.domain.work import Work
from lantern.store.tenant import TenantStore

MOST: Final = 100
_TOGETHER: Final = 20
"""Findings of one transaction; each may be close to the size at which a hundred would not fit."""

Became = Literal["changed", "unchanged", "newer", "refused"]


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one finding; `problem` says why it was refused."""

    finding: Finding
    became: Became
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Write:
    before: Finding
    after: Finding
    said: tuple[FindingEvent, ...]


def decide_many(
    store: TenantStore,
    finding_ids: Iterable[str],
    transition: Callable[[Finding], Outcome],
    *,
    read_at: datetime,
    by: str,
    now: datetime,
) -> tuple[Decided, ...]:
    """Decide about each finding; in the order of the ids.

    Nothing is written if one of them does not exist or a value is missing. One that changed after `read_at`,
    or whose state does not allow it, is left as it is, and the others are decided all the same.

    Raises:
        NotFoundError: one of them does not exist.
        InvalidInputError: a value is missing or out of bounds.
    """
    wanted = list(dict.fromkeys(finding_ids))
    known = store.findings.batch_get(wanted)
    missing = next((key for key in wanted if key not in known), None)
    if missing is not None:
        raise NotFoundError("finding", missing)
    results: dict[str, Decided] = {}
    writes: list[_Write] = []
    for key in wanted:
        found = known[key]
        if found.history and found.history[-1].at > read_at:
            results[key] = Decided(found, "newer")
            continue
        try:
            after, said = transition(found)
        except ConflictError as error:
            results[key] = Decided(found, "refused", str(error))
            continue
        results[key] = Decided(found, "unchanged")
        if said:
            writes.append(_Write(found, after, said))
    for start in range(0, len(writes), _TOGETHER):
        results |= {
            one.finding.id: one for one in _written(store, writes[start : start + _TOGETHER], by, now)
        }
    return tuple(results[key] for key in wanted)


def _written(store: TenantStore, writes: Sequence[_Write], by: str, now: datetime) -> list[Decided]:
    """Write them together, or one by one where somebody else was faster with one of them."""
    try:
        _commit(store, writes, by, now)
    except RevisionConflictError:
        if len(writes) == 1:
            current = store.findings.get(writes[0].before.id)
            return [Decided(current or writes[0].before, "newer")]
        return [one for write in writes for one in _written(store, [write], by, now)]
    return [Decided(replace(one.after, rev=one.before.rev + 1), "changed") for one in writes]


def _commit(store: TenantStore, writes: Sequence[_Write], by: str, now: datetime) -> None:
    unit = store.transact(now)
    unit.put(*(store.findings.op(replace(one.after, rev=one.before.rev)) for one in writes))
    unit.audit(
        *(
            AuditEvent(
                by,
                f"finding.{event.kind}",
                one.before.id,
                {
                    "rule": one.before.rule_id,
                    "version": one.before.rule_version,
                    **change(one.before.status, one.after.status),
                },
            )
            for one in writes
            for event in one.said
        )
    )
    body = {"finding_ids": ",".join(one.before.id for one in writes)}
    unit.outbox(Work(store.tenant_id, "outreach.findings", body=body, cause=by)).commit()
