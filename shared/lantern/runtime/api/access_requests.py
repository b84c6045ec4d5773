"""Requests for tools: make one, look, decide, take back."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from lantern.domain.apps import AppStatus, AppSummary
from lantern.domain.errors import NotFoundError
from lantern.domain.requests import LONGEST, AccessRequest, RequestState, Ruling, Scope
from lantern.runtime.api.paging import ListOf, PageQuery
from lantern.runtime.api.routing import ID_SHAPES, Call, Reply, Route
from lantern.runtime.api.validation import Answer, Instant, Strict, choice_error
from lantern.runtime.preconditions import revision_etag
from lantern.services import queries_people
from lantern.services.people import requests
from lantern.services.people.directory import shown

_Words = Annotated[str, Field(max_length=LONGEST)]


class RequestBody(Strict):
    """Who wants which tool for what."""

    person_id: str = Field(pattern=f"^{ID_SHAPES['person_id']}$", description="Who asks.")
    name: str | None = Field(None, min_length=1, max_length=80, description="The tool, in their words.")
    app_id: str | None = Field(
        None, pattern=f"^{ID_SHAPES['app_id']}$", description="The tool, if known here."
    )
    reason: str = Field(min_length=1, max_length=LONGEST, description="What for.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.name is None) == (self.app_id is None):
            raise choice_error(("name", "app_id"), "Send exactly one of name and app_id.")
        return self


class DecisionOnRequest(Strict):
    """What is decided."""

    decision: Literal["approve", "decline"]
    scope: Scope = Field("person", description="Whom an approval is for.")
    until: Instant | None = Field(None, description="When an approval ends.")
    conditions: _Words = Field("", description="What the person is to keep to.")
    note: _Words = Field("", description="A sentence for the person.")


class RequestAnswer(Answer):
    """One request."""

    id: str
    person_id: str
    name: str
    reason: str
    state: RequestState
    app_id: str | None = Field(description="What it was recognised as; null where it was not.")
    product_id: str | None
    category: str | None
    alternative_app_ids: list[str] = Field(
        description="Approved apps of the same kind that the person was shown."
    )
    reviewers: list[str] = Field(description="Persons who were asked to decide.")
    created_at: datetime
    due_at: datetime = Field(description="By when it should be decided.")
    escalated_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    scope: Scope | None
    until: datetime | None
    conditions: str
    note: str


class ToolAnswer(Answer):
    """A tool as employees see it."""

    app_id: str
    name: str
    category: str | None
    vendor: str | None
    status: AppStatus | None


class AskedForAnswer(Answer):
    """What somebody who asks sees at once."""

    request: RequestAnswer | None = Field(description="Null where the tool is approved already.")
    approved: bool
    alternatives: list[ToolAnswer] = Field(description="Approved tools of the same kind.")


class RequestList(ListOf[RequestAnswer]):
    """Requests."""


class RequestQuery(PageQuery):
    """Which requests."""

    state: Literal["waiting", "closed"] = Field(
        "waiting", description="Those that something is still to be done for, or closed ones, latest first."
    )


def request_answer(request: AccessRequest) -> RequestAnswer:
    """A request as the API shows it."""
    return RequestAnswer(
        id=request.id,
        person_id=request.person_id,
        name=request.name,
        reason=request.reason,
        state=request.state,
        app_id=request.app_id,
        product_id=request.product_id,
        category=request.category,
        alternative_app_ids=list(request.alternatives),
        reviewers=list(request.reviewers),
        created_at=request.created_at,
        due_at=request.due,
        escalated_at=request.escalated_at,
        decided_by=request.decided_by,
        decided_at=request.decided_at,
        scope=request.scope,
        until=request.until,
        conditions=request.conditions,
        note=request.note,
    )


def tool_answer(row: AppSummary) -> ToolAnswer:
    """A tool as the API shows it to employees."""
    return ToolAnswer(
        app_id=row.app_id, name=shown(row), category=row.category, vendor=row.vendor, status=row.status
    )


def make_request(call: Call[Any, RequestBody]) -> Reply:
    """Ask for a tool."""
    body = call.body
    queries_people.accounts(call.store, body.person_id)
    made, looked = requests.ask(
        call.store,
        person_id=body.person_id,
        name=body.name or "",
        reason=body.reason,
        by=call.caller.actor,
        now=call.tools.now(),
        app_id=body.app_id,
    )
    return Reply(
        AskedForAnswer(
            request=request_answer(made) if made else None,
            approved=looked.approved,
            alternatives=[tool_answer(one) for one in looked.alternatives],
        )
    )


def list_requests(call: Call[RequestQuery, None]) -> Reply:
    """Requests."""
    asked = call.query
    page = call.store.requests.page(asked.state, asked.limit, call.position(asked.cursor))
    rows = [request_answer(one) for one in page.items]
    return Reply(RequestList(data=rows, next_cursor=call.cursor(page.cursor)))


def _get(call: Call[Any, Any]) -> AccessRequest:
    found = call.store.requests.get(call.path["request_id"])
    if found is None:
        raise NotFoundError("request", call.path["request_id"])
    return found


def get_request(call: Call[Any, None]) -> Reply:
    """One request."""
    request = _get(call)
    return Reply(request_answer(request), etag=revision_etag(request.rev))


def decide_request(call: Call[Any, DecisionOnRequest]) -> Reply:
    """Decide on a request."""
    request, body = _get(call), call.body
    call.check_revision(revision_etag(request.rev))
    ruling = Ruling(body.decision == "approve", body.scope, body.until, body.conditions, body.note)
    after = requests.decide(call.store, request, ruling, by=call.caller.actor, now=call.tools.now())
    return Reply(request_answer(after), etag=revision_etag(after.rev))


def withdraw_request(call: Call[Any, None]) -> Reply:
    """Take a request back."""
    request = _get(call)
    call.check_revision(revision_etag(request.rev))
    after = requests.withdraw(call.store, request, by=call.caller.actor, now=call.tools.now())
    return Reply(request_answer(after), etag=revision_etag(after.rev))


ROUTES = (
    Route(
        method="POST",
        path="/v1/requests",
        operation="requestTool",
        tag="People",
        summary="Make an access request",
        description=(
            "For an employee. What is approved already needs no request, and approved tools of the same kind "
            "are answered at once. The owner of the tool is told, else the tenant's reviewers. The same "
            "request on the same day is made once."
        ),
        handler=make_request,
        scope="write",
        body=RequestBody,
        answer=AskedForAnswer,
        problems=("not_found",),
    ),
    Route(
        method="GET",
        path="/v1/requests",
        operation="listRequests",
        tag="People",
        summary="Access requests",
        description="Employees' requests for tools: what waits, the next due first, or what is closed.",
        handler=list_requests,
        scope="read",
        query=RequestQuery,
        answer=RequestList,
    ),
    Route(
        method="GET",
        path="/v1/requests/{request_id}",
        operation="getRequest",
        tag="People",
        summary="One access request",
        description="Who wants what, by when it is to be decided, and the decision.",
        handler=get_request,
        scope="read",
        answer=RequestAnswer,
        etag=True,
    ),
    Route(
        method="POST",
        path="/v1/requests/{request_id}/decide",
        operation="decideRequest",
        tag="People",
        summary="Decide on an access request",
        description=(
            "An approval for the person is an exception; one for everyone is a decision about the product, "
            "which goes back to review at `until`. Whoever made the request cannot decide on it."
        ),
        handler=decide_request,
        scope="write",
        body=DecisionOnRequest,
        answer=RequestAnswer,
        if_match=True,
        etag=True,
        problems=("conflict", "forbidden"),
    ),
    Route(
        method="POST",
        path="/v1/requests/{request_id}/withdraw",
        operation="withdrawRequest",
        tag="People",
        summary="Withdraw an access request",
        description="Nothing is decided.",
        handler=withdraw_request,
        scope="write",
        answer=RequestAnswer,
        if_match=True,
        etag=True,
        problems=("conflict",),
    ),
)
