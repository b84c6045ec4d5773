"""Who may finish a consent, and what a finished consent is good enough for: pure decisions.

A consent is started by one browser. That browser holds one random secret in a cookie; the PKCE
verifier and the nonce are derived from it, so neither is ever stored here, and a stolen table row
cannot finish what the browser began (RFC 9700, sections 2.1 and 4.7).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from lantern.domain import ids

STATE_TTL: Final = timedelta(minutes=10)
LINK_TTL: Final = timedelta(hours=24)
SECRET_BYTES: Final = 32
_FACT: Final = "fact."

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
    "entry_refused",
    "declined",
    "provider_refused",
    "missing_permissions",
    "consumer_account",
    "not_administrator",
    "awaits_approval",
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

    `tenant_id`, `connection_id` and `by` (who made the link) are None for a consent that may make a new
    tenant; `connection_id` is None too where a link adds a connection. `facts` is what an earlier leg of the
    same consent proved.
    """

    provider: str
    browser: str
    redirect_uri: str
    expires_at: datetime
    tenant_id: str | None = None
    connection_id: str | None = None
    by: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


def to_row(state: ConsentState) -> dict[str, str]:
    """A state as it is kept."""
    row = {name: value for name, value in asdict(state).items() if value is not None and name != "facts"}
    facts = {f"{_FACT}{name}": value for name, value in state.facts.items()}
    return {**row, **facts, "expires_at": state.expires_at.isoformat()}


def from_row(row: Mapping[str, str]) -> ConsentState:
    """A state as it was kept."""
    plain = {name: value for name, value in row.items() if not name.startswith(_FACT)}
    facts = {name.removeprefix(_FACT): value for name, value in row.items() if name.startswith(_FACT)}
    expires = datetime.fromisoformat(row["expires_at"])
    return ConsentState(**{**plain, "expires_at": expires, "facts": facts})  # type: ignore[arg-type] # the row has text only, these keys are replaced


@dataclass(frozen=True, slots=True)
class Departure:
    """The secrets of one consent, for the browser and the provider only: never stored, never logged."""

    state: str = field(repr=False)
    browser_secret: str = field(repr=False)
    verifier: str = field(repr=False)
    nonce: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Return:
    """What came back: query parameters that occur exactly once, and the cookie's secret.

    `answer` are the parameters that the provider answers with; empty unless each of them is there.
    """

    provider: str
    redirect_uri: str
    state: str = field(repr=False)
    answer: Mapping[str, str] = field(repr=False)
    browser_secret: str | None = field(repr=False)
    issuer: str | None = field(repr=False)
    error: str | None = field(repr=False)


def _url_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def fingerprint(secret: str) -> str:
    """The hash under which a random secret is remembered (hex SHA-256; 256 random bits need no salt)."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _derived(browser_secret: str, label: str, state: str) -> str:
    return _url_text(hmac.new(browser_secret.encode(), f"{label}:{state}".encode(), "sha256").digest())


def depart(random: ids.RandomBytes) -> Departure:
    """Fresh secrets for one consent; the verifier suits PKCE (43 characters, RFC 7636 section 4.1)."""
    return departure(_url_text(random(SECRET_BYTES)), _url_text(random(SECRET_BYTES)))


def departure(state: str, browser_secret: str) -> Departure:
    """The secrets that belong to a state and a browser: the same again on the way back."""
    return Departure(
        state,
        browser_secret,
        verifier=_derived(browser_secret, "pkce", state),
        nonce=_derived(browser_secret, "nonce", state),
    )


def single(query: Mapping[str, Sequence[str]], name: str) -> str | None:
    """The value of a parameter; None where it is absent or empty.

    Raises:
        ValueError: it occurs more than once (RFC 6749, section 3.1, forbids that).
    """
    values = query.get(name, ())
    if len(values) > 1:
        raise ValueError(name)
    return values[0] if values and values[0] else None


def judge(record: ConsentState, back: Return, now: datetime, *, issuer_accepted: bool) -> Refusal | None:
    """Whether a return belongs to the departure that `record` remembers; None where it does.

    `issuer_accepted`: an `iss` that is present names the provider asked (RFC 9207).
    """
    checks: tuple[tuple[bool, Refusal], ...] = (
        (now < record.expires_at, "state_expired"),
        (back.provider == record.provider, "other_provider"),
        (same_browser(record, back.browser_secret), "other_browser"),
        (back.redirect_uri == record.redirect_uri, "other_redirect_uri"),
        (issuer_accepted, "other_issuer"),
        (back.error != "access_denied", "declined"),  # RFC 6749 section 4.1.2.1
        (back.error is None, "provider_refused"),
        (bool(back.answer), "code_missing"),
    )
    return next((refusal for holds, refusal in checks if not holds), None)


def same_browser(record: ConsentState, secret: str | None) -> bool:
    """Whether this is the secret of the browser that started."""
    return secret is not None and hmac.compare_digest(fingerprint(secret), record.browser)


def at_redirect_uri(path: str, redirect_uri: str) -> bool:
    """Whether a request came in at the path of the redirect URI, letter for letter.

    API Gateway reports the path without the stage, so the redirect URI may have more in front.
    """
    return path.startswith("/") and redirect_uri.partition("?")[0].endswith(path)


def judge_person(*, consumer: bool, admin: bool | None, organisation_id: str | None) -> Refusal | None:
    """Whether who consented may connect an organisation; None where they may. Unknown is not enough."""
    if consumer:
        return "consumer_account"
    return None if admin and organisation_id else "not_administrator"


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
