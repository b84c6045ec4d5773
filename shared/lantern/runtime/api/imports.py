"""Imports: hand in an export, see what became of it."""

from datetime import datetime
from typing import Any

from pydantic import Field

from lantern.domain.imports import ImportRecord, ImportState
from lantern.domain.inventory import ConsentProvider
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


class ImportAnswer(Answer):
    """One file."""

    id: str
    state: ImportState
    format: str = Field(description="What the file was recognised as.")
    title: str
    size: int
    created_at: datetime
    finished_at: datetime | None
    connections: list[str] = Field(description="Connections of kind `import` that hold what the file said.")
    counts: ImportCountsAnswer
    bad_rows: list[BadRowAnswer] = Field(description="The first 200 rows that could not be used.")
    error: str | None = Field(description="Why nothing could be read, where that is so.")


def _answer(record: ImportRecord) -> ImportAnswer:
    counts = record.counts
    return ImportAnswer(
        id=record.id,
        state=record.state,
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
    )


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
    return Reply(_answer(record), status=202, location=f"/v1/imports/{record.id}")


def get_import(call: Call[Any, None]) -> Reply:
    """What became of a file."""
    from lantern.services.imports.accept import find

    return Reply(_answer(find(call.store, call.path["import_id"])))


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
            f"UTF-8, at most {MAX_UPLOAD_BYTES} bytes; split a larger file by person."
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
