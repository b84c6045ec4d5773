"""What was sent to a channel to people, and what became of it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from lantern.domain.messages import Delivery, Purpose
from lantern.runtime.api.paging import ListOf, PageQuery
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer
from lantern.runtime.api.webhooks import AttemptAnswer
from lantern.services.outreach import settings as setting


class AlertDeliveryRow(Answer):
    """A message on its way to one address, or arrived."""

    id: str
    purpose: Purpose
    to: str = Field(description="Slack channel or e-mail address; empty for Teams.")
    title: str
    findings: int = Field(description="Findings it tells of, those it only counts too.")
    state: Literal["pending", "sent", "failed", "withdrawn"]
    created_at: datetime
    next_at: datetime | None = Field(description="When it is tried again.")
    tries: int
    attempts: list[AttemptAnswer]


class AlertDeliveryList(ListOf[AlertDeliveryRow]):
    """Messages, newest first."""


def _row(found: Delivery) -> AlertDeliveryRow:
    return AlertDeliveryRow(
        id=found.id,
        purpose=found.purpose,
        to=found.address.to,
        title=found.message.title if found.message else "",
        findings=found.covers,
        state=found.state,
        created_at=found.created_at,
        next_at=found.next_at,
        tries=found.tries,
        attempts=[
            AttemptAnswer(at=one.at, outcome=one.outcome, status=one.status, detail=one.detail)
            for one in found.attempts
        ],
    )


def list_deliveries(call: Call[PageQuery, None]) -> Reply:
    """What was sent to a channel."""
    asked = call.query
    channel = setting.channel(call.store, call.path["channel_id"])
    page = call.store.deliveries.page(channel.id, asked.limit, call.position(asked.cursor))
    data = [_row(found) for found in page.items]
    return Reply(AlertDeliveryList(data=data, next_cursor=call.cursor(page.cursor)))


ROUTES: tuple[Any, ...] = (
    Route(
        method="GET",
        path="/v1/alerts/channels/{channel_id}/deliveries",
        operation="listAlertDeliveries",
        tag="Alerts",
        summary="What was sent to a channel",
        description="Messages of the last 90 days with each attempt, newest first.",
        handler=list_deliveries,
        scope="read",
        query=PageQuery,
        answer=AlertDeliveryList,
    ),
)
