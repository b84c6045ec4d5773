"""What exists in a Google Workspace organisation, as the simulator knows it."""

import hashlib
from dataclasses import dataclass, field

RETENTION_S = 180 * 86400
"""Audit activities are kept 180 days (Admin console help, "Data retention and lag times")."""

ALL_PRIVILEGES = frozenset({"users", "security", "reports", "customer", "chrome"})
MASK64 = (1 << 64) - 1


@dataclass(slots=True)
class User:
    """One Workspace account; times are epoch seconds."""

    id: str
    email: str
    given: str
    family: str
    org_unit: str = "/"
    title: str = ""
    department: str = ""
    manager: str | None = None
    is_admin: bool = False
    privileges: frozenset[str] = frozenset()
    created_at: float = 0.0
    last_login_at: float | None = None
    suspended_at: float | None = None
    archived_at: float | None = None
    deleted_at: float | None = None
    index: int = -1

    @property
    def inactive_from(self) -> float | None:
        """When the person stopped being able to use anything, if ever."""
        times = [t for t in (self.suspended_at, self.archived_at, self.deleted_at) if t is not None]
        return min(times) if times else None

    @property
    def can_sign_in(self) -> bool:
        """Whether Google lets the account in."""
        return self.inactive_from is None

    def may(self, privilege: str) -> bool:
        """Whether the account holds an administrator privilege."""
        return self.can_sign_in and (self.is_admin or privilege in self.privileges)


@dataclass(slots=True, frozen=True)
class App:
    """One OAuth client as employees meet it. `scope_sets[0]` is what it normally asks for."""

    client_id: str
    name: str
    vendor: str
    domain: str
    ai: bool
    scope_sets: tuple[tuple[str, ...], ...]
    weight: float = 1.0
    client_type: str = "WEB"
    anonymous: bool = False
    lookalike: bool = False

    @property
    def native(self) -> bool:
        """Whether Google calls it an installed application."""
        return self.client_type != "WEB"


@dataclass(slots=True, frozen=True)
class Grant:
    """One user's consent to one client."""

    client_id: str
    name: str
    scopes: tuple[str, ...]
    granted_at: float
    anonymous: bool = False
    native: bool = False
    client_type: str = "WEB"


@dataclass(slots=True)
class Change:
    """One change of the truth about grants, for oracles in tests. `seq` orders them.

    `before` and `scopes` are the scopes held before and after; None means no grant.
    """

    seq: int
    at: float
    user_id: str
    client_id: str
    before: tuple[str, ...] | None
    scopes: tuple[str, ...] | None


@dataclass(slots=True, frozen=True)
class OAuthClient:
    """A registered OAuth client of the product (not of an employee's app)."""

    client_id: str
    client_secret: str
    redirect_uris: tuple[str, ...]
    name: str = "Lantern"

    @property
    def project(self) -> str:
        """The Cloud project number that pays the quota."""
        return self.client_id.split("-", 1)[0]


@dataclass(slots=True)
class ServiceAccount:
    """A service account with domain-wide delegation, per organisation."""

    email: str
    client_id: str
    public_key_pem: str
    delegated: dict[str, frozenset[str]] = field(default_factory=dict)


def mix(*parts: int) -> int:
    """A 64-bit hash of integers (splitmix64 finaliser), the same on every machine."""
    state = 0x9E3779B97F4A7C15
    for part in parts:
        state = (state + (part & MASK64) * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) & MASK64
        state ^= state >> 30
        state = (state * 0xBF58476D1CE4E5B9) & MASK64
        state ^= state >> 27
        state = (state * 0x94D049BB133111EB) & MASK64
        state ^= state >> 31
    return state


def signed(value: int) -> int:
    """A 64-bit hash as a signed integer: unique qualifiers may be negative."""
    return value - (1 << 64) if value >> 63 else value


def digest(*parts: str) -> str:
    """A hex digest of strings."""
    return hashlib.blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


def client_id_for(name: str) -> str:
    """A plausible client id: the same for the same application in every organisation."""
    raw = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=32).digest()
    number = 100_000_000_000 + int.from_bytes(raw[:8], "big") % 900_000_000_000
    letters = "0123456789abcdefghijklmnopqrstuv"
    return f"{number}-{''.join(letters[b % 32] for b in raw)}.apps.googleusercontent.com"


def gaia_id(*parts: int) -> str:
    """A 21-digit profile id, as Google hands them out."""
    value = mix(*parts) * 18_446_744_073 % 10**20
    return f"1{value:020d}"
