"""The audit log: read it, verify it."""

from datetime import datetime

from pydantic import Field

from lantern.domain.audit import AuditEntry, AuditHead
from lantern.runtime.api.paging import ListOf, PageQuery, dump_position, load_position
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer, Question
from lantern.services import queries


class AuditEntryAnswer(Answer):
    """One entry of the chain."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, str]
    prev_hash: str
    hash: str


class AuditList(ListOf[AuditEntryAnswer]):
    """Entries, oldest first."""


class VerifyQuery(Question):
    """Where to go on verifying."""

    cursor: str | None = Field(None, max_length=4_096, description="`next_cursor` of the previous part.")


class VerificationAnswer(Answer):
    """How far the chain has been verified."""

    sound: bool = Field(description="No entry up to `verified_through` is missing, edited, added or moved.")
    verified_through: int = Field(description="Number of the last entry that was looked at.")
    first_bad_seq: int | None = Field(description="The first entry that is not what was written.")
    head_seq: int = Field(description="Number of the last entry of the chain.")
    next_cursor: str | None = Field(description="Send it as `cursor` to go on; null when the chain is done.")


def _answer(entry: AuditEntry) -> AuditEntryAnswer:
    return AuditEntryAnswer(
        seq=entry.seq,
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        subject=entry.subject,
        detail=dict(entry.detail),
        prev_hash=entry.prev_hash,
        hash=entry.hash,
    )


def list_entries(call: Call[PageQuery, None]) -> Reply:
    """Audit entries."""
    position = load_position(call.position(call.query.cursor))
    page = queries.audit(call.store, after_seq=int(position[0]) if position else 0, limit=call.query.limit)
    cursor = call.cursor(dump_position(page.position))
    return Reply(AuditList(data=[_answer(entry) for entry in page.rows], next_cursor=cursor))


def verify_chain(call: Call[VerifyQuery, None]) -> Reply:
    """Verify a part of the chain."""
    position = load_position(call.position(call.query.cursor))
    after = queries.Verified()
    if position is not None:
        seq, digest, head_seq = position
        after = queries.Verified(AuditHead(int(seq), str(digest)), int(head_seq))
    result = queries.verify_audit(call.store, after)
    last = result.upto.last
    following = (last.seq, last.hash, result.upto.head_seq) if result.more else None
    body = VerificationAnswer(
        sound=result.first_bad_seq is None,
        verified_through=last.seq,
        first_bad_seq=result.first_bad_seq,
        head_seq=result.upto.head_seq,
        next_cursor=call.cursor(dump_position(following)),
    )
    return Reply(body)


ROUTES = (
    Route(
        method="GET",
        path="/v1/audit",
        operation="listAudit",
        tag="Audit",
        summary="The audit log",
        description="Decisions and acts, oldest first, each chained to the one before by its hash.",
        handler=list_entries,
        scope="read",
        query=PageQuery,
        answer=AuditList,
    ),
    Route(
        method="GET",
        path="/v1/audit/verify",
        operation="verifyAudit",
        tag="Audit",
        summary="Verify the audit log",
        description="Recomputes up to 500 hashes a call; go on with `next_cursor` until it is null.",
        handler=verify_chain,
        scope="read",
        query=VerifyQuery,
        answer=VerificationAnswer,
    ),
)
