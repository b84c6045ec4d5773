"""What a person may keep: the one way to write it."""

from datetime import datetime

from lantern.domain.exceptions import AccessException, ExceptionSource, exception_id
from lantern.store.tenant import TenantStore


def allowing(
    store: TenantStore,
    person_id: str,
    app_id: str,
    *,
    source: ExceptionSource,
    source_id: str,
    reason: str,
    by: str,
    now: datetime,
    until: datetime | None = None,
    conditions: str = "",
) -> AccessException:
    """The exception of a person for an app, on the revision of the one that it replaces.

    Without `until` it ends at the tenant's review date.
    """
    before = store.exceptions.get(person_id, app_id)
    return AccessException(
        id=exception_id(person_id, app_id),
        person_id=person_id,
        app_id=app_id,
        source=source,
        source_id=source_id,
        reason=reason,
        by=by,
        at=now,
        until=until or now + store.guidance.get().review,
        conditions=conditions,
        rev=before.rev if before else 0,
    )
