"""Reviews of access: begin one, look at its grants, decide, close."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from lantern.domain import ids
from lantern.domain.campaigns import (
    LONGEST,
    Campaign,
    CampaignItem,
    CampaignScope,
    CampaignState,
    Decision,
    ReviewBy,
)
from lantern.domain.errors import NotFoundError
from lantern.domain.scopes import DataClass
from lantern.runtime.api.paging import ListOf, PageQuery
from lantern.runtime.api.routing import ID_SHAPES, Call, Reply, Route
from lantern.runtime.api.validation import Answer, Instant, Strict
from lantern.runtime.preconditions import revision_etag
from lantern.services.people import campaigns
from lantern.services.people.campaigns import Ruling

_App = Annotated[str, Field(pattern=f"^{ID_SHAPES['app_id']}$")]
_Person = Annotated[str, Field(pattern=f"^{ID_SHAPES['person_id']}$")]
_Grant = Annotated[str, Field(pattern=f"^{ID_SHAPES['grant_id']}$")]
_Text = Annotated[str, Field(min_length=1, max_length=200)]


class ScopeBody(Strict):
    """Which grants: those that are in every list that is sent."""

    app_ids: list[_App] = Field([], max_length=100)
    product_ids: list[_Text] = Field([], max_length=100)
    data_classes: list[DataClass] = Field([], max_length=20, description="Kinds of data the grant reaches.")
    org_units: list[_Text] = Field(
        [], max_length=100, description="Units of the directory, with what is below."
    )
    person_ids: list[_Person] = Field([], max_length=500, description="These persons, such as a group.")
    manager_ids: list[_Person] = Field(
        [], max_length=100, description="Whoever reports to one of these persons, as the directory says."
    )


class CampaignBody(Strict):
    """What to review."""

    name: str = Field(min_length=1, max_length=120)
    scope: ScopeBody
    review_by: ReviewBy = Field(
        "owner", description="The owner of each tool, each person's manager, or the named reviewers alone."
    )
    reviewers: list[_Person] = Field(
        [], max_length=50, description="Persons; with `owner` and `manager` they decide where there is none."
    )
    due_at: Instant = Field(description="When it closes by itself.")
    remind_days: int = Field(
        3, ge=0, le=30, description="Days before `due_at` at which reviewers are reminded."
    )
    silence: Decision = Field("keep", description="What becomes of grants nobody decides on.")


class RulingBody(Strict):
    """A decision on one grant."""

    grant_id: _Grant
    decision: Decision
    reason: str = Field("", max_length=LONGEST)


class RulingsBody(Strict):
    """Decisions."""

    decisions: list[RulingBody] = Field(min_length=1, max_length=100)


class CountsAnswer(Answer):
    """How far it has come, in grants."""

    items: int
    keep: int
    revoke: int
    undecided: int
    silent: int = Field(description="Decided by silence.")


class CampaignAnswer(Answer):
    """A review."""

    id: str
    name: str
    state: CampaignState
    app_ids: list[str]
    product_ids: list[str]
    data_classes: list[DataClass]
    org_units: list[str]
    person_ids: list[str]
    manager_ids: list[str]
    review_by: ReviewBy
    reviewers: list[str]
    silence: Decision
    created_by: str
    created_at: datetime
    due_at: datetime
    reminded_at: datetime | None
    counts: CountsAnswer
    job_ids: list[str] = Field(
        description="The job that takes away what was not kept; brakes and approval apply to all of it."
    )
    refused: list[str] = Field(description="Why it could not be asked for, such as a brake.")
    closed_by: str | None
    closed_at: datetime | None
    problem: str | None


class ItemAnswer(Answer):
    """A grant under review."""

    id: str = Field(description="The grant.")
    principal_id: str
    person_id: str
    connection_id: str
    app_id: str
    scope_set: str = Field(description="The permissions when the review began: see /v1/scope-sets.")
    reviewers: list[str]
    decision: Decision | None
    by: str | None = Field(description="Who decided; `silence` where nobody did.")
    at: datetime | None
    reason: str


class CampaignList(ListOf[CampaignAnswer]):
    """Reviews."""


class ItemList(ListOf[ItemAnswer]):
    """Grants under review."""


def _answer(campaign: Campaign) -> CampaignAnswer:
    counts, scope = campaign.counts, campaign.scope
    return CampaignAnswer(
        id=campaign.id,
        name=campaign.name,
        state=campaign.state,
        app_ids=list(scope.app_ids),
        product_ids=list(scope.product_ids),
        data_classes=list(scope.data_classes),
        org_units=list(scope.org_units),
        person_ids=list(scope.person_ids),
        manager_ids=list(scope.manager_ids),
        review_by=campaign.review_by,
        reviewers=list(campaign.reviewers),
        silence=campaign.silence,
        created_by=campaign.created_by,
        created_at=campaign.created_at,
        due_at=campaign.due,
        reminded_at=campaign.reminded_at,
        counts=CountsAnswer(
            items=counts.items,
            keep=counts.keep,
            revoke=counts.revoke,
            undecided=counts.undecided,
            silent=counts.silent,
        ),
        job_ids=list(campaign.jobs),
        refused=list(campaign.refused),
        closed_by=campaign.closed_by,
        closed_at=campaign.closed_at,
        problem=campaign.problem,
    )


def _item(item: CampaignItem) -> ItemAnswer:
    return ItemAnswer(
        id=item.id,
        principal_id=item.principal_id,
        person_id=item.person_id,
        connection_id=item.connection_id,
        app_id=item.app_id,
        scope_set=item.scope_set,
        reviewers=list(item.reviewers),
        decision=item.decision,
        by=item.by,
        at=item.at,
        reason=item.reason,
    )


def create(call: Call[Any, CampaignBody]) -> Reply:
    """Begin a review."""
    body, now = call.body, call.tools.now()
    made = campaigns.create(
        call.store,
        Campaign(
            id=ids.time_id("cam", now, call.tools.random),
            name=body.name,
            state="building",
            scope=CampaignScope(
                app_ids=tuple(body.scope.app_ids),
                product_ids=tuple(body.scope.product_ids),
                data_classes=tuple(body.scope.data_classes),
                org_units=tuple(body.scope.org_units),
                person_ids=tuple(body.scope.person_ids),
                manager_ids=tuple(body.scope.manager_ids),
            ),
            review_by=body.review_by,
            reviewers=tuple(body.reviewers),
            silence=body.silence,
            created_by=call.caller.actor,
            created_at=now,
            due=body.due_at,
            next_at=now + campaigns.STALLED,
            remind_days=body.remind_days,
        ),
        now,
    )
    return _moved(made)


def _moved(campaign: Campaign) -> Reply:
    where = f"/v1/campaigns/{campaign.id}"
    return Reply(_answer(campaign), status=202, etag=revision_etag(campaign.rev), location=where)


def list_campaigns(call: Call[PageQuery, None]) -> Reply:
    """Reviews, newest first."""
    asked = call.query
    page = call.store.campaigns.page(asked.limit, call.position(asked.cursor))
    rows = [_answer(one) for one in page.items]
    return Reply(CampaignList(data=rows, next_cursor=call.cursor(page.cursor)))


def _get(call: Call[Any, Any]) -> Campaign:
    found = call.store.campaigns.get(call.path["campaign_id"])
    if found is None:
        raise NotFoundError("campaign", call.path["campaign_id"])
    return found


def get_campaign(call: Call[Any, None]) -> Reply:
    """One review."""
    campaign = _get(call)
    return Reply(_answer(campaign), etag=revision_etag(campaign.rev))


def list_items(call: Call[PageQuery, None]) -> Reply:
    """Grants of a review."""
    asked, campaign = call.query, _get(call)
    page = call.store.campaigns.items_page(campaign.id, asked.limit, call.position(asked.cursor))
    return Reply(ItemList(data=[_item(one) for one in page.items], next_cursor=call.cursor(page.cursor)))


def decide(call: Call[Any, RulingsBody]) -> Reply:
    """Decide on grants."""
    campaign = _get(call)
    rulings = [Ruling(one.grant_id, one.decision, one.reason) for one in call.body.decisions]
    after = campaigns.decide(call.store, campaign.id, rulings, by=call.caller.actor, now=call.tools.now())
    return Reply(_answer(after), etag=revision_etag(after.rev))


def close(call: Call[Any, None]) -> Reply:
    """Close a review."""
    campaign = _get(call)
    call.check_revision(revision_etag(campaign.rev))
    return _moved(campaigns.close(call.store, campaign, by=call.caller.actor, now=call.tools.now()))


def cancel(call: Call[Any, None]) -> Reply:
    """Give a review up."""
    campaign = _get(call)
    call.check_revision(revision_etag(campaign.rev))
    return _moved(campaigns.cancel(call.store, campaign, by=call.caller.actor, now=call.tools.now()))


ROUTES = (
    Route(
        method="POST",
        path="/v1/campaigns",
        operation="createCampaign",
        tag="People",
        summary="Begin a review campaign",
        description=(
            "Managers, app owners or named persons say of each grant whether it is kept. Its grants are "
            "found in the background; then reviewers are told. At `due_at` it closes by itself; what nobody "
            "decided on is decided by `silence`."
        ),
        handler=create,
        scope="remediate",
        body=CampaignBody,
        answer=CampaignAnswer,
        status=202,
        etag=True,
    ),
    Route(
        method="GET",
        path="/v1/campaigns",
        operation="listCampaigns",
        tag="People",
        summary="Review campaigns",
        description="Reviews of access, newest first.",
        handler=list_campaigns,
        scope="read",
        query=PageQuery,
        answer=CampaignList,
    ),
    Route(
        method="GET",
        path="/v1/campaigns/{campaign_id}",
        operation="getCampaign",
        tag="People",
        summary="One review campaign",
        description="How far it has come, and what it led to.",
        handler=get_campaign,
        scope="read",
        answer=CampaignAnswer,
        etag=True,
    ),
    Route(
        method="GET",
        path="/v1/campaigns/{campaign_id}/items",
        operation="listCampaignItems",
        tag="People",
        summary="Grants of a review campaign",
        description="Each with its reviewers and its decision.",
        handler=list_items,
        scope="read",
        query=PageQuery,
        answer=ItemList,
    ),
    Route(
        method="POST",
        path="/v1/campaigns/{campaign_id}/decisions",
        operation="decideCampaignItems",
        tag="People",
        summary="Decide on grants of a review campaign",
        description="Each decision is in the audit log. It may be changed until the review is closed.",
        handler=decide,
        scope="write",
        body=RulingsBody,
        answer=CampaignAnswer,
        etag=True,
        problems=("conflict", "forbidden"),
    ),
    Route(
        method="POST",
        path="/v1/campaigns/{campaign_id}/close",
        operation="closeCampaign",
        tag="People",
        summary="Close a review campaign",
        description="What is not kept goes by one job, whose brakes and approval are about all of it.",
        handler=close,
        scope="remediate",
        answer=CampaignAnswer,
        status=202,
        if_match=True,
        etag=True,
        problems=("conflict",),
    ),
    Route(
        method="POST",
        path="/v1/campaigns/{campaign_id}/cancel",
        operation="cancelCampaign",
        tag="People",
        summary="Cancel a review campaign",
        description="Nothing is taken away.",
        handler=cancel,
        scope="remediate",
        answer=CampaignAnswer,
        status=202,
        if_match=True,
        etag=True,
        problems=("conflict",),
    ),
)
