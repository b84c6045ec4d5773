"""Who may finish a consent, and what a finished consent is good enough for: pure decisions.

A consent is started by one browser. That browser holds one random secret in a cookie; the PKCE
verifier and the nonce are derived from it, so neither is ever stored here, and a stolen table row
cannot finish what the browser began (RFC 9700, sections 2.1 and 4.7).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from lantern.domain import ids

STATE_TTL: Final = timedelta(minutes=10)
LINK_TTL: Final = timedelta(hours=24)
SECRET_BYTES: Final = 32

Refusal = Literal[
    "unknown_provider",
    "state_missing",
    "state_unknown",
    "state_expired",
    "other_provider",
    "other_browser",
    "other_issuer",
    "other_redirect_uri",
    "repeated_parameter",
    "code_missing",
    "code_refused",
    "declined",
    "missing_permissions",
    "consumer_account",
    "not_administrator",
    "other_organisation",
    "link_invalid",
    "suspended",
    "disconnecting",
    "provider_unavailable",
    "internal",
]
"""Why a consent ended without a connection: stable words for logs, audit entries and pages."""


@dataclass(frozen=True, slots=True)
class ConsentState:
    """What is remembered between sending a browser away and its return, under the hash of the state.

    `tenant_id`, `link_id` and `connection_id` are None for a consent that may make a new tenant;
    `connection_id` is None too where a link adds a connection. `by` is who asked for the link.
    """

    provider: str
    browser: str
    redirect_uri: str
    expires_at: datetime
    tenant_id: str | None = None
    connection_id: str | None = None
    link_id: str | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Departure:
    """The secrets of one consent, for the browser and the provider only: never stored, never logged."""

    state: str
    browser_secret: str
    verifier: str
    challenge: str
    nonce: str

    def __repr__(self) -> str:
        return "Departure(…)"


@dataclass(frozen=True, slots=True)
class Return:
    """What came back: query parameters that occur exactly once, and the cookie's secret."""

    provider: str
    redirect_uri: str
    state: str
    code: str | None
    browser_secret: str | None
    issuer: str | None
    error: str | None

    def __repr__(self) -> str:
        return f"Return(provider={self.provider!r})"


def _url_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def fingerprint(secret: str) -> str:
    """The hash under which a random secret is remembered (hex SHA-256; 256 random bits need no salt)."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _derived(browser_secret: str, label: str, state: str) -> str:
    return _url_text(hmac.new(browser_secret.encode(), f"{label}:{state}".encode(), "sha256").digest())


def depart(random: ids.RandomBytes) -> Departure:
    """Fresh secrets for one consent; the challenge is PKCE `S256` (RFC 7636, section 4.2)."""
    return departure(_url_text(random(SECRET_BYTES)), _url_text(random(SECRET_BYTES)))


def departure(state: str, browser_secret: str) -> Departure:
    """The secrets that belong to a state and a browser: the same again on the way back."""
    verifier = _derived(browser_secret, "pkce", state)
    challenge = _url_text(hashlib.sha256(verifier.encode("ascii")).digest())
    return Departure(state, browser_secret, verifier, challenge, _derived(browser_secret, "nonce", state))


def single(query: Mapping[str, Sequence[str]], name: str) -> str | None:
    """The value of a parameter; None where it is absent or empty.

    Raises:
        ValueError: it occurs more than once (RFC 6749, section 3.1, forbids that).
    """
    values = query.get(name, ())
    if len(values) > 1:
        raise ValueError(name)
    return values[0] if values and values[0] else None


def judge(record: ConsentState, back: Return, issuer: str, now: datetime) -> Refusal | None:
    """Whether a return belongs to the departure that `record` remembers; None where it does.

    `issuer` is the provider's own identifier: an `iss` that is present must be it (RFC 9207).
    """
    checks: tuple[tuple[bool, Refusal], ...] = (
        (now < record.expires_at, "state_expired"),
        (back.provider == record.provider, "other_provider"),
        (_same_browser(record, back.browser_secret), "other_browser"),
        (back.redirect_uri == record.redirect_uri, "other_redirect_uri"),
        (back.issuer is None or back.issuer == issuer, "other_issuer"),
        (back.error is None, "declined"),
        (back.code is not None, "code_missing"),
    )
    return next((refusal for holds, refusal in checks if not holds), None)


def _same_browser(record: ConsentState, secret: str | None) -> bool:
    return secret is not None and hmac.compare_digest(fingerprint(secret), record.browser)


def at_redirect_uri(path: str, redirect_uri: str) -> bool:
    """Whether a request came in at the path of the redirect URI, letter for letter.

    API Gateway reports the path without the stage, so the redirect URI may have more in front.
    """
    return path.startswith("/") and redirect_uri.partition("?")[0].endswith(path)


def missing(granted: frozenset[str], wanted: Sequence[str]) -> frozenset[str]:
    """What was asked for and not given."""
    return frozenset(wanted) - granted


@dataclass(frozen=True, slots=True)
class Link:
    """A single-use link by which somebody else's administrator consents for an existing tenant.

    `id` is the hash of the link's secret. `connection_id` is None where the link adds a connection.
    """

    id: str
    provider: str
    connection_id: str | None
    by: str
    expires_at: datetime


def link_token(tenant_id: str, random: ids.RandomBytes) -> tuple[str, str]:
    """A new link's token, for its URL, and the id under which it is stored."""
    secret = _url_text(random(SECRET_BYTES))
    return f"{tenant_id}.{secret}", fingerprint(secret)


def read_link_token(token: str) -> tuple[str, str] | None:
    """Tenant id and link id of a token; None where it has not the shape of one."""
    tenant_id, dot, secret = token.partition(".")
    if not dot or len(secret) != 43 or not ids.is_tenant_id(tenant_id):
        return None
    return tenant_id, fingerprint(secret)
