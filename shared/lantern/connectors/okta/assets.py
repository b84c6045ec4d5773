"""What an organisation has beside grants: API tokens, and AI agents where Okta manages them."""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from lantern.connectors.halt import Halt
from lantern.connectors.http import HaltedError
from lantern.connectors.okta import normalize
from lantern.connectors.okta.api import OktaApi
from lantern.connectors.okta.manifest import AGENTS, API_TOKENS
from lantern.connectors.okta.normalize import MalformedError
from lantern.connectors.okta.people import Owner
from lantern.connectors.resolution import CallError
from lantern.domain.assets import Asset, AssetKind, AssetListing

log = logging.getLogger(__name__)

TOKENS_PATH: Final = "/api/v1/api-tokens"
AGENTS_PATH: Final = "/workload-principals/api/v1/ai-agents"


def listings(
    api: OktaApi, owner: Owner, granted: frozenset[str], now: datetime, halt: Halt
) -> Iterator[AssetListing]:
    """Complete listings per kind. What we may not read, what there is not, and what failed is absent.

    Raises:
        CallError: what would fail for every kind.
    """

    def token(row: Mapping[str, Any]) -> Asset:
        return normalize.api_token(
            row, connection_id=owner.connection_id, organisation_id=owner.organisation_id, now=now
        )

    def agent(row: Mapping[str, Any]) -> Asset:
        return normalize.agent(row, connection_id=owner.connection_id)

    kinds: tuple[tuple[AssetKind, str, str, Mapping[str, str], Callable[[Mapping[str, Any]], Asset]], ...] = (
        ("api_key", API_TOKENS, TOKENS_PATH, {}, token),
        ("agent", AGENTS, AGENTS_PATH, {"limit": "200"}, agent),
    )
    for kind, scope, path, params, make in kinds:
        if scope not in granted or halt.passed():
            continue
        try:
            yield AssetListing(kind, tuple(make(row) for row in api.rows(path, halt, params=params)))
        except HaltedError:
            return
        except MalformedError as error:
            log.warning("okta assets of kind %s not read: %s", kind, error)
        except CallError as error:
            if error.resolution.connection_wide:
                raise
            # AI agents are a product of their own: 403 or 404 says that this organisation has not bought it.
            log.info("okta assets of kind %s not read: %s", kind, error.reason)
