"""The PlatformTable: what has to be known before the tenant is known.

Webhooks and the authorizer import this module at cold start, so it uses a low-level botocore client and
nothing heavier. Keys here carry no tenant; items hold ids, hashes and routes, never a tenant's data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec

from lantern.domain.errors import ConflictError
from lantern.domain.tenancy import TenantStatus
from lantern.store.platform_calls import RefusedError, call
from lantern.store.platform_catalog import OperatorCatalogStore
from lantern.store.platform_notices import NoticeStore

T = TypeVar("T")
Attributes = Mapping[str, Any]

_TENANTS: Final = "TENANT"
_STATE_TTL_S: Final = 600
_ABSENT: Final = "attribute_not_exists(pk)"


@dataclass(frozen=True, slots=True)
class TenantEntry:
    """A line of the tenant registry."""

    id: str
    name: str
    status: TenantStatus
    created_at: datetime


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """An API key by its id: only the hash of the key is kept."""

    key_id: str
    tenant_id: str
    scopes: frozenset[str]
    hash: str
    status: Literal["active", "revoked"] = "active"


@dataclass(frozen=True, slots=True)
class OrgRoute:
    """Which tenant and connection an organisation at a provider belongs to."""

    provider: str
    organisation_id: str
    tenant_id: str
    connection_id: str


@dataclass(frozen=True, slots=True)
class ChannelRoute:
    """Which connection a push channel delivers to; the channel's secret is kept as a hash.

    `source` is whose messages it takes, the provider's name in its address.
    """

    channel_id: str
    tenant_id: str
    connection_id: str
    secret_hash: str
    expires_at: datetime
    source: str = ""


@dataclass(frozen=True, slots=True)
class Entries(Generic[T]):
    """A page of entries; `cursor` continues after them, None at the end."""

    items: tuple[T, ...]
    cursor: str | None


class PlatformStore:
    """The PlatformTable.

    Args:
        client: a low-level botocore DynamoDB client with timeouts set on purpose.
        table: name of the table.

    Attributes:
        catalog: the operators' catalog entries.
        notices: incidents of vendors that they told all tenants.

    Every method raises `StorageError` where the table did not answer.
    """

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table
        self.catalog = OperatorCatalogStore(client, table)
        self.notices = NoticeStore(client, table)

    # --- tenants --------------------------------------------------------------------------------
    def put_tenant(self, entry: TenantEntry) -> None:
        """Register a tenant, or change its line."""
        self._put((_TENANTS, entry.id), entry)

    def get_tenant(self, tenant_id: str) -> TenantEntry | None:
        """A tenant's line."""
        return self._get((_TENANTS, tenant_id), TenantEntry)

    def list_tenants(self, cursor: str | None = None, limit: int = 100) -> Entries[TenantEntry]:
        """Registered tenants in the order of ids; the cursor is the last id."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": _TENANTS}},
            "Limit": limit,
        }
        if cursor is not None:
            request["ExclusiveStartKey"] = _key((_TENANTS, cursor))
        answer = self._call("query", **request)
        items = tuple(_decode(item, TenantEntry) for item in answer["Items"])
        last = answer.get("LastEvaluatedKey")
        return Entries(items, last["sk"]["S"] if last else None)

    # --- API keys -------------------------------------------------------------------------------
    def put_key(self, entry: KeyEntry) -> None:
        """Store a new key.

        Raises:
            ConflictError: the id is taken.
        """
        written = self._put((f"KEY#{entry.key_id}", "KEY"), entry, condition=_ABSENT)
        if not written and self.get_key(entry.key_id) != entry:
            raise ConflictError("this key id is taken")

    def get_key(self, key_id: str) -> KeyEntry | None:
        """A key, revoked ones too."""
        return self._get((f"KEY#{key_id}", "KEY"), KeyEntry)

    def revoke_key(self, key_id: str, tenant_id: str) -> bool:
        """Revoke a tenant's key; False where the tenant has no such key."""
        entry = self.get_key(key_id)
        if entry is None or entry.tenant_id != tenant_id:
            return False
        self._put((f"KEY#{key_id}", "KEY"), replace(entry, status="revoked"))
        return True

    # --- organisations --------------------------------------------------------------------------
    def claim_org(self, route: OrgRoute) -> OrgRoute:
        """Route an organisation to a tenant's connection; the first claim wins.

        Returns:
            The route that holds now: `route`, or the one of whoever claimed it before.
        """
        key = (f"ORG#{route.provider}#{route.organisation_id}", "ORG")
        if self._put(key, route, condition=_ABSENT):
            return route
        return self._get(key, OrgRoute) or self.claim_org(route)

    def move_org(self, route: OrgRoute) -> None:
        """Route an organisation to another connection of the tenant that holds it.

        Raises:
            ConflictError: another tenant holds it.
        """
        key = (f"ORG#{route.provider}#{route.organisation_id}", "ORG")
        values = {":t": {"S": route.tenant_id}}
        if not self._put(key, route, condition=f"{_ABSENT} OR tenant_id = :t", values=values):
            raise ConflictError("this organisation belongs to another tenant")

    def get_org(self, provider: str, organisation_id: str) -> OrgRoute | None:
        """Where an organisation belongs."""
        return self._get((f"ORG#{provider}#{organisation_id}", "ORG"), OrgRoute)

    def release_org(self, provider: str, organisation_id: str, tenant_id: str) -> bool:
        """Let go of an organisation; False where the tenant does not hold it."""
        return self._delete((f"ORG#{provider}#{organisation_id}", "ORG"), tenant_id) is not None

    # --- push channels --------------------------------------------------------------------------
    def put_channel(self, route: ChannelRoute) -> None:
        """Route a push channel, until a day after it expires."""
        expires = int(route.expires_at.timestamp()) + 86_400
        self._put((f"CHAN#{route.channel_id}", "CHAN"), route, ttl=expires)

    def get_channel(self, channel_id: str) -> ChannelRoute | None:
        """Where a push channel delivers to."""
        return self._get((f"CHAN#{channel_id}", "CHAN"), ChannelRoute)

    def delete_channel(self, channel_id: str) -> None:
        """Forget a push channel."""
        self._delete((f"CHAN#{channel_id}", "CHAN"))

    # --- once only ------------------------------------------------------------------------------
    def first_sight(self, source: str, event_id: str, ttl_s: int, now: datetime) -> bool:
        """Whether this delivery is the first of its id; of many at once exactly one is."""
        key = (f"SEEN#{source}#{event_id}", "SEEN")
        seconds = int(now.timestamp())
        return self._put(
            key,
            None,
            ttl=seconds + ttl_s,
            condition=f"{_ABSENT} OR #ttl < :now",
            values={":now": {"N": str(seconds)}},
            names={"#ttl": "ttl"},
        )

    def forget_sight(self, source: str, event_id: str, now: datetime) -> None:
        """Have the next delivery of this id be the first: what it was about could not be handed on.

        The item is not removed but over: who receives messages may write and not remove.
        """
        self._put((f"SEEN#{source}#{event_id}", "SEEN"), None, ttl=int(now.timestamp()) - 1)

    def put_state(self, state_hash: str, value: Mapping[str, str], now: datetime) -> None:
        """Keep a consent state for 10 minutes.

        Raises:
            ConflictError: the state is in use.
        """
        expires = int(now.timestamp()) + _STATE_TTL_S
        if not self._put((f"STATE#{state_hash}", "STATE"), dict(value), ttl=expires, condition=_ABSENT):
            raise ConflictError("this state is in use")

    def consume_state(self, state_hash: str, now: datetime) -> dict[str, str] | None:
        """The consent state, for the one caller that takes it; None where used, expired or never made."""
        item = self._delete((f"STATE#{state_hash}", "STATE"))
        if item is None or int(item["ttl"]["N"]) <= int(now.timestamp()):
            return None
        return _decode(item, dict[str, str])

    def count_request(self, key_id: str, window: int, ttl_s: int = 300) -> int:
        """Count a request of a key in a window (epoch minutes); returns how many there are now."""
        answer = self._call(
            "update_item",
            TableName=self._table,
            Key=_key((f"RATE#{key_id}#{window}", "RATE")),
            UpdateExpression="ADD hits :one SET #ttl = :ttl",
            ExpressionAttributeNames={"#ttl": "ttl"},
            ExpressionAttributeValues={":one": {"N": "1"}, ":ttl": {"N": str(window * 60 + ttl_s)}},
            ReturnValues="UPDATED_NEW",
        )
        return int(answer["Attributes"]["hits"]["N"])

    # --- parts ----------------------------------------------------------------------------------
    def _call(self, operation: str, **request: Any) -> Any:
        return call(self._client, operation, **request)

    def _get(self, key: tuple[str, str], record_type: type[T]) -> T | None:
        item = self._call("get_item", TableName=self._table, Key=_key(key), ConsistentRead=True).get("Item")
        return _decode(item, record_type) if item else None

    def _put(
        self,
        key: tuple[str, str],
        record: object,
        *,
        ttl: int | None = None,
        condition: str | None = None,
        values: Attributes | None = None,
        names: Mapping[str, str] | None = None,
    ) -> bool:
        """Write an item; False where the condition did not hold."""
        item: dict[str, Any] = {**_key(key), "body": {"B": msgspec.json.encode(record)}}
        tenant = getattr(record, "tenant_id", None)
        if tenant is not None:
            item["tenant_id"] = {"S": tenant}
        if ttl is not None:
            item["ttl"] = {"N": str(ttl)}
        optional = {
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ExpressionAttributeNames": names,
        }
        request = {name: value for name, value in optional.items() if value is not None}
        try:
            self._call("put_item", TableName=self._table, Item=item, **request)
        except RefusedError:
            return False
        return True

    def _delete(self, key: tuple[str, str], tenant_id: str | None = None) -> Attributes | None:
        """Remove an item and return it; None where there was none, or it was of another tenant."""
        request: dict[str, Any] = {"TableName": self._table, "Key": _key(key), "ReturnValues": "ALL_OLD"}
        if tenant_id is not None:
            request["ConditionExpression"] = "tenant_id = :t"
            request["ExpressionAttributeValues"] = {":t": {"S": tenant_id}}
        try:
            found: Attributes | None = self._call("delete_item", **request).get("Attributes")
        except RefusedError:
            return None
        return found


def _key(key: tuple[str, str]) -> dict[str, dict[str, str]]:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def _decode(item: Attributes, record_type: type[T]) -> T:
    return msgspec.json.decode(item["body"]["B"], type=record_type)
