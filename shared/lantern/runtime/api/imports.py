"""Imports: hand in an export, see what became of it."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import Field

from lantern.domain.imports import ImportKind, ImportRecord, ImportState
from lantern.domain.inventory import ConsentProvider
from lantern.domain.visits import Candidate, VisitCounts
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import MAX_UPLOAD_BYTES, Answer, Question

MEDIA_TYPES = ("text/csv", "application/json")


class ImportQuery(Question):
    """What a file does not tell itself."""

    provider: ConsentProvider | None = Field(
        None, description="Whose permissions a CSV list holds, where its rows do not tell."
    )


class BadRowAnswer(Answer):
    """A row that could not be used; the rest of the file was."""

    line: int
    reason: str


class ImportCountsAnswer(Answer):
    """What the file held and what storing it wrote."""

    rows: int
    bad_rows: int
    people: int
    apps: int
    grants: int
    bundles_written: int = Field(description="Accounts whose access was written; 0 where nothing was new.")
    added: int
    removed: int
    changed: int


class VisitCountsAnswer(Answer):
    """What became of the lines of a log; each is counted once, `unnamed` are among `kept`."""

    kept: int = Field(description="To products that are AI or have AI inside: stored as web apps.")
    candidate: int = Field(description="To what looks like AI and is in no catalog.")
    ordinary: int = Field(description="To other products of the catalog; only counted.")
    shared: int = Field(description="To content delivery and hosts that strangers share; only counted.")
    address: int = Field(description="To IP addresses; only counted.")
    elsewhere: int = Field(description="To everything else; only counted.")
    blocked: int = Field(description="Refused by the gateway; only counted.")
    unnamed: int = Field(description="By users that the log does not name.")


class CandidateAnswer(Answer):
    """A domain in no catalog that looks like AI. Add it to your catalog, and later logs have it as an app."""

    domain: str
    confidence: float
    reasons: list[str]
    events: int
    people: int = Field(description="At least so many.")
    bytes_out: int
    bytes_in: int


class ImportAnswer(Answer):
    """One file."""

    id: str
    state: ImportState
    kind: ImportKind = Field(description="What it was handed in as.")
    source: str | None = Field(description="The feed it belongs to, where one was named.")
    format: str = Field(description="What the file was recognised as; empty while it was not looked at.")
    title: str
    size: int
    created_at: datetime
    finished_at: datetime | None
    connections: list[str] = Field(description="Connections of kind `import` that hold what the file said.")
    counts: ImportCountsAnswer
    bad_rows: list[BadRowAnswer] = Field(description="The first 200 rows that could not be used.")
    error: str | None = Field(description="Why it could not be read, or not to its end, where that is so.")
    visits: VisitCountsAnswer | None = Field(description="Of a log: what became of its lines.")
    candidates: list[CandidateAnswer] = Field(description="Of a log: the first 100, the most visited first.")
    same_as: str | None = Field(description="The import that had counted the same log before.")


def answer_of(record: ImportRecord) -> ImportAnswer:
    """An import as the API shows it."""
    counts = record.counts
    return ImportAnswer(
        id=record.id,
        state=record.state,
        kind=record.kind,
        source=record.source or None,
        format=record.format,
        title=record.title,
        size=record.size,
        created_at=record.created_at,
        finished_at=record.finished_at,
        connections=list(record.connections),
        counts=ImportCountsAnswer(
            rows=counts.rows,
            bad_rows=counts.bad_rows,
            people=counts.people,
            apps=counts.apps,
            grants=counts.grants,
            bundles_written=counts.bundles_written,
            added=counts.added,
            removed=counts.removed,
            changed=counts.changed,
        ),
        bad_rows=[BadRowAnswer(line=one.line, reason=one.reason) for one in record.bad],
        error=record.error,
        visits=_visits(record.visits),
        candidates=[_candidate(one) for one in record.candidates],
        same_as=record.same_as,
    )


def _visits(counts: VisitCounts | None) -> VisitCountsAnswer | None:
    return None if counts is None else VisitCountsAnswer(**asdict(counts))


def _candidate(one: Candidate) -> CandidateAnswer:
    return CandidateAnswer(**{**asdict(one), "reasons": list(one.reasons)})


def start_import(call: Call[ImportQuery, bytes]) -> Reply:
    """Accept a file."""
    # Few requests hand in a file: the readers are imported by those that do.
    from lantern.services.imports.accept import accept

    record = accept(
        call.store,
        call.body,
        provider=call.query.provider,
        by=call.caller.actor,
        now=call.tools.now(),
        random=call.tools.random,
    )
    return Reply(answer_of(record), status=202, location=f"/v1/imports/{record.id}")


def get_import(call: Call[Any, None]) -> Reply:
    """What became of a file."""
    from lantern.services.imports.accept import find

    return Reply(answer_of(find(call.store, call.path["import_id"])))


ROUTES = (
    Route(
        method="POST",
        path="/v1/imports",
        operation="startImport",
        tag="Imports",
        summary="Hand in an export",
        description=(
            "The body is the file: an export of GAM, Google, Microsoft Graph, Okta or Slack, or a CSV "
            "list; what it is, is found out. It is read in the background and scored like a connected "
            "organisation. The accounts it names are taken as complete; nothing is concluded about others. "
            "The same file again writes nothing. "
            f"UTF-8, at most {MAX_UPLOAD_BYTES} bytes; a larger file goes by POST /v1/ingest/uploads."
        ),
        handler=start_import,
        scope="write",
        query=ImportQuery,
        upload=MEDIA_TYPES,
        answer=ImportAnswer,
        status=202,
        problems=("conflict",),
    ),
    Route(
        method="GET",
        path="/v1/imports/{import_id}",
        operation="getImport",
        tag="Imports",
        summary="What became of a file",
        description="Its state, counts, and the rows that could not be used with line and reason.",
        handler=get_import,
        scope="read",
        answer=ImportAnswer,
    ),
)
