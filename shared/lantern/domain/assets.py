"""What an organisation has beside grants: credentials, agents, servers and seats, with whoever owns them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

AssetKind = Literal[
    "api_key",
    "agent",
    "mcp_server",
    "automation",
    "model",
    "endpoint",
    "dataset",
    "app_policy",
    "extension",
    "site",
]
"""`app_policy` is what the provider itself was told about an app: approved, restricted, asked for.
`extension` is software in browsers, `site` one that people were seen to visit.
"""
AssetState = Literal["active", "disabled", "expired", "unknown"]
Fact = str | int | bool | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Asset:
    """One thing at one connection; `id` is derived from connection, kind and the provider's immutable id.

    `owner` is the principal id of whoever answers for it; None where the provider names nobody. `client_id`
    is the app it belongs to, as the provider names it. `facts` are further things the provider said, by plain
    names (`scopes`, `address`, `hint`); never a secret.
    """

    id: str
    connection_id: str
    kind: AssetKind
    native_id: str
    name: str
    state: AssetState = "active"
    owner: str | None = None
    client_id: str | None = None
    created_at: datetime | None = None
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AssetListing:
    """Everything of one kind that a connection has: a complete listing. A kind that failed is absent."""

    kind: AssetKind
    assets: tuple[Asset, ...]
