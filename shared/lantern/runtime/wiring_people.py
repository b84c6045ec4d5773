"""The composition of people's own pages."""

import secrets
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from lantern.runtime import wiring, wiring_catalog, wiring_edges, wiring_platform
from lantern.runtime.clock import CLOCK

if TYPE_CHECKING:
    from lantern.services.people.page import PeoplePages
    from lantern.services.scopes import Scopes


def pages(event: Mapping[str, Any]) -> "PeoplePages":
    """What the pages work with, for one request."""
    from lantern.services.people.page import PeoplePages

    return PeoplePages(
        site=wiring_edges.site(event),
        platform=wiring_platform.platform_store(),
        tenant=wiring.tenant_store,
        scopes=_scopes(),
        now=CLOCK.now,
        random=secrets.token_bytes,
    )


@cache
def _scopes() -> "Scopes":
    from lantern.services.scopes import Scopes

    return Scopes(wiring_catalog.content_directory())


def reset() -> None:
    """Forget everything, so that the next use reads the environment anew."""
    _scopes.cache_clear()
