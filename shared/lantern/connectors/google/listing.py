"""What lists of the whole organisation say of each account, and whether they said it to the end."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from lantern.connectors.google.api import CHROME_QUERY, GoogleApi
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED
from lantern.connectors.resolution import CallError
from lantern.domain.inventory import ObservedGrant

_PAGES: Final = 2_000
"""No list of ours is longer; a page token that leads in a circle ends here."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Grants by account: its address (lower case) or its id. `begun` is when the reading began.

    Only from a complete listing may it be concluded that an account does not hold what is not named. `whole`
    are apps (by id) all of whose people are known even where the listing as a whole is not complete.
    """

    begun: datetime
    complete: bool
    grants: Mapping[str, Mapping[str, ObservedGrant]] = field(default_factory=dict)
    whole: frozenset[str] = frozenset()

    def of(self, *keys: str | None) -> tuple[ObservedGrant, ...]:
        """What an account holds that goes by any of these keys, one grant an app."""
        found: dict[str, ObservedGrant] = {}
        for key in keys:
            found |= self.grants.get(key, {}) if key else {}
        return tuple(found.values())


class Gathered:
    """Grants under way: one for each account and app."""

    def __init__(self) -> None:
        self.grants: dict[str, dict[str, ObservedGrant]] = defaultdict(dict)

    def add(self, key: str, grant: ObservedGrant) -> None:
        """An account holds this."""
        self.grants[key][grant.app.id] = grant


@dataclass(slots=True)
class Count:
    """What a paged list said of its length: none of it is known to be missing where `whole`."""

    seen: int = 0
    total: int | None = None

    @property
    def whole(self) -> bool:
        """Whether as much came as was announced. A list that announces nothing proves nothing."""
        return self.total is not None and self.seen >= self.total


def rows(
    api: GoogleApi, path: str, name: str, params: Mapping[str, str], halt: Halt, count: Count
) -> Iterator[Mapping[str, Any]]:
    """The rows of a Chrome Management list, page by page; `count` is kept on the way.

    Objects of this API do not say of what kind they are, so that an answer cut down to `{}` looks like the
    end of a list. `totalSize` tells them apart.

    Raises:
        CallError: Google did not answer as documented.
    """
    token: str | None = None
    for _ in range(_PAGES):
        asked = {**params, "pageToken": token} if token else params
        body = api.ask(path, halt, params=asked, quotas=CHROME_QUERY)
        page, token, total = body.get(name, []), body.get("nextPageToken"), number(body.get("totalSize"))
        if not isinstance(page, list) or not isinstance(token, str | None):
            raise CallError(GARBLED, detail=f"chrome: {name}")
        count.total = max(count.total or 0, total) if total is not None else count.total
        for row in page:
            if not isinstance(row, dict):
                raise CallError(GARBLED, detail=f"chrome: {name}")
            count.seen += 1
            yield row
        if not token:
            return
    raise CallError(GARBLED, detail=f"chrome: {name} has no end")


def number(value: object) -> int | None:
    """A count: int64 comes as text, int32 as a number."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
