"""How a tenant guides its people; what they may keep, and what they see."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from lantern.domain.exceptions import AccessException, ExceptionSource
from lantern.domain.guidance import MOST_A_WEEK, MOST_DAYS, MOST_OWNERS, GuidancePolicy
from lantern.runtime.api.access_requests import ToolAnswer, tool_answer
from lantern.runtime.api.paging import ListOf, PageQuery, page_of
from lantern.runtime.api.routing import ID_SHAPES, Call, Reply, Route
from lantern.runtime.api.validation import Answer, Strict
from lantern.runtime.preconditions import revision_etag
from lantern.services.people import directory, settings

_Person = Annotated[str, Field(pattern=f"^{ID_SHAPES['person_id']}$")]
_Tool = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,80}$")]


class GuidanceBody(Strict):
    """All settings; what is left out goes back to its default."""

    weekly_nudges: int = Field(2, ge=1, le=MOST_A_WEEK, description="Most questions a person gets in 7 days.")
    answer_days: int = Field(7, ge=1, le=60, description="How long a question may be answered.")
    review_days: int = Field(
        90, ge=1, le=MOST_DAYS, description="For how long what somebody keeps is not asked about again."
    )
    request_hours: int = Field(48, ge=1, le=720, description="How long reviewers have before it escalates.")
    reviewers: list[_Person] = Field([], max_length=20, description="Who decides where a tool has no owner.")
    escalate_to: list[_Person] = Field([], max_length=20, description="Who is told of what waits too long.")
    owners: dict[_Tool, _Person] = Field(
        {}, max_length=MOST_OWNERS, description="Who answers for a tool: product or app id → person."
    )
    policy_url: str | None = Field(
        None,
        pattern=r"^https://[^\s\"'<>]{1,500}$",
        description="The policy people are asked to acknowledge.",
    )


class GuidanceAnswer(Answer):
    """The settings in effect."""

    weekly_nudges: int
    answer_days: int
    review_days: int
    request_hours: int
    reviewers: list[str]
    escalate_to: list[str]
    owners: dict[str, str]
    policy_url: str | None


class ExceptionAnswer(Answer):
    """What one person may keep until a date."""

    id: str
    person_id: str
    app_id: str
    source: ExceptionSource
    source_id: str
    reason: str
    conditions: str
    by: str
    at: datetime
    until: datetime


class ExceptionList(ListOf[ExceptionAnswer]):
    """Exceptions."""


class DirectoryAnswer(ListOf[ToolAnswer]):
    """What everybody may use."""


class MineAnswer(ToolAnswer):
    """An AI tool of a person."""

    principal_id: str
    access: list[str] = Field(description="What it can do, in the person's words, the gravest first.")
    more: int = Field(description="How many sentences were left out.")
    until: datetime | None = Field(description="Until when the person may keep it by exception.")


class PersonToolsAnswer(Answer):
    """The AI tools of a person."""

    data: list[MineAnswer]
    left_out: int


class SentAnswer(Answer):
    """By which way it went."""

    via: str


def _answer(policy: GuidancePolicy) -> GuidanceAnswer:
    return GuidanceAnswer(
        weekly_nudges=policy.weekly_nudges,
        answer_days=policy.answer_days,
        review_days=policy.review_days,
        request_hours=policy.request_hours,
        reviewers=list(policy.reviewers),
        escalate_to=list(policy.escalate_to),
        owners=dict(policy.owners),
        policy_url=policy.policy_url,
    )


def get_guidance(call: Call[Any, None]) -> Reply:
    """The settings."""
    policy = call.store.guidance.get()
    return Reply(_answer(policy), etag=revision_etag(policy.rev))


def set_guidance(call: Call[Any, GuidanceBody]) -> Reply:
    """Change the settings."""
    before, body = call.store.guidance.get(), call.body
    call.check_revision(revision_etag(before.rev))
    wanted = GuidancePolicy(
        weekly_nudges=body.weekly_nudges,
        answer_days=body.answer_days,
        review_days=body.review_days,
        request_hours=body.request_hours,
        reviewers=tuple(body.reviewers),
        escalate_to=tuple(body.escalate_to),
        owners=dict(body.owners),
        policy_url=body.policy_url,
        rev=before.rev,
    )
    after = settings.change(call.store, before, wanted, by=call.caller.actor, now=call.tools.now())
    return Reply(_answer(after), etag=revision_etag(after.rev))


def _exception(one: AccessException) -> ExceptionAnswer:
    return ExceptionAnswer(
        id=one.id,
        person_id=one.person_id,
        app_id=one.app_id,
        source=one.source,
        source_id=one.source_id,
        reason=one.reason,
        conditions=one.conditions,
        by=one.by,
        at=one.at,
        until=one.until,
    )


def list_exceptions(call: Call[PageQuery, None]) -> Reply:
    """What people may keep, also what has ended."""
    asked = call.query
    page = call.store.exceptions.page(asked.limit, call.position(asked.cursor))
    rows = [_exception(one) for one in page.items]
    return Reply(ExceptionList(data=rows, next_cursor=call.cursor(page.cursor)))


def list_approved(call: Call[PageQuery, None]) -> Reply:
    """What everybody may use, by category and name."""
    now = call.tools.now()
    found = directory.approved(row.at(now) for row in call.store.apps.summary())
    rows, cursor = page_of(
        call,
        [(category, row) for category, rows in found for row in rows],
        lambda one: (one[0], directory.shown(one[1]).casefold(), one[1].app_id),
    )
    return Reply(DirectoryAnswer(data=[tool_answer(row) for _, row in rows], next_cursor=cursor))


def list_person_tools(call: Call[Any, None]) -> Reply:
    """The AI tools of a person."""
    found = directory.tools_of(
        call.store, call.tools.reference.scopes, call.path["person_id"], call.tools.now()
    )
    rows = [
        MineAnswer(
            **tool_answer(one.row).model_dump(),
            principal_id=one.held.bundle.principal.id,
            access=list(one.known.sentences),
            more=one.known.more,
            until=one.allowed.until if one.allowed else None,
        )
        for one in found.mine
    ]
    return Reply(PersonToolsAnswer(data=rows, left_out=found.left_out))


def send_tools_link(call: Call[Any, None]) -> Reply:
    """Send somebody the address of their own page."""
    via = settings.send_link(call.store, call.path["person_id"], by=call.caller.actor, now=call.tools.now())
    return Reply(SentAnswer(via=via), status=202)


ROUTES = (
    Route(
        method="GET",
        path="/v1/guidance",
        operation="getGuidance",
        tag="People",
        summary="How people are guided",
        description="How often they are asked, who decides, and how long they have.",
        handler=get_guidance,
        scope="read",
        answer=GuidanceAnswer,
        etag=True,
    ),
    Route(
        method="PUT",
        path="/v1/guidance",
        operation="setGuidance",
        tag="People",
        summary="Change how people are guided",
        description="Holds for what is asked from now on.",
        handler=set_guidance,
        scope="admin",
        body=GuidanceBody,
        answer=GuidanceAnswer,
        if_match=True,
        etag=True,
    ),
    Route(
        method="GET",
        path="/v1/exceptions",
        operation="listExceptions",
        tag="People",
        summary="Exceptions for persons",
        description="What a person may keep, why, and until when; those that have ended too.",
        handler=list_exceptions,
        scope="read",
        query=PageQuery,
        answer=ExceptionList,
    ),
    Route(
        method="GET",
        path="/v1/directory",
        operation="listApprovedTools",
        tag="People",
        summary="Approved tools",
        description="What everybody may use, by category.",
        handler=list_approved,
        scope="read",
        query=PageQuery,
        answer=DirectoryAnswer,
    ),
    Route(
        method="GET",
        path="/v1/persons/{person_id}/tools",
        operation="listPersonTools",
        tag="People",
        summary="AI tools of a person",
        description="As the person's own page shows them: names, and what each can do in plain words.",
        handler=list_person_tools,
        scope="read",
        answer=PersonToolsAnswer,
    ),
    Route(
        method="POST",
        path="/v1/persons/{person_id}/tools-link",
        operation="sendToolsLink",
        tag="People",
        summary="Send somebody their own page",
        description=(
            "By Slack or mail, to the person alone: the address is never answered here. It works for 30 "
            "days, and is sent once an hour at most."
        ),
        handler=send_tools_link,
        scope="write",
        answer=SentAnswer,
        status=202,
        located=False,
        problems=("conflict",),
    ),
)
