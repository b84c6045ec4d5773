"""Ways into a tenant: API keys, consent links, push channels, and delegations made at the provider."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lantern.domain.inventory import Provider

ApiScope = Literal["read", "write", "remediate", "admin"]


@dataclass(frozen=True, slots=True)
class ApiKeyInfo:
    """What a tenant may see of one of its API keys; the key itself is kept nowhere.

    `last4` is the end of the key as shown once; `revoked_at` is None while the key works. `person_id` is who
    holds it, by whom two approvals are told apart; None where it is a system's, or not known.
    """

    id: str
    name: str
    scopes: frozenset[ApiScope]
    created_at: datetime
    created_by: str
    last4: str
    revoked_at: datetime | None = None
    person_id: str | None = None
    rev: int = 0


@dataclass(frozen=True, slots=True)
class ConsentLink:
    """A single-use link at which an administrator connects an organisation to an existing tenant.

    `connection_id` is the connection to repair; None adds one.
    """

    id: str
    provider: Provider
    created_by: str
    created_at: datetime
    expires_at: datetime
    connection_id: str | None = None


@dataclass(frozen=True, slots=True)
class StoredChannel:
    """A push channel that is open at the provider; only the hash of its secret is kept."""

    id: str
    resource_id: str
    purpose: str
    event: str
    expires_at: datetime
    secret_hash: str


@dataclass(frozen=True, slots=True)
class DelegationChange:
    """One change of a domain-wide delegation. `by` is None where the provider did not say."""

    at: datetime
    scopes: frozenset[str]
    removed: bool
    by: str | None


@dataclass(frozen=True, slots=True)
class DelegationRecord:
    """The domain-wide delegation of one client as last seen, and how it came to be (oldest first)."""

    client_id: str
    scopes: frozenset[str]
    removed: bool
    changed_at: datetime
    history: tuple[DelegationChange, ...] = ()
    rev: int = 0
