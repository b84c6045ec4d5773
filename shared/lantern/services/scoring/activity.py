"""Look at the use of single accounts: once for each new week, since that reads all weeks of all shards."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from lantern.domain.anomalies import LEAST_HISTORY, Anomaly, account_anomalies
from lantern.domain.tally import AppTally
from lantern.domain.tenancy import Connection
from lantern.domain.use import whole_weeks
from lantern.store.tenant import TenantStore

STREAM: Final = "anomalies"


def look_at_accounts(
    store: TenantStore, connection: Connection, tallies: Mapping[str, AppTally], most: int
) -> str | None:
    """Give each tally the accounts whose use of the app stands out, if the weeks were not looked at before.

    Args:
        store: the tenant's store.
        connection: whose use.
        tallies: by app id.
        most: weeks to look back.

    Returns:
        What to note once the tallies are stored (`note_looked`); None where there was nothing new to look at.
    """
    window = store.use.window(connection.id)
    weeks = whole_weeks(window.complete_from, window.complete_until, most) if window else []
    if len(weeks) <= LEAST_HISTORY:
        return None
    mark = f"{weeks[0]}/{weeks[-1]}"
    if store.cursors.get(connection.id, STREAM) == mark:
        return None
    found: dict[str, list[Anomaly]] = defaultdict(list)
    for shard in range(connection.shards):
        for app_id, odd in _of_shard(store, connection, weeks, shard).items():
            found[app_id] += odd
    for app_id, tally in tallies.items():
        tally.accounts = tuple(sorted(found.get(app_id, ()), key=lambda one: (-one.observed, one.subject)))
    return mark


def _of_shard(
    store: TenantStore, connection: Connection, weeks: Sequence[str], shard: int
) -> dict[str, tuple[Anomaly, ...]]:
    """What stands out among the accounts of one shard, by app; one shard is in memory at a time."""
    by_app: dict[str, list[tuple[str, Sequence[int]]]] = defaultdict(list)
    for (principal, app_id), events in store.use.series(
        connection.id, weeks, shard, connection.shards
    ).items():
        if events[-1]:
            by_app[app_id].append((principal, events))
    return {app_id: account_anomalies(weeks, series) for app_id, series in by_app.items()}


def note_looked(store: TenantStore, connection: Connection, mark: str, now: datetime) -> None:
    """Remember which weeks were looked at. Looking twice finds the same."""
    store.cursors.put(connection.id, STREAM, mark, now)
