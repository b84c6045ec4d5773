"""Access to one person's mailbox by domain-wide delegation: a service account speaks in that person's name.

RFC 7523 (JWT bearer grants), Google Identity "Using OAuth 2.0 for server to server applications". A super
administrator enters the service account's client id with the one scope in the Admin console; nothing else in
Lantern uses or needs this.
"""

import json
import threading
from dataclasses import dataclass, field
from typing import Final

from lantern.connectors.calls import Request
from lantern.connectors.consent import ClientRegistration
from lantern.connectors.google.api import GoogleApi
from lantern.connectors.google.manifest import (
    DELEGATED_STATUSES,
    GMAIL_STATUSES,
    MAIL_HEADERS,
    MAIL_UNITS,
    MAILBOXES,
    MANIFEST,
)
from lantern.connectors.google.oauth import endpoints
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HttpClient
from lantern.connectors.limiter import Limiter
from lantern.connectors.protocol import Quota
from lantern.connectors.registry import Io
from lantern.connectors.resolution import CallError
from lantern.domain.errors import InvalidInputError

_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE_S: Final = 3_600
_EARLY_S: Final = 60.0
_UNITS: Final = 5
"""What a call costs at most: `messages.get` five units, `history.list` two, `getProfile` one."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Our service account: its address, its client id (what is delegated to), and its private key as PEM."""

    email: str
    client_id: str
    private_key: str = field(repr=False)


def service_account(registration: ClientRegistration) -> ServiceAccount | None:
    """The service account in our registration (`extra.service_account`: its key file); None without one.

    Raises:
        InvalidInputError: it is no key file.
    """
    text = registration.extra.get("service_account")
    if not text:
        return None
    try:
        value = json.loads(text)
        return ServiceAccount(str(value["client_email"]), str(value["client_id"]), str(value["private_key"]))
    except (ValueError, KeyError, TypeError):
        raise InvalidInputError("service_account", "give the JSON key file of the service account") from None


class DelegatedTokens:
    """Access tokens in one person's name, in memory only; safe for threads."""

    def __init__(self, http: HttpClient, address: str, account: ServiceAccount, person: str, io: Io) -> None:
        self._http = http
        self._address = address
        self._account = account
        self._person = person
        self._clock = io.clock
        self._lock = threading.Lock()
        self._header = ""
        self._until = float("-inf")

    def header(self, halt: Halt) -> str:
        """The `Authorization` header."""
        with self._lock:
            if self._clock.monotonic() >= self._until:
                self._header = self._fetch(halt)
            return self._header

    def rejected(self, header: str) -> None:
        """Google did not accept this header."""
        with self._lock:
            if header == self._header:
                self._until = float("-inf")

    def _fetch(self, halt: Halt) -> str:
        form = {"grant_type": _GRANT, "assertion": self._assertion()}
        body = self._http.call(Request("POST", self._address, form=form, authorised=False), halt).body
        token = body.get("access_token") if isinstance(body, dict) else None
        if not isinstance(token, str) or not token:
            raise CallError(GARBLED, detail="token endpoint: no access token")
        self._until = self._clock.monotonic() + _LIFE_S - _EARLY_S
        return f"Bearer {token}"

    def _assertion(self) -> str:
        # PyJWT brings cryptography: only this pays for it.
        import jwt

        now = int(self._clock.now().timestamp())
        claims = {
            "iss": self._account.email,
            "sub": self._person,
            "scope": MAIL_HEADERS,
            "aud": MANIFEST.endpoints["token"],  # what Google calls itself, wherever it is reached
            "iat": now,
            "exp": now + _LIFE_S,
        }
        return jwt.encode(claims, self._account.private_key, algorithm="RS256")


def mailbox_of(account: ServiceAccount, person: str, tenant: str, io: Io) -> GoogleApi:
    """Gmail in the name of the account with this address; `mailbox.read` reads it. Makes no call yet.

    Paced twice: by what one mailbox allows, and with all other mailboxes of the tenant.
    """
    at = endpoints(io)
    oauth = HttpClient(io.session, DELEGATED_STATUSES, clock=io.clock, random=io.random, limiters={})
    tokens = DelegatedTokens(oauth, at["token"], account, person, io)
    pace = Quota(MAIL_UNITS.name, MAIL_UNITS.calls // _UNITS, MAIL_UNITS.seconds)
    http = HttpClient(
        io.session,
        GMAIL_STATUSES,
        clock=io.clock,
        random=io.random,
        limiters={
            pace.name: Limiter(pace, io.clock, io.random),
            MAILBOXES.name: io.limiters.get("google", tenant, MAILBOXES),
        },
        auth=tokens,
    )
    return GoogleApi(http, at["gmail"])
