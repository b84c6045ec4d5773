"""Browser extensions and AI sites as assets: what Google says of them beside who has them."""

from collections.abc import Iterator
from typing import Final

from lantern.connectors.google.extensions import Extension, Extensions
from lantern.connectors.google.sites import Site, Sites
from lantern.domain import ids
from lantern.domain.assets import Asset, AssetListing, Fact

_SENT: Final = "content transfer"
"""What a site is said to have been used for (`HistoryPage.apis`) where content was seen going there."""


def listings(
    extensions: Extensions | None, sites: Sites | None, connection_id: str
) -> Iterator[AssetListing]:
    """Complete listings; a list that did not come to its end is absent."""
    if extensions and extensions.all_seen and extensions.listing.complete:
        found = (_extension(one, connection_id) for one in extensions.found)
        yield AssetListing("extension", tuple(sorted(found, key=lambda asset: asset.id)))
    if sites and sites.all_seen:
        seen = (_site(one, connection_id) for one in sites.found)
        yield AssetListing("site", tuple(sorted(seen, key=lambda asset: asset.id)))


def sent(sites: Sites) -> dict[str, frozenset[str]]:
    """The sites to which content was seen going, by client id."""
    return {one.app.client_id: frozenset({_SENT}) for one in sites.found if one.transfers}


def _extension(one: Extension, connection_id: str) -> Asset:
    facts: dict[str, Fact] = {
        "permissions": tuple(sorted(one.grant.scopes)),
        "installations": one.installs,
        "risk": one.risk,
        "by_policy": one.by_policy,
    }
    return Asset(
        ids.asset_id(connection_id, "extension", one.id), connection_id, "extension", one.id, one.name,
        client_id=one.id, facts=facts,
    )  # fmt: skip


def _site(one: Site, connection_id: str) -> Asset:
    domain = one.app.client_id
    facts: dict[str, Fact] = {"visits": one.visits, "people": one.people, "transfers": one.transfers}
    return Asset(
        ids.asset_id(connection_id, "site", domain), connection_id, "site", domain, one.app.name,
        client_id=domain, facts=facts,
    )  # fmt: skip
