"""Evidence of what was decided and done, as JSON and as a page to print."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from lantern.runtime.api.routing import Call, Page, Reply, Route
from lantern.runtime.api.validation import Answer, Question


class EvidenceQuery(Question):
    """In which form."""

    format: Literal["json", "html"] = Field("json", description="`html` is one page that loads nothing.")


class BundleFactAnswer(Answer):
    """A fact."""

    label: str
    value: str


class MomentAnswer(Answer):
    """A moment of the story."""

    at: datetime
    said: str


class LineAnswer(Answer):
    """What was done to one target."""

    target_id: str
    kind: str
    account: str | None = Field(description="Address or name, as known now.")
    app: str | None
    connection: str | None
    outcome: str
    detail: str
    at: datetime
    job_id: str | None
    remaining_access_s: int | None = Field(description="How long access tokens may have worked, in seconds.")
    instructions: list[str]


class ChainEntryAnswer(Answer):
    """An audit entry in its place in the chain."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, str]
    prev_hash: str
    hash: str


class ProofAnswer(Answer):
    """The entries about it, and what checking the chain said."""

    entries: list[ChainEntryAnswer]
    checked_from: int = Field(description="The chain was checked from this entry …")
    checked_to: int = Field(description="… to this one, its end.")
    head_hash: str
    sound: bool
    first_bad: int | None
    cut_off: bool = Field(description="More entries were written since than are read for a bundle.")


class EvidenceBundleAnswer(Answer):
    """A bundle of evidence."""

    kind: str
    id: str
    title: str
    made_at: datetime
    facts: list[BundleFactAnswer]
    story: list[MomentAnswer]
    outcomes: dict[str, int]
    lines: list[LineAnswer]
    proof: ProofAnswer


def get_evidence(call: Call[EvidenceQuery, None]) -> Reply:
    """A bundle, in the form that is asked for."""
    from lantern.services import evidence

    found = evidence.collect(
        call.store, call.path["evidence_kind"], call.path["subject_id"], call.tools.now()
    )
    if call.query.format == "html":
        from lantern.services.evidence import page

        return Reply(page=Page(page.render(found), page.headers()))
    return Reply(_answer(found))


def _answer(found: Any) -> EvidenceBundleAnswer:
    proof = found.proof
    return EvidenceBundleAnswer(
        kind=found.kind,
        id=found.id,
        title=found.title,
        made_at=found.made_at,
        facts=[BundleFactAnswer(label=label, value=value) for label, value in found.facts],
        story=[MomentAnswer(at=at, said=said) for at, said in found.story],
        outcomes=dict(found.outcomes),
        lines=[
            LineAnswer(
                target_id=one.target_id,
                kind=one.kind,
                account=one.account,
                app=one.app,
                connection=one.connection,
                outcome=one.outcome,
                detail=one.detail,
                at=one.at,
                job_id=one.job_id,
                remaining_access_s=one.remaining_access_s,
                instructions=list(one.instructions),
            )
            for one in found.lines
        ],
        proof=ProofAnswer(
            entries=[
                ChainEntryAnswer(
                    seq=one.seq,
                    at=one.at,
                    actor=one.actor,
                    action=one.action,
                    subject=one.subject,
                    detail=dict(one.detail),
                    prev_hash=one.prev_hash,
                    hash=one.hash,
                )
                for one in proof.entries
            ],
            checked_from=proof.after.seq + 1,
            checked_to=proof.head.seq,
            head_hash=proof.head.hash,
            sound=proof.first_bad is None,
            first_bad=proof.first_bad,
            cut_off=proof.cut_off,
        ),
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/evidence/{evidence_kind}/{subject_id}",
        operation="getEvidence",
        tag="Audit",
        summary="Evidence",
        description=(
            "Everything that was decided and done about a `job`, a `playbook-run`, an `offboarding` (by its "
            "run) or an `incident`: who, what came of each target, and the audit entries with their hashes. "
            "With `format=html` a page to print."
        ),
        handler=get_evidence,
        scope="read",
        query=EvidenceQuery,
        answer=EvidenceBundleAnswer,
        page=True,
    ),
)
