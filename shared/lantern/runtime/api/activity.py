"""Use of apps: who used one in which week, and what stood out."""

from datetime import date
from typing import Any

from pydantic import Field

from lantern.domain.anomalies import AnomalyKind, Whose
from lantern.runtime.api.paging import ListOf, PageQuery
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer
from lantern.services import queries_activity


class AnomalyAnswer(Answer):
    """Something that stands out in the last whole week, against the app's or the account's own past."""

    kind: AnomalyKind = Field(
        description="`volume`: more events than its past makes likely; `bytes`: the same of bytes that went "
        "to it; `woke`: used after weeks of silence; `new_api`: it called an API for the first time; "
        "`network`, `country`: it was used from there for the first time, after it kept to a few others; "
        "`consents`: more accounts gave it access than usual."
    )
    whose: Whose = Field(description="The app as a whole at a connection, or one account's use of it.")
    subject: str = Field(description="Id of the connection or of the account.")
    week: str = Field(description="ISO week, as 2026-W09.")
    observed: float = Field(description="Events, bytes, APIs, places or accounts, by `kind`.")
    baseline: float = Field(description="What is usual: the median of the weeks before.")
    threshold: float = Field(description="More than this stands out.")
    weeks_of_history: int = Field(description="Weeks that the baseline rests on; never fewer than six.")
    says: str


class AnomaliesAnswer(Answer):
    """What stands out in the use of an app."""

    app: list[AnomalyAnswer] = Field(description="Of the app as a whole, by connection.")
    accounts: list[AnomalyAnswer] = Field(description="Of single accounts; the busiest at each connection.")
    odd_accounts: int = Field(description="How many accounts stand out in all.")


class WeekAnswer(Answer):
    """Use in one week."""

    week: str = Field(description="ISO week, as 2026-W09.")
    events: int = Field(description="As the provider counts them: calls, or sign-ins where it tells no more.")
    last_day: date


class AccountUseAnswer(Answer):
    """Use of the app by one account; weeks without use are left out."""

    principal_id: str
    events: int = Field(description="In all of `weeks`.")
    weeks: list[WeekAnswer]


class ActivityList(ListOf[AccountUseAnswer]):
    """Use of an app by account."""

    weeks: list[str] = Field(
        description="The whole weeks that were read, oldest first. In these, silence means no use; "
        "of any other week nothing is said."
    )


class ActivityQuery(PageQuery):
    """Use at which connection."""

    connection_id: str = Field(
        pattern=r"^[A-Za-z0-9_.-]{1,80}$",
        description="The connection; an app lists its own in `connections`.",
    )


def anomalies(found: dict[str, Any] | None) -> AnomaliesAnswer | None:
    """What stands out, as kept with the app's risk."""
    return AnomaliesAnswer.model_validate(found) if found is not None else None


def list_activity(call: Call[ActivityQuery, None]) -> Reply:
    """Weekly use of an app by account."""
    asked = call.query
    found = queries_activity.activity(
        call.store, asked.connection_id, call.path["app_id"], call.position(asked.cursor), asked.limit
    )
    rows = [
        AccountUseAnswer(
            principal_id=principal,
            events=sum(one.events for one in used.values()),
            weeks=[
                WeekAnswer(week=week, events=one.events, last_day=one.last_day)
                for week, one in sorted(used.items())
            ],
        )
        for principal, used in found.accounts
    ]
    return Reply(ActivityList(data=rows, next_cursor=call.cursor(found.cursor), weeks=list(found.weeks)))


ROUTES = (
    Route(
        method="GET",
        path="/v1/apps/{app_id}/activity",
        operation="listAppActivity",
        tag="Apps",
        summary="Who uses an app, week by week",
        description=(
            "Accounts of one connection that used the app in the last whole weeks, up to eight. What stands "
            "out in that use is part of the app's risk: see getAppRisk."
        ),
        handler=list_activity,
        scope="read",
        query=ActivityQuery,
        answer=ActivityList,
    ),
)
