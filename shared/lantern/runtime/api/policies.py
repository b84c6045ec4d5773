"""What a proposed change of the rules would do, before anything is saved."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field, model_validator

from lantern.domain.previews import (
    HISTORY_DAYS,
    MAX_SAMPLES,
    FindingSample,
    HistoryResult,
    Moment,
    NowResult,
    Preview,
)
from lantern.domain.rules.authoring import RulesInvalidError, compile_page
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.rules import RuleBody, SettingsBody, author, refused, settings_of
from lantern.runtime.api.validation import Answer, Strict, choice_error
from lantern.services.policy import previews
from lantern.services.policy.rules import Compiled


class PreviewBody(Strict):
    """A proposed change: other `settings` of the rule `rule_id`, or the page of an own rule."""

    rule_id: str | None = Field(None, min_length=1, max_length=80, description="With `settings`.")
    settings: SettingsBody | None = None
    rule: RuleBody | None = Field(None, description="Alone.")

    @model_validator(mode="after")
    def _one(self) -> "PreviewBody":
        if (self.rule is None) == (self.rule_id is None) or (self.rule_id is None) != (self.settings is None):
            raise choice_error(("rule_id", "settings", "rule"), "Send rule_id with settings, or rule alone.")
        return self


class SampleAnswer(Answer):
    """A finding that would be opened, changed or resolved."""

    finding_id: str
    change: Literal["opens", "reopens", "changes", "resolves"]
    subject_kind: str
    subject_id: str
    title: str = Field(description="Holds names that anybody may have chosen.")
    severity: str
    items: int = Field(description="Grants or assets it would list; 1 or 0 for a finding about a whole.")


class NowAnswer(Answer):
    """Over the current inventory, against the findings there are."""

    opens: int
    reopens: int
    changes: int
    resolves: int
    unchanged: int
    items: int = Field(description="Grants, assets or whole things that would be affected.")
    unknown: int = Field(description="Of how many the rule could not tell: they would stay as they are.")
    severities: dict[str, int] = Field(description="Findings that would be open, by level.")
    acts: dict[str, int] = Field(description="Response → items it would propose to act on; if enforced.")
    samples: list[SampleAnswer] = Field(description=f"The first {MAX_SAMPLES}; all are counted.")


class MomentAnswer(Answer):
    """A change at which the rule would have fired, or let go."""

    at: datetime
    principal_id: str | None
    app_id: str
    kind: Literal["added", "removed", "changed"]
    fires: bool = Field(description="False: access was removed, and the rule would have let go of it.")
    severity: str | None


class HistoryAnswer(Answer):
    """Over the changes of the last days, each weighed with the scopes and dates it had then."""

    since: date
    until: date
    replayed: bool = Field(description="False: the past of what the rule is about is not kept.")
    why: str = Field(description="What limits the replay; empty where nothing does.")
    changes: int
    fires: int
    lets_go: int
    unknown: int = Field(description="Changes about which the rule could not tell, as use of the past.")
    days: dict[str, int] = Field(
        description="How often it would have fired, by day; days without are absent."
    )
    samples: list[MomentAnswer] = Field(description=f"The latest {MAX_SAMPLES}.")


class PreviewResult(Answer):
    """A question and, once its state is `done`, its answer."""

    id: str
    state: Literal["pending", "done", "failed"]
    rule_id: str
    created_at: datetime
    finished_at: datetime | None
    error: str | None
    now: NowAnswer | None
    history: HistoryAnswer | None


def _sample(one: FindingSample) -> SampleAnswer:
    return SampleAnswer(
        finding_id=one.finding_id,
        change=one.change,
        subject_kind=one.group_kind,
        subject_id=one.group_id,
        title=one.title,
        severity=one.severity,
        items=one.items,
    )


def _now(found: NowResult) -> NowAnswer:
    return NowAnswer(
        opens=found.opens,
        reopens=found.reopens,
        changes=found.changes,
        resolves=found.resolves,
        unchanged=found.unchanged,
        items=found.items,
        unknown=found.unknown,
        severities=dict(found.severities),
        acts=dict(found.acts),
        samples=[_sample(one) for one in found.samples],
    )


def _moment(one: Moment) -> MomentAnswer:
    return MomentAnswer(
        at=one.at,
        principal_id=one.principal_id or None,
        app_id=one.app_id,
        kind=one.kind,
        fires=one.fires,
        severity=one.severity,
    )


def _history(found: HistoryResult) -> HistoryAnswer:
    return HistoryAnswer(
        since=found.since,
        until=found.until,
        replayed=found.replayed,
        why=found.why,
        changes=found.changes,
        fires=found.fires,
        lets_go=found.lets_go,
        unknown=found.unknown,
        days=dict(found.days),
        samples=[_moment(one) for one in found.samples],
    )


def _answer(found: Preview) -> PreviewResult:
    return PreviewResult(
        id=found.id,
        state=found.state,
        rule_id=found.proposal.rule_id,
        created_at=found.created_at,
        finished_at=found.finished_at,
        error=found.error,
        now=None if found.now is None else _now(found.now),
        history=None if found.history is None else _history(found.history),
    )


def ask(call: Call[Any, PreviewBody]) -> Reply:
    """Ask what a change would do."""
    body, who = call.body, author(call)
    if body.rule is not None:
        raw = body.rule.model_dump(exclude_unset=True)
        try:
            page = Compiled(raw, compile_page(raw, "page"))
        except RulesInvalidError as error:
            raise refused(error, "/rule") from error
        asked = previews.of_rule(call.store, page, who, call.tools.random)
    else:
        wanted = settings_of(body.settings or SettingsBody())
        shipped, rule_id = call.tools.rules(), body.rule_id or ""
        asked = previews.of_settings(call.store, shipped, rule_id, wanted, who, call.tools.random)
    return Reply(_answer(asked), status=202, location=f"/v1/policies/previews/{asked.id}")


def get(call: Call[Any, None]) -> Reply:
    """The answer, once there is one."""
    return Reply(_answer(previews.find(call.store, call.path["preview_id"])))


ROUTES = (
    Route(
        method="POST",
        path="/v1/policies/preview",
        operation="previewPolicy",
        tag="Rules",
        summary="What a change of the rules would do",
        description=(
            "Evaluates other settings of a rule, or a rule of your own, over the current inventory and the "
            f"changes of the last {HISTORY_DAYS} days. Nothing is saved and nobody is told. The answer is at "
            "`Location` after some seconds (minutes in a large organisation) and is kept for 7 days."
        ),
        handler=ask,
        scope="write",
        body=PreviewBody,
        answer=PreviewResult,
        status=202,
    ),
    Route(
        method="GET",
        path="/v1/policies/previews/{preview_id}",
        operation="getPolicyPreview",
        tag="Rules",
        summary="The answer to a preview",
        description="What would open, change and resolve now, and when it would have fired in the past.",
        handler=get,
        scope="read",
        answer=PreviewResult,
    ),
)
