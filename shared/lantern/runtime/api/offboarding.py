"""Offboarding: everything that one person has, taken in one run."""

from typing import Any

from pydantic import Field

from lantern.domain.playbooks.machine import About
from lantern.runtime.api.playbook_runs import PlaybookRunDetail, begin
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Strict


class OffboardRequest(Strict):
    """How to offboard somebody."""

    reason: str = Field("", max_length=1_000, description="Why; it goes into the audit log.")
    dry_run: bool = Field(default=False, description="Say what would happen, and do nothing.")


def offboard(call: Call[Any, OffboardRequest]) -> Reply:
    """Offboard a person."""
    about = About(person_id=call.path["person_id"])
    return begin(call, "departed-employee", about, call.body.reason, dry_run=call.body.dry_run)


ROUTES = (
    Route(
        method="POST",
        path="/v1/persons/{person_id}/offboard",
        operation="offboardPerson",
        tag="Principals",
        summary="Offboard a person",
        description=(
            "A run of the playbook `departed-employee` over all connections: sessions, grants, app "
            "passwords, seats, tokens, keys and agents. Somebody else approves it; its "
            "evidence is at /v1/evidence."
        ),
        handler=offboard,
        scope="remediate",
        body=OffboardRequest,
        answer=PlaybookRunDetail,
        status=202,
        dry_run=True,
        etag=True,
        problems=("not_found", "conflict"),
    ),
)
