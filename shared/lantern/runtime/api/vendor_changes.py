"""What changed in the public profile of a vendor, as this tenant's evaluations noticed it."""

from datetime import date
from typing import Any

from pydantic import Field

from lantern.domain.errors import NotFoundError
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


class VendorChangesAnswer(Answer):
    """What changed in a vendor's profile since it is in use here, the latest first."""

    vendor_id: str
    changes: list[VendorChangeAnswer]


def get_changes(call: Call[Any, None]) -> Reply:
    """What changed in a vendor's profile."""
    vendor_id = call.path["vendor_id"]
    if call.tools.reference.vendor_by_id(vendor_id) is None:
        raise NotFoundError("vendor", vendor_id)
    seen = call.store.vendors_seen.get()[0].get(vendor_id)
    changes = [
        VendorChangeAnswer.model_validate(one, from_attributes=True)
        for one in reversed(seen.changes if seen else ())
    ]
    return Reply(VendorChangesAnswer(vendor_id=vendor_id, changes=changes))


ROUTES = (
    Route(
        method="GET",
        path="/v1/vendors/{vendor_id}/changes",
        operation="getVendorChanges",
        tag="Vendors",
        summary="What changed in a vendor's profile",
        description=(
            "Old and new value, source and date of each change of the last 400 days in the profile of a "
            "vendor whose apps are in use here. What operators publish is noticed within 15 minutes, what a "
            "release ships by the nightly evaluation; with it the rules about it raise findings."
        ),
        handler=get_changes,
        scope="read",
        answer=VendorChangesAnswer,
    ),
)
