"""What changed in the public profile of a vendor, as this tenant's evaluations noticed it."""

from datetime import date

from pydantic import Field

from lantern.domain.errors import NotFoundError
from lantern.runtime.api.paging import ListOf, PageQuery, page_of
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer


class VendorChangeAnswer(Answer):
    """One thing that the profile says otherwise than before."""

    what: str = Field(description="A fact such as `trains_on_business_data`, `retention` or `ownership`.")
    before: str = Field(description="What the profile said; empty where it said nothing.")
    after: str = Field(description="What it says now; empty where it says nothing any more.")
    on: date = Field(description="The day it was noticed here.")
    source: str = Field(description="The page that the profile names for it; empty where it names none.")
    date: str = Field(description="The month or day since when, by that page; empty where none is named.")


class VendorChangeList(ListOf[VendorChangeAnswer]):
    """What changed in a vendor's profile since it is in use here, the latest first."""


def list_changes(call: Call[PageQuery, None]) -> Reply:
    """What changed in a vendor's profile."""
    vendor_id = call.path["vendor_id"]
    if call.tools.reference.vendor_by_id(vendor_id) is None:
        raise NotFoundError("vendor", vendor_id)
    seen = call.store.vendors_seen.get()[0].get(vendor_id)
    rows, cursor = page_of(call, enumerate(seen.changes if seen else ()), lambda one: (-one[0],))
    data = [VendorChangeAnswer.model_validate(one, from_attributes=True) for _, one in rows]
    return Reply(VendorChangeList(data=data, next_cursor=cursor))


ROUTES = (
    Route(
        method="GET",
        path="/v1/vendors/{vendor_id}/changes",
        operation="listVendorChanges",
        tag="Vendors",
        summary="What changed in a vendor's profile",
        description=(
            "Old and new value, source and date of each change of the last 400 days in the profile of a "
            "vendor whose apps are in use here. What operators publish is noticed within 15 minutes, what a "
            "release ships by the nightly evaluation; with it the rules about it raise findings."
        ),
        handler=list_changes,
        scope="read",
        query=PageQuery,
        answer=VendorChangeList,
    ),
)
