"""Decisions about one finding."""

from typing import Any

from pydantic import Field

from lantern.domain.findings import Finding, Resolution, Verdict
from lantern.runtime.api.findings import Closing, FindingAnswer, VerdictName, finding_reply
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Instant, Strict
from lantern.runtime.preconditions import revision_etag
from lantern.services import decisions, queries_findings


class Acknowledgement(Strict):
    """Taking a finding on."""

    reason: str = Field("", max_length=1_000, description="Why, or what comes next.")


class ResolutionBody(Strict):
    """Closing a finding."""

    resolution: Closing
    reason: str = Field("", max_length=1_000, description="Needed while the finding still holds.")


class Snooze(Strict):
    """Keeping a finding quiet for a while."""

    until: Instant = Field(description="When it speaks again: within 90 days.")
    reason: str = Field("", max_length=1_000)


class ExceptionBody(Strict):
    """Letting what a finding says be."""

    reason: str = Field(min_length=1, max_length=1_000)
    until: Instant = Field(description="When it opens again: within a year.")
    owner: str | None = Field(
        None, min_length=1, max_length=200, description="Who answers for it; whoever asks where absent."
    )


class Reopening(Strict):
    """Opening a finding again."""

    reason: str = Field("", max_length=1_000)


class Feedback(Strict):
    """Whether a finding was right."""

    verdict: VerdictName
    reason: str = Field("", max_length=1_000)


def _current(call: Call[Any, Any]) -> Finding:
    finding = queries_findings.one(call.store, call.path["finding_id"])
    call.check_revision(revision_etag(finding.rev))
    return finding


def acknowledge(call: Call[Any, Acknowledgement]) -> Reply:
    """Take a finding on."""
    by, now = call.caller.actor, call.tools.now()
    return finding_reply(
        decisions.acknowledge(call.store, _current(call), note=call.body.reason, by=by, now=now)
    )


def resolve(call: Call[Any, ResolutionBody]) -> Reply:
    """Close a finding."""
    changed = decisions.resolve(
        call.store,
        _current(call),
        resolution=Resolution(call.body.resolution),
        reason=call.body.reason,
        by=call.caller.actor,
        now=call.tools.now(),
    )
    return finding_reply(changed)


def snooze(call: Call[Any, Snooze]) -> Reply:
    """Keep a finding quiet for a while."""
    asked, by, now = call.body, call.caller.actor, call.tools.now()
    found = _current(call)
    return finding_reply(
        decisions.snooze(call.store, found, until=asked.until, note=asked.reason, by=by, now=now)
    )


def except_(call: Call[Any, ExceptionBody]) -> Reply:
    """Let what a finding says be."""
    changed = decisions.except_(
        call.store,
        _current(call),
        reason=call.body.reason,
        owner=call.body.owner or call.caller.actor,
        until=call.body.until,
        by=call.caller.actor,
        now=call.tools.now(),
    )
    return finding_reply(changed)


def reopen(call: Call[Any, Reopening]) -> Reply:
    """Open a finding again."""
    by, now = call.caller.actor, call.tools.now()
    return finding_reply(
        decisions.reopen(call.store, _current(call), reason=call.body.reason, by=by, now=now)
    )


def feedback(call: Call[Any, Feedback]) -> Reply:
    """Say whether a finding was right."""
    asked, by, now = call.body, call.caller.actor, call.tools.now()
    found, verdict = _current(call), Verdict(call.body.verdict)
    return finding_reply(
        decisions.feedback(call.store, found, verdict=verdict, note=asked.reason, by=by, now=now)
    )


def _decision(
    verb: str, *, operation: str, summary: str, description: str, handler: Any, body: type[Strict]
) -> Route:
    return Route(
        method="POST",
        path=f"/v1/findings/{{finding_id}}/{verb}",
        operation=operation,
        tag="Findings",
        summary=summary,
        description=description,
        handler=handler,
        scope="write",
        body=body,
        answer=FindingAnswer,
        if_match=True,
        etag=True,
        problems=("conflict",),
    )


ROUTES = (
    _decision(
        "acknowledge",
        operation="acknowledgeFinding",
        summary="Acknowledge a finding",
        description="Somebody takes it on; it stays until it is resolved.",
        handler=acknowledge,
        body=Acknowledgement,
    ),
    _decision(
        "resolve",
        operation="resolveFinding",
        summary="Resolve a finding",
        description="A person closes it; it opens again when something new breaks the rule.",
        handler=resolve,
        body=ResolutionBody,
    ),
    _decision(
        "snooze",
        operation="snoozeFinding",
        summary="Snooze a finding",
        description="Keeps it quiet until a date, or until it gets worse.",
        handler=snooze,
        body=Snooze,
    ),
    _decision(
        "exception",
        operation="exceptFinding",
        summary="Make an exception of a finding",
        description="Lets it be for a reason, under an owner, until a date or until it gets worse; then it "
        "opens again.",
        handler=except_,
        body=ExceptionBody,
    ),
    _decision(
        "reopen",
        operation="reopenFinding",
        summary="Reopen a finding",
        description="Opens what was resolved, snoozed or made an exception of, while its cause is there.",
        handler=reopen,
        body=Reopening,
    ),
    _decision(
        "feedback",
        operation="judgeFinding",
        summary="Say whether a finding was right",
        description="True, false or benign; the rule's statistics count it. Its status stays.",
        handler=feedback,
        body=Feedback,
    ),
)
