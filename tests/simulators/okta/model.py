"""What the simulated organisation consists of: plain values, so that they can be kept in a file."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class OrgSpec:
    """What to generate.

    Args:
        employees: people, deactivated ones included.
        seed: everything follows from it.
        domain: of people's addresses.
        subdomain: the organisation's name at Okta.
        more_apps: catalogued apps beside the two dozen known ones.
        assigned: apps that everybody has beside their department's.
        agents: whether the organisation has bought Okta for AI Agents.
        events_per_user_day: sign-ins to apps, in the generated past.
        shared: the people are those of `tests.simulators.common.people`.
    """

    employees: int = 250
    seed: int = 7
    domain: str = "harbourline.example"
    subdomain: str = "harbourline"
    more_apps: int = 0
    assigned: int = 4
    agents: bool = True
    events_per_user_day: float = 1.0
    shared: bool = False


@dataclass(slots=True)
class User:
    id: str
    login: str
    given: str
    family: str
    department: str
    status: str = "ACTIVE"
    role: str | None = None
    created: float = 0.0
    last_login: float | None = None
    sessions: int = 1
    manager: str | None = None


@dataclass(slots=True)
class App:
    """`name` is the catalogue's name of the integration, `client_id` empty where it has no OAuth client."""

    id: str
    name: str
    label: str
    mode: str
    status: str = "ACTIVE"
    client_id: str = ""
    service: bool = False
    redirect: str = ""
    created: float = 0.0
    groups: set[str] = field(default_factory=set)
    grants: dict[str, str] = field(default_factory=dict)
    """Okta API scopes of its own: grant id → scope."""
    public_keys: list[dict[str, Any]] = field(default_factory=list)
    role: str | None = None
    dpop: bool = True


@dataclass(slots=True)
class Grant:
    """One scope that a user gave a client; `server` is the id of a custom authorization server."""

    id: str
    user_id: str
    client_id: str
    scope: str
    scope_id: str
    server: str
    created: float


@dataclass(slots=True)
class Hook:
    id: str
    name: str
    uri: str
    header: str
    secret: str
    kinds: list[str]
    status: str = "ACTIVE"
    verified: bool = False
    created: float = 0.0


@dataclass(slots=True)
class State:
    """All of it."""

    spec: OrgSpec
    org_id: str
    anchor: float
    users: dict[str, User] = field(default_factory=dict)
    apps: dict[str, App] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    direct: dict[str, dict[str, float]] = field(default_factory=dict)
    """User id → app id → when it was assigned to the person alone."""
    grants: dict[str, dict[str, Grant]] = field(default_factory=dict)
    """User id → grant id → grant."""
    refresh: dict[str, set[str]] = field(default_factory=dict)
    """User id → clients that hold refresh tokens."""
    api_tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    token_values: dict[str, str] = field(default_factory=dict)
    """API token → its id."""
    agents: dict[str, dict[str, Any]] = field(default_factory=dict)
    integrations: dict[str, dict[str, Any]] = field(default_factory=dict)
    hooks: dict[str, Hook] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    """Events in the order they were stored, which is not always that of `published`."""
    changes: list[dict[str, Any]] = field(default_factory=list)
    issued: int = 0
