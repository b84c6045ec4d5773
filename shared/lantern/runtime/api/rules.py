"""Rules: read them, set them, write own ones."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from lantern.domain.rules.authoring import RulePage, RulesInvalidError, compile_page
from lantern.domain.rules.conditions import to_data
from lantern.domain.rules.model import Param
from lantern.domain.rules.policy import OWN_PREFIX, RuleSettings
from lantern.domain.rules.vocabulary import Severity, Stage
from lantern.runtime.api.findings import SeverityName
from lantern.runtime.api.paging import ListOf, PageQuery, page_of
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer, Strict
from lantern.runtime.preconditions import revision_etag
from lantern.runtime.problems import FieldError, ProblemError, sentence
from lantern.services.policy import rules
from lantern.services.policy.rules import Author, Check, Compiled, TenantRule

StageName = Literal["off", "observe", "enforce"]
Value = int | float | str


class RuleBody(RulePage):
    """A rule's page, in the language of docs/rules.md; `GET /v1/rules.schema.json` describes every word."""


class SettingsBody(Strict):
    """What to set for a rule. Null, and a parameter left out, leave what the rule itself says."""

    stage: StageName | None = Field(None, description="`off` resolves its findings, `observe` only records.")
    severity: SeverityName | None = Field(None, description="One level in place of the rule's own logic.")
    params: dict[str, Value] = Field(default_factory=dict, description="Parameters by name.")


class ParamAnswer(Answer):
    """A figure or a word that a tenant may tune."""

    about: str
    value: Value
    default: Value
    min: float | None
    max: float | None
    choices: list[str]


class SettingsAnswer(Answer):
    """What was set, by whom and when; all null while nothing was."""

    stage: StageName | None
    severity: SeverityName | None
    params: dict[str, Value]
    by: str | None
    at: datetime | None


class RuleRow(Answer):
    """A rule in the list."""

    id: str
    title: str = Field(description="Title of its findings; `{…}` is filled in.")
    source: Literal["shipped", "own"]
    version: str = Field(description="A digest of everything but its tests.")
    stage: StageName = Field(description="The stage in effect.")
    severities: list[SeverityName] = Field(description="Levels its findings may have, in effect.")
    subject: str = Field(description="What is looked at one by one.")
    group_by: str = Field(description="What one finding is about.")
    respond: str | None = Field(description="What is proposed.")
    changed: bool = Field(description="Whether the tenant set anything about it.")


class RuleAnswer(RuleRow):
    """One rule, whole."""

    why: str
    runbook: str
    triggers: list[str]
    frameworks: dict[str, list[str]]
    params: dict[str, ParamAnswer]
    where: dict[str, Any] = Field(description="The condition; `param` names a parameter.")
    severity: list[dict[str, Any]] = Field(description="Rows `{when, then}`: the first that holds decides.")
    settings: SettingsAnswer
    page: dict[str, Any] | None = Field(description="Of an own rule: the page as it was sent.")


class RuleList(ListOf[RuleRow]):
    """All rules."""


def compiled(page: RulePage) -> Compiled:
    """Check a page and run its tests.

    Raises:
        ProblemError: `invalid_request`, naming every place in the page.
    """
    raw = page.model_dump(exclude_unset=True)
    try:
        return Compiled(raw, compile_page(raw, "page"))
    except RulesInvalidError as error:
        raise refused(error, "") from error


def refused(error: RulesInvalidError, prefix: str) -> ProblemError:
    """The problem of a page that does not compile; `prefix` is where in the body the page is."""
    fields = tuple(
        FieldError(sentence(one.message), pointer=prefix + _pointer(one.path)) for one in error.problems[:50]
    )
    return ProblemError("invalid_request", f"{fields[0].pointer}: {fields[0].detail}", fields=fields)


def _pointer(path: str) -> str:
    # `tests.0 (its name).given`: what stands in brackets is for people.
    head, _, rest = path.partition(" (")
    parts = (head + rest.rpartition(")")[2]).split(".")
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def settings_of(body: SettingsBody) -> RuleSettings:
    """What a client sent, as the rules take it."""
    return RuleSettings(
        Stage(body.stage) if body.stage else None,
        Severity(body.severity) if body.severity else None,
        dict(body.params),
    )


def author(call: Call[Any, Any]) -> Author:
    """Who calls, and when."""
    return Author(call.caller.actor, call.tools.now())


def _check(call: Call[Any, Any]) -> Check:
    return lambda rev: call.check_revision(revision_etag(rev))


def _row(found: TenantRule) -> Mapping[str, Any]:
    rule = found.rule
    return {
        "id": rule.id,
        "title": rule.title,
        "source": "own" if found.own else "shipped",
        "version": rule.version,
        "stage": rule.stage.value,
        "severities": list(dict.fromkeys(row.then.value for row in rule.severity)),
        "subject": rule.subject.value,
        "group_by": rule.group_by.value,
        "respond": rule.respond,
        "changed": found.rev > 0,
    }


def _param(param: Param, value: Any) -> ParamAnswer:
    return ParamAnswer(
        about=param.about,
        value=value,
        default=param.default,
        min=param.minimum,
        max=param.maximum,
        choices=list(param.choices),
    )


def _answer(found: TenantRule) -> RuleAnswer:
    rule, settings = found.rule, found.settings
    return RuleAnswer(
        **_row(found),
        why=rule.why,
        runbook=rule.runbook,
        triggers=sorted(rule.triggers),
        frameworks={name: list(items) for name, items in rule.frameworks.items()},
        params={name: _param(param, rule.values[name]) for name, param in rule.params.items()},
        where=to_data(rule.where),
        severity=[
            {"when": None if row.when is None else to_data(row.when), "then": row.then.value}
            for row in rule.severity
        ],
        settings=SettingsAnswer(
            stage=None if settings.stage is None else settings.stage.value,
            severity=None if settings.severity is None else settings.severity.value,
            params=dict(settings.params),
            by=settings.by or None,
            at=settings.at,
        ),
        page=dict(found.own.page) if found.own else None,
    )


def _reply(found: TenantRule) -> Reply:
    return Reply(_answer(found), etag=revision_etag(found.rev))


def list_rules(call: Call[PageQuery, None]) -> Reply:
    """Rules, in the order of their ids."""
    found, cursor = page_of(call, rules.listing(call.store, call.tools.rules()), lambda one: (one.rule.id,))
    return Reply(RuleList(data=[RuleRow(**_row(one)) for one in found], next_cursor=cursor))


def get_rule(call: Call[Any, None]) -> Reply:
    """One rule."""
    return _reply(rules.one(call.store, call.tools.rules(), call.path["rule_id"]))


def set_rule(call: Call[Any, SettingsBody]) -> Reply:
    """Set a rule."""
    wanted, rule_id = settings_of(call.body), call.path["rule_id"]
    shipped = call.tools.rules()
    return _reply(rules.set_settings(call.store, shipped, rule_id, wanted, author(call), _check(call)))


def add_rule(call: Call[Any, RuleBody]) -> Reply:
    """A new own rule."""
    page = compiled(call.body)
    made = rules.create(call.store, call.tools.rules(), page, author(call))
    return replace(_reply(made), status=201, location=f"/v1/rules/{made.rule.id}")


def put_rule(call: Call[Any, RuleBody]) -> Reply:
    """Change an own rule."""
    rule_id, shipped = call.path["rule_id"], call.tools.rules()
    rules.one(call.store, shipped, rule_id)
    page = compiled(call.body)
    return _reply(rules.update(call.store, shipped, rule_id, page, author(call), _check(call)))


def delete_rule(call: Call[Any, None]) -> Reply:
    """Take an own rule away."""
    rule_id = call.path["rule_id"]
    gone = rules.remove(call.store, call.tools.rules(), rule_id, author(call), _check(call))
    return Reply(_answer(gone))


ROUTES = (
    Route(
        method="GET",
        path="/v1/rules",
        operation="listRules",
        tag="Rules",
        summary="All rules",
        description="Shipped and own rules by id, as the tenant has them, those that are off too.",
        handler=list_rules,
        scope="read",
        query=PageQuery,
        answer=RuleList,
    ),
    Route(
        method="POST",
        path="/v1/rules",
        operation="addRule",
        tag="Rules",
        summary="Write a rule",
        description=(
            "The page is checked and its own tests are run; what is wrong is named with its place. The id "
            f"starts with `{OWN_PREFIX}`. Findings follow within minutes. It is audited. Ask "
            "POST /v1/policies/preview first what it would do. A tenant has at most 50 rules of its own."
        ),
        handler=add_rule,
        scope="write",
        body=RuleBody,
        answer=RuleAnswer,
        status=201,
        etag=True,
        problems=("conflict",),
    ),
    Route(
        method="GET",
        path="/v1/rules/{rule_id}",
        operation="getRule",
        tag="Rules",
        summary="One rule",
        description="Its page, and what the tenant set about it.",
        handler=get_rule,
        scope="read",
        answer=RuleAnswer,
        etag=True,
    ),
    Route(
        method="PUT",
        path="/v1/rules/{rule_id}",
        operation="setRule",
        tag="Rules",
        summary="Change a rule of your own",
        description="Replaces its page; its tests must pass. Findings follow within minutes. It is audited.",
        handler=put_rule,
        scope="write",
        body=RuleBody,
        answer=RuleAnswer,
        if_match=True,
        etag=True,
        problems=("conflict",),
    ),
    Route(
        method="DELETE",
        path="/v1/rules/{rule_id}",
        operation="removeRule",
        tag="Rules",
        summary="Remove a rule of your own",
        description="Its findings resolve. It is audited. A shipped rule is switched off instead.",
        handler=delete_rule,
        scope="write",
        answer=RuleAnswer,
        if_match=True,
        problems=("conflict",),
    ),
    Route(
        method="PUT",
        path="/v1/rules/{rule_id}/settings",
        operation="setRuleSettings",
        tag="Rules",
        summary="Set stage, severity and parameters",
        description=(
            "For shipped and own rules. Replaces all that was set about the rule. Findings follow within "
            "minutes: those of a rule that is `off` resolve. It is audited."
        ),
        handler=set_rule,
        scope="write",
        body=SettingsBody,
        answer=RuleAnswer,
        if_match=True,
        etag=True,
    ),
)
