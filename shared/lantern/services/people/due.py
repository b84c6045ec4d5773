"""Whether anything of the guidance of people is due in a tenant: three small queries, nothing written."""

from datetime import datetime

from lantern.store.tenant import TenantStore


def anything_due(store: TenantStore, now: datetime) -> bool:
    """Whether a question, a request or a review waits for something to be done."""
    return any(
        next(iter(due), None) is not None
        for due in (store.nudges.due(now, 1), store.requests.due(now, 1), store.campaigns.due(now, 1))
    )
