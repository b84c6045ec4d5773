"""Assets: API keys, agents, MCP servers and whatever else connections list beside grants."""

from datetime import datetime
from typing import Any, Self

from pydantic import Field, model_validator

from lantern.domain.assets import AssetKind, AssetState
from lantern.domain.errors import NotFoundError
from lantern.runtime.api.paging import ListOf, PageQuery
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer, Question, choice_error
from lantern.runtime.preconditions import revision_etag
from lantern.services import queries_findings
from lantern.store.assets import StoredAsset

_ID = r"^[A-Za-z0-9_.-]{1,80}$"


class AssetAnswer(Answer):
    """One asset at one connection."""

    id: str
    connection_id: str
    kind: AssetKind
    native_id: str = Field(description="The provider's immutable id.")
    name: str
    state: AssetState
    owner: str | None = Field(description="The account that answers for it; null where nobody is named.")
    client_id: str | None = Field(description="The app it belongs to, as the provider names it.")
    created_at: datetime | None
    last_used_at: datetime | None
    expires_at: datetime | None
    facts: dict[str, Any] = Field(description="What else the provider says of it; never a secret.")
    first_seen: datetime
    changed_at: datetime
    gone_at: datetime | None = Field(description="Since when it is no longer listed; null while it is.")


class AssetList(ListOf[AssetAnswer]):
    """Assets of a kind."""


class AssetQuery(PageQuery):
    """Which assets: those of a kind, or those that a finding is about."""

    kind: AssetKind | None = Field(None, description="The kind of asset.")
    finding_id: str | None = Field(None, pattern=_ID, description="Those that this finding is about now.")
    connection_id: str | None = Field(
        None, pattern=_ID, description="Only those of this connection; goes with `kind`."
    )

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if (self.kind is None) == (self.finding_id is None):
            raise choice_error(("kind", "finding_id"), "Send exactly one of kind and finding_id.")
        if self.finding_id is not None and self.connection_id is not None:
            raise choice_error(("connection_id",), "A finding names its assets; leave connection_id out.")
        return self


def _answer(stored: StoredAsset) -> AssetAnswer:
    asset = stored.asset
    return AssetAnswer(
        id=asset.id,
        connection_id=asset.connection_id,
        kind=asset.kind,
        native_id=asset.native_id,
        name=asset.name,
        state=asset.state,
        owner=asset.owner,
        client_id=asset.client_id,
        created_at=asset.created_at,
        last_used_at=asset.last_used_at,
        expires_at=asset.expires_at,
        facts={name: list(v) if isinstance(v, tuple) else v for name, v in asset.facts.items()},
        first_seen=stored.first_seen,
        changed_at=stored.changed_at,
        gone_at=stored.gone_at,
    )


def list_assets(call: Call[AssetQuery, None]) -> Reply:
    """Assets of a kind, or of a finding."""
    asked = call.query
    after = call.position(asked.cursor)
    if asked.kind is None:
        page = queries_findings.assets(call.store, asked.finding_id or "", after, asked.limit)
    else:
        page = call.store.assets.page(asked.kind, asked.connection_id, limit=asked.limit, cursor=after)
    return Reply(AssetList(data=[_answer(one) for one in page.items], next_cursor=call.cursor(page.cursor)))


def get_asset(call: Call[Question, None]) -> Reply:
    """One asset."""
    asset_id = call.path["asset_id"]
    stored = call.store.assets.get(asset_id)
    if stored is None:
        raise NotFoundError("asset", asset_id)
    return Reply(_answer(stored), etag=revision_etag(stored.rev))


ROUTES = (
    Route(
        method="GET",
        path="/v1/assets",
        operation="listAssets",
        tag="Assets",
        summary="Assets of a kind, or of a finding",
        description=(
            "Exactly one of `kind` and `finding_id` says which. "
            "API keys and tokens, agents, MCP servers: what a connection has beside grants, with its owners. "
            "What a complete listing no longer has stays for 400 days, marked as gone."
        ),
        handler=list_assets,
        scope="read",
        query=AssetQuery,
        answer=AssetList,
        problems=("not_found",),
    ),
    Route(
        method="GET",
        path="/v1/assets/{asset_id}",
        operation="getAsset",
        tag="Assets",
        summary="One asset",
        description="What it is, whose it is, when it was last used and when it ends.",
        handler=get_asset,
        scope="read",
        answer=AssetAnswer,
        etag=True,
    ),
)
