"""Vendors: what is publicly known of them. The same for every tenant; no tenant's store is asked."""

from typing import Any

from pydantic import Field

from lantern.domain.errors import NotFoundError
from lantern.domain.vendors import FACTS, FactName, VendorProfile
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer


class FactAnswer(Answer):
    """Whether a statement about the vendor holds."""

    id: FactName
    statement: str
    holds: bool | None = Field(description="Null where it is not known.")
    source: str | None = Field(description="A public page that says so.")
    date: str | None = Field(description="The month it was known to hold, `YYYY-MM`.")
    note: str


class RetentionAnswer(Answer):
    """For how long content is kept at most by default."""

    days: int
    note: str
    source: str
    date: str


class OwnershipAnswer(Answer):
    """Who owns the vendor."""

    kind: str
    parent: str | None
    country: str = Field(description="Where it has its seat, ISO 3166-1.")
    founded: int | None
    transfer: str | None = Field(description="EU adequacy of that country: adequate, partly or other.")
    source: str
    date: str


class IncidentAnswer(Answer):
    """Something public that happened to data at the vendor."""

    month: str
    kind: str
    what: str
    source: str


class VendorAnswer(Answer):
    """What is publicly known of a vendor."""

    id: str
    vendor: str
    facts: list[FactAnswer]
    retention: RetentionAnswer | None = Field(description="Null where it is not known.")
    data_locations: list[str] = Field(description="Where customers may keep data, as far as known.")
    ownership: OwnershipAnswer | None = Field(description="Null where it is not known.")
    incidents: list[IncidentAnswer] = Field(description="Those known to Lantern: none says nothing.")


def _fact(profile: VendorProfile, name: FactName, statement: str) -> FactAnswer:
    fact = profile.facts.get(name)
    return FactAnswer(
        id=name,
        statement=statement,
        holds=fact.holds if fact else None,
        source=fact.source if fact else None,
        date=fact.date if fact else None,
        note=fact.note if fact else "",
    )


def _answer(profile: VendorProfile) -> VendorAnswer:
    kept, owner = profile.retention, profile.ownership
    return VendorAnswer(
        id=profile.id,
        vendor=profile.vendor,
        facts=[_fact(profile, name, statement) for name, statement in FACTS.items()],
        retention=RetentionAnswer.model_validate(kept, from_attributes=True) if kept else None,
        data_locations=list(profile.data_locations),
        ownership=OwnershipAnswer.model_validate(owner, from_attributes=True) if owner else None,
        incidents=[IncidentAnswer.model_validate(one, from_attributes=True) for one in profile.incidents],
    )


def get_vendor(call: Call[Any, None]) -> Reply:
    """What is publicly known of a vendor."""
    profile = call.tools.vendors().vendor_by_id(call.path["vendor_id"])
    if profile is None:
        raise NotFoundError("vendor", call.path["vendor_id"])
    return Reply(_answer(profile))


ROUTES = (
    Route(
        method="GET",
        path="/v1/vendors/{vendor_id}",
        operation="getVendor",
        tag="Vendors",
        summary="What is known of a vendor",
        description=(
            "Training, retention, certifications, data location, ownership and incidents: each fact yes, no "
            "or not known, with source and month. What operators publish is shown within 5 minutes. An app "
            "names its vendor at /v1/apps/{app_id}/risk."
        ),
        handler=get_vendor,
        scope="read",
        answer=VendorAnswer,
    ),
)
