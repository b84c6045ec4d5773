"""Read model of use: who used an app in which week; at most two requests."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lantern.domain.errors import NotFoundError
from lantern.domain.use import WeekUse, whole_weeks
from lantern.store.tenant import TenantStore

MOST_WEEKS: Final = 8
_ITEMS: Final = 100
"""Of a batch: a shard's week is an item, and so is that of every shard it may once have been split from."""


@dataclass(frozen=True, slots=True)
class Activity:
    """Use of an app at a connection: by account, then by week, of those who used it at all.

    `weeks` are those that are known without a hole and were read, oldest first; of no other is anything said.
    """

    weeks: tuple[str, ...]
    accounts: tuple[tuple[str, Mapping[str, WeekUse]], ...]
    cursor: str | None


def activity(store: TenantStore, connection_id: str, app_id: str, after: str | None, limit: int) -> Activity:
    """Who used an app in the last whole weeks, in the order of account ids.

    Large organisations have more items a week: fewer weeks are read, at least one.

    Raises:
        NotFoundError: no such connection or no such app.
    """
    connection, known, window = store.joined.activity(connection_id, app_id)
    if connection is None:
        raise NotFoundError("connection", connection_id)
    if not known:
        raise NotFoundError("app", app_id)
    most = min(MOST_WEEKS, max(1, _ITEMS // (2 * connection.shards - 1)))
    weeks = whole_weeks(window.complete_from, window.complete_until, most) if window else []
    used = store.use.of_app(connection_id, weeks, app_id, connection.shards) if weeks else {}
    left = [principal for principal in sorted(used) if after is None or principal > after]
    chosen = left[:limit]
    return Activity(
        tuple(weeks),
        tuple((principal, used[principal]) for principal in chosen),
        chosen[-1] if len(left) > limit else None,
    )
