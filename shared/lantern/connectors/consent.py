"""What onboarding needs of a provider's OAuth consent, in words common to all providers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from lantern.domain.consent import Refusal
from lantern.domain.errors import ConnectorError


@dataclass(frozen=True, slots=True)
class ClientRegistration:
    """Our own registration at the provider; `extra` is what it needs beside (a private key, our name)."""

    client_id: str
    client_secret: str = field(repr=False)
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ConsentStart:
    """One attempt to get consent: what is sent along, and what the answer is checked against.

    `code_verifier` is 43 to 128 unreserved characters (RFC 7636 section 4.1). `facts` is what an earlier leg
    of the same consent proved (see `Detour`).
    """

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    redirect_uri: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Detour:
    """A consent that takes another leg: the browser is sent away again, and `facts` are remembered for it."""

    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """What the provider gave; `id_token` is the signed statement of who consented, where there is one.

    `secret` is what will open the connection: a refresh token, or a JSON document of the connector's own. It
    is sealed as it is and given back to the connector in `Credentials.secret`; at most 4,000 bytes.
    """

    secret: str = field(repr=False)
    access_token: str = field(repr=False)
    id_token: str = field(repr=False)
    granted_scopes: frozenset[str]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """Who consented, for which organisation.

    `organisation_id` is immutable; None where the provider did not show it: for consumer accounts, and
    to people who may not see it. `admin` None: the provider did not say.
    """

    organisation_id: str | None
    organisation_name: str | None
    email: str
    native_id: str
    admin: bool | None
    consumer: bool


class ConsentRefusedError(ConnectorError):
    """A consent that a provider's flow refuses by a word of its own, for the page that the person sees."""

    def __init__(self, refusal: Refusal, detail: str = "") -> None:
        super().__init__("config", "This consent cannot become a connection.", detail=detail or refusal)
        self.refusal: Refusal = refusal


class ConsentFlow(Protocol):
    """The consent dance of one provider. Every method that calls out raises `ConnectorError`.

    `answers` are the parameters of the callback that are given to `exchange`; a callback that lacks one is
    refused, unless its name here ends with `?`. Where the manifest has a form, its fields are given instead
    and nobody is sent away.
    """

    @property
    def answers(self) -> tuple[str, ...]:
        """Names of the callback's parameters."""
        ...

    def authorize_url(self, start: ConsentStart) -> str:
        """Where to send the browser."""
        ...

    def accepts_issuer(self, issuer: str | None) -> bool:
        """Whether `iss` of the callback (RFC 9207) names this provider; absent is accepted."""
        ...

    def exchange(self, start: ConsentStart, answer: Mapping[str, str]) -> TokenGrant | Detour:
        """Trade what came back (or what was entered) for access, or ask for another leg."""
        ...

    def identify(self, start: ConsentStart, grant: TokenGrant) -> Identity:
        """Verify the signed statement, and ask which organisation it is and whether an admin consented."""
        ...

    def missing_scopes(self, granted: frozenset[str]) -> frozenset[str]:
        """Requested scopes that were not granted."""
        ...

    def revoke(self, token: str) -> None:
        """Give a token back; one that is revoked already is done."""
        ...


Endpoints = Mapping[str, str]
"""Base addresses by name; what is absent is taken from the provider's manifest."""
