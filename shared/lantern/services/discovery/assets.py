"""Read what a connection has beside grants: API keys, agents, servers, with whoever owns them."""

import logging

from lantern.domain.work import Work
from lantern.services.discovery.context import Discovery

log = logging.getLogger(__name__)


def read_assets(task: Discovery) -> int:
    """Store every complete listing; a kind that could not be listed stays as it was known.

    Returns:
        How many assets were added, changed or found gone.
    """
    touched = 0
    for listing in task.connector.assets(task.deadline):
        changes = task.store.assets.reconcile(
            task.connection.id, listing.kind, listing.assets, task.clock.now()
        )
        touched += len(changes.added) + len(changes.changed) + len(changes.gone)
        log.info(
            "assets listed",
            extra={
                "asset_kind": listing.kind,
                "count": len(listing.assets),
                "added": len(changes.added),
                "gone": len(changes.gone),
            },
        )
    if touched:
        task.send(Work(task.store.tenant_id, "score.whole", cause="assets"), 0)
    return touched
