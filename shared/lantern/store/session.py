"""A tenant's way to the table: its own credentials, its own guarded client, its own model class."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, DeferredRefreshableCredentials
from botocore.session import Session

from lantern.store.guard import install
from lantern.store.keys import Keys
from lantern.store.model import Document, bind

ROLE_SESSION_S: Final = 3600
"""How long assumed credentials last: one hour is the most that role chaining allows."""

CLIENT_CONFIG: Final = Config(
    connect_timeout=2,
    read_timeout=8,
    retries={"mode": "standard", "total_max_attempts": 5},
    max_pool_connections=16,
)
"""Of every DynamoDB client: fail a dead endpoint soon, then try again a few times with backoff."""


@dataclass(frozen=True, slots=True)
class TenantSession:
    """One tenant's client, model class and keys. Cheap to use, costly to make: keep it while warm.

    `aws` makes clients of other services on the same credentials, which carry the tenant as session tag;
    None for a session on a client made elsewhere.
    """

    tenant_id: str
    table: str
    client: Any
    model: type[Document]
    keys: Keys
    aws: Session | None = None

    @classmethod
    def open(cls, tenant_id: str, table: str, client: Any) -> "TenantSession":
        """A session on a DynamoDB client that is the tenant's own from now on.

        Raises:
            ValueError: `tenant_id` is not a tenant id.
            ForeignKeyError: the client belongs to another tenant.
        """
        keys = Keys(tenant_id)
        install(client, tenant_id, table)
        return cls(tenant_id, table, client, bind(client, table, tenant_id), keys)

    @classmethod
    def assumed(
        cls,
        sts_client: Any,
        role_arn: str,
        tenant_id: str,
        table: str,
        region: str,
        *,
        endpoint_url: str | None = None,
        loader: Any = None,
    ) -> "TenantSession":
        """A session on credentials of the tenant role, assumed with the tenant as session tag.

        Nothing is asked of STS before the first request is signed; credentials are renewed some
        minutes before they expire, for as long as the session lives.

        Args:
            sts_client: STS client of the process's own role.
            role_arn: the tenant role.
            tenant_id: whom the session is for.
            table: name of the TenantTable.
            region: AWS region.
            endpoint_url: of DynamoDB, where it is not AWS's own.
            loader: botocore data loader to share, so that service models are parsed once.
        """
        keys = Keys(tenant_id)  # refuses what is no tenant id before anything is sent anywhere

        def refresh() -> dict[str, str]:
            answer = sts_client.assume_role(
                RoleArn=role_arn,
                RoleSessionName=f"lantern-{tenant_id}",
                DurationSeconds=ROLE_SESSION_S,
                Tags=[{"Key": "tenant", "Value": tenant_id}],
            )["Credentials"]
            expires = answer["Expiration"]
            return {
                "access_key": answer["AccessKeyId"],
                "secret_key": answer["SecretAccessKey"],
                "token": answer["SessionToken"],
                "expiry_time": expires if isinstance(expires, str) else expires.isoformat(),
            }

        session = Session()
        if loader is not None:
            session.register_component("data_loader", loader)
        session.register_component("credential_provider", CredentialResolver([_Assumed(refresh)]))
        client = session.create_client(
            "dynamodb", region_name=region, endpoint_url=endpoint_url, config=CLIENT_CONFIG
        )
        install(client, tenant_id, table)
        return cls(tenant_id, table, client, bind(client, table, tenant_id), keys, session)


class _Assumed(CredentialProvider):
    """The only provider of a tenant's botocore session: the process's own credentials are out of reach."""

    METHOD = "sts-assume-role"
    CANONICAL_NAME = "lantern-tenant-role"

    def __init__(self, refresh: Any) -> None:
        super().__init__()
        self._refresh = refresh

    def load(self) -> DeferredRefreshableCredentials:
        """Credentials that fetch themselves when first used."""
        return DeferredRefreshableCredentials(refresh_using=self._refresh, method=self.METHOD)


class TenantSessions:
    """The sessions of a process that serves many tenants, the least recently used ones forgotten.

    `opened` is told of every new session's client.
    """

    def __init__(
        self,
        sts_client: Any,
        role_arn: str,
        table: str,
        region: str,
        *,
        endpoint_url: str | None = None,
        capacity: int = 64,
        opened: Callable[[Any], object] = lambda _client: None,
    ) -> None:
        self._sts = sts_client
        self._role_arn = role_arn
        self._table = table
        self._region = region
        self._endpoint_url = endpoint_url
        self._capacity = capacity
        self._opened = opened
        self._loader = Session().get_component("data_loader")
        self._sessions: OrderedDict[str, TenantSession] = OrderedDict()
        self._lock = Lock()

    def get(self, tenant_id: str) -> TenantSession:
        """The session of a tenant, made when there is none."""
        with self._lock:
            session = self._sessions.get(tenant_id)
            if session is None:
                session = TenantSession.assumed(
                    self._sts,
                    self._role_arn,
                    tenant_id,
                    self._table,
                    self._region,
                    endpoint_url=self._endpoint_url,
                    loader=self._loader,
                )
                self._opened(session.client)
                self._sessions[tenant_id] = session
            self._sessions.move_to_end(tenant_id)
            while len(self._sessions) > self._capacity:
                self._sessions.popitem(last=False)
            return session
