"""Visits of AI sites as use.

Google tells the latest visit of a person to a site, not each of them: what is told is that there was one,
and when the latest was. A window that reaches to the present takes what came after its end too: by the time
the next is read, the latest visit of somebody who comes daily would lie behind that one's end as well, and
none would ever count.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from lantern.connectors.google.inventory import sent
from lantern.connectors.google.sites import Sites
from lantern.connectors.protocol import HistoryPage, Use

_PRESENT: Final = timedelta(hours=3)


def history(
    sites: Sites, by_email: Mapping[str, str], since: datetime, until: datetime, now: datetime
) -> HistoryPage:
    """The visits of a window; addresses that are no account's are left out.

    Args:
        sites: what was read of Chrome.
        by_email: native ids of accounts by address.
        since: start of the window.
        until: its end, exclusive.
        now: the present.
    """
    end = max(until, now) if until >= now - _PRESENT else until
    last: dict[tuple[str, str], datetime] = {}
    counts: dict[tuple[str, str], int] = {}
    for visit in sites.visits:
        native_id = by_email.get(visit.email)
        if native_id is None or not since <= visit.last_at < end:
            continue
        key = (native_id, visit.domain)
        counts[key] = counts.get(key, 0) + 1  # one for each profile of theirs
        last[key] = max(visit.last_at, last.get(key, visit.last_at))
    uses = tuple(Use(*key, counts[key], last[key]) for key in sorted(last))
    return HistoryPage(uses, (), (), len(sites.visits), last=False, apis=sent(sites) if uses else {})
