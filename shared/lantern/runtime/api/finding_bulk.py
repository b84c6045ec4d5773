"""One decision about many findings."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from lantern.domain import findings
from lantern.domain.errors import InvalidInputError
from lantern.domain.findings import Finding, Resolution, Verdict
from lantern.domain.findings.records import Outcome
from lantern.runtime.api.findings import Closing, Status, VerdictName
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer, Instant, Strict
from lantern.services.decisions_many import MOST, decide_many


class ManyDecisions(Strict):
    """A decision about many findings."""

    finding_ids: list[str] = Field(min_length=1, max_length=MOST)
    decision: Literal["acknowledge", "snooze", "exception", "resolve", "reopen", "feedback"]
    read_at: Instant = Field(description="When you read them: what changed since is left as it is.")
    reason: str = Field("", max_length=1_000)
    until: Instant | None = Field(None, description="Of a snooze or an exception.")
    owner: str | None = Field(None, min_length=1, max_length=200, description="Of an exception.")
    resolution: Closing | None = None
    verdict: VerdictName | None = Field(None, description="Of feedback.")


class DecidedRow(Answer):
    """What became of one finding."""

    finding_id: str
    outcome: Literal["changed", "unchanged", "newer", "refused"] = Field(
        description="newer: it changed after read_at; refused: its status does not allow it."
    )
    status: Status
    problem: str


class DecidedList(Answer):
    """What became of each, in the order they were named."""

    data: list[DecidedRow]


def _transition(body: ManyDecisions, by: str, now: datetime) -> Callable[[Finding], Outcome]:
    said = body.reason
    if body.decision in {"snooze", "exception"}:
        until = _needed("until", body.until)
        if body.decision == "snooze":
            return lambda one: findings.snooze(one, now, actor=by, until=until, note=said)
        owner = body.owner or by
        return lambda one: findings.except_(one, now, actor=by, reason=said, owner=owner, until=until)
    if body.decision == "resolve":
        resolution = Resolution(_needed("resolution", body.resolution))
        return lambda one: findings.resolve(one, now, actor=by, resolution=resolution, reason=said)
    if body.decision == "feedback":
        verdict = Verdict(_needed("verdict", body.verdict))
        return lambda one: findings.feedback(one, now, actor=by, verdict=verdict, note=said)
    if body.decision == "reopen":
        return lambda one: findings.reopen(one, now, actor=by, reason=said)
    return lambda one: findings.acknowledge(one, now, actor=by, note=said)


def _needed(name: str, value: Any) -> Any:
    if value is None:
        raise InvalidInputError(name, "This decision needs it.")
    return value


def decide(call: Call[Any, ManyDecisions]) -> Reply:
    """Decide about many findings."""
    asked, by, now = call.body, call.caller.actor, call.tools.now()
    transition = _transition(asked, by, now)
    made = decide_many(call.store, asked.finding_ids, transition, read_at=asked.read_at, by=by, now=now)
    rows = [
        DecidedRow(
            finding_id=one.finding.id,
            outcome=one.became,
            status=one.finding.status.value,
            problem=one.problem,
        )
        for one in made
    ]
    return Reply(DecidedList(data=rows))


ROUTES = (
    Route(
        method="POST",
        path="/v1/findings/decisions",
        operation="decideFindings",
        tag="Findings",
        summary="Decide about many findings",
        description="Each by itself: what changed since, or cannot be decided so, stays as it is.",
        handler=decide,
        scope="write",
        body=ManyDecisions,
        answer=DecidedList,
    ),
)
