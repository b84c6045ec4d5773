"""Runs of a connection: what was read, and what could not be."""

from datetime import datetime
from typing import Any

from pydantic import Field

from lantern.domain.tenancy import Run, RunKind, RunState
from lantern.runtime.api.paging import ListOf, PageQuery
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer
from lantern.services import queries

_MAX_UNREAD = 1_000


class CoverageAnswer(Answer):
    """What was and was not read. Unread accounts are unknown, never empty."""

    complete: bool
    listed: int | None = Field(
        description="Accounts the provider listed; null while the listing is not finished."
    )
    read: int
    unread: int
    unread_principals: list[str] = Field(
        description=f"The first {_MAX_UNREAD} accounts that could not be read."
    )
    reasons: dict[str, int] = Field(description="Reason → number of accounts.")


class CountsAnswer(Answer):
    """What was found and written."""

    principals: int
    grants: int
    bundles_written: int
    added: int
    removed: int
    changed: int
    calls: int
    refused: int


class RunAnswer(Answer):
    """One reading of a connection."""

    id: str
    connection_id: str
    kind: RunKind
    state: RunState
    cause: str
    started_at: datetime
    finished_at: datetime | None
    coverage: CoverageAnswer
    counts: CountsAnswer
    error: str | None
    remedy: str | None


class RunList(ListOf[RunAnswer]):
    """Runs, newest first."""


def _answer(run: Run) -> RunAnswer:
    coverage, counts = run.coverage, run.counts
    return RunAnswer(
        id=run.id,
        connection_id=run.connection_id,
        kind=run.kind,
        state=run.state,
        cause=run.cause,
        started_at=run.started_at,
        finished_at=run.finished_at,
        coverage=CoverageAnswer(
            complete=coverage.complete,
            listed=coverage.listed,
            read=coverage.read,
            unread=len(coverage.unread),
            unread_principals=list(coverage.unread[:_MAX_UNREAD]),
            reasons=coverage.reasons,
        ),
        counts=CountsAnswer(
            principals=counts.principals,
            grants=counts.grants,
            bundles_written=counts.bundles_written,
            added=counts.added,
            removed=counts.removed,
            changed=counts.changed,
            calls=counts.calls,
            refused=counts.refused,
        ),
        error=run.error,
        remedy=run.remedy,
    )


def list_runs(call: Call[PageQuery, None]) -> Reply:
    """Runs of a connection."""
    page = queries.runs(
        call.store, call.path["connection_id"], limit=call.query.limit, after=call.position(call.query.cursor)
    )
    return Reply(RunList(data=[_answer(run) for run in page.items], next_cursor=call.cursor(page.cursor)))


def get_run(call: Call[Any, None]) -> Reply:
    """One run."""
    return Reply(_answer(queries.run(call.store, call.path["connection_id"], call.path["run_id"])))


ROUTES = (
    Route(
        method="GET",
        path="/v1/connections/{connection_id}/runs",
        operation="listRuns",
        tag="Connections",
        summary="Runs of a connection",
        description="Readings of the last 90 days, newest first, each with its coverage.",
        handler=list_runs,
        scope="read",
        query=PageQuery,
        answer=RunList,
    ),
    Route(
        method="GET",
        path="/v1/connections/{connection_id}/runs/{run_id}",
        operation="getRun",
        tag="Connections",
        summary="One run",
        description="What a reading found, and which accounts it could not read and why.",
        handler=get_run,
        scope="read",
        answer=RunAnswer,
    ),
)
