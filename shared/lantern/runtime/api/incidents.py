"""Incidents of vendors: who was exposed, to what, since when, and what is done about it."""

from datetime import date, datetime
from typing import Any

from pydantic import Field

from lantern.domain.incidents import Exposure, Incident, Source
from lantern.runtime.api.paging import ListOf, PageQuery
from lantern.runtime.api.playbook_runs import PlaybookRunDetail, run_detail
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer, Instant, Strict


class IncidentRequest(Strict):
    """An incident to raise."""

    vendor_id: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,80}$", description="As /v1/vendors names it.")
    occurred_at: Instant = Field(description="When it happened, as far as it is known.")
    summary: str = Field(min_length=1, max_length=2_000, description="What happened.")
    dry_run: bool = Field(
        default=False, description="Say who was exposed and what would be done; store nothing."
    )


class VendorExposureAnswer(Answer):
    """One app at one connection."""

    app_id: str
    connection_id: str
    accounts: int
    dated: int = Field(description="Grants whose date a source told; the others count from when first seen.")
    data: list[str]
    since: date | None


class VendorIncidentAnswer(Answer):
    """An incident as the organisation stands to it, as of when it was raised."""

    id: str
    vendor_id: str
    vendor: str
    occurred_at: datetime
    summary: str
    source: Source = Field(description="Who raised it: the organisation, or operators for all.")
    url: str | None
    raised_by: str
    raised_at: datetime
    people: int
    grants: int
    data: list[str]
    chains: list[str] = Field(description="Where what the vendor read at one place could reach another.")
    exposed: list[VendorExposureAnswer]
    exposed_from: datetime | None = Field(description="The incident, or the first grant where that is later.")
    exposed_until: datetime | None = Field(description="When the last grant was revoked; null is still open.")
    unread: list[str] = Field(description="Connections that could not be read completely.")
    run_id: str | None = Field(description="The playbook run that answers it.")


class RaisedAnswer(Answer):
    """An incident with the plan that answers it; null where nothing is to be revoked."""

    incident: VendorIncidentAnswer
    run: PlaybookRunDetail | None


class IncidentList(ListOf[VendorIncidentAnswer]):
    """Incidents."""


def _exposure(one: Exposure) -> VendorExposureAnswer:
    return VendorExposureAnswer(
        app_id=one.app_id,
        connection_id=one.connection_id,
        accounts=one.accounts,
        dated=one.dated,
        data=list(one.data),
        since=one.since,
    )


def _incident(one: Incident, ended: datetime | None = None) -> VendorIncidentAnswer:
    begins, ends = one.window(ended)
    return VendorIncidentAnswer(
        id=one.id,
        vendor_id=one.vendor_id,
        vendor=one.vendor,
        occurred_at=one.occurred_at,
        summary=one.summary,
        source=one.source,
        url=one.url or None,
        raised_by=one.raised_by,
        raised_at=one.raised_at,
        people=one.people,
        grants=one.grants,
        data=list(one.data),
        chains=list(one.chains),
        exposed=[_exposure(row) for row in one.exposed],
        exposed_from=begins,
        exposed_until=ends,
        unread=list(one.unread),
        run_id=one.run_id,
    )


def raise_incident(call: Call[Any, IncidentRequest]) -> Reply:
    """Raise an incident."""
    from lantern.services import incidents, playbooks

    body = call.body
    raised = incidents.raise_incident(
        call.store,
        call.tools.reference,
        call.tools.reference.books,
        vendor_id=body.vendor_id,
        occurred_at=body.occurred_at,
        summary=body.summary,
        by=call.caller.actor,
        dry_run=body.dry_run,
        now=call.tools.now(),
        random=call.tools.random,
    )
    asked = raised.asked
    would = None
    if asked is not None and body.dry_run:
        would = {
            one.target.target_id: one.steps
            for one in playbooks.would_happen(call.store, asked, call.tools.now())
        }
    answer = RaisedAnswer(
        incident=_incident(raised.incident),
        run=None if asked is None else run_detail(asked.run, asked.targets, would),
    )
    if body.dry_run:
        return Reply(answer)
    return Reply(answer, status=201, location=f"/v1/incidents/{raised.incident.id}")


def list_incidents(call: Call[PageQuery, None]) -> Reply:
    """Incidents."""
    page = call.store.incidents.page(call.query.limit, call.position(call.query.cursor))
    return Reply(
        IncidentList(data=[_incident(one) for one in page.items], next_cursor=call.cursor(page.cursor))
    )


def get_incident(call: Call[Any, None]) -> Reply:
    """One incident, with the end of the exposure where it has ended."""
    from lantern.services import incidents

    found = incidents.incident(call.store, call.path["incident_id"])
    return Reply(_incident(found, incidents.ended(call.store, found)))


ROUTES = (
    Route(
        method="POST",
        path="/v1/incidents",
        operation="raiseIncident",
        tag="Incidents",
        summary="Raise an incident of a vendor",
        description=(
            "Answers at once with people, grants, kinds of data, chains and the exposure window, and with "
            "the plan: a run of the playbook `vendor-incident` that waits for somebody else's approval."
        ),
        handler=raise_incident,
        scope="remediate",
        body=IncidentRequest,
        answer=RaisedAnswer,
        status=201,
        dry_run=True,
        problems=("not_found", "conflict"),
    ),
    Route(
        method="GET",
        path="/v1/incidents",
        operation="listIncidents",
        tag="Incidents",
        summary="Incidents",
        description="Incidents that the organisation or operators raised.",
        handler=list_incidents,
        scope="read",
        query=PageQuery,
        answer=IncidentList,
    ),
    Route(
        method="GET",
        path="/v1/incidents/{incident_id}",
        operation="getIncident",
        tag="Incidents",
        summary="One incident",
        description="Who was exposed to what and since when, and whether the exposure is over.",
        handler=get_incident,
        scope="read",
        answer=VendorIncidentAnswer,
    ),
)
