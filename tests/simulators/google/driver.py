"""Plays the browser: walks through the simulator's consent page and exchanges the code."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from .model import OAuthClient
from .scopes import AUDIT, CUSTOMER_R, SECURITY, USER_R

REDIRECT = "http://127.0.0.1:9/connect/google/callback"
CLIENT = OAuthClient("407400000001-lantern.apps.googleusercontent.com", "GOCSPX-simulated", (REDIRECT,))
SCOPES = ("openid", "email", USER_R, SECURITY, AUDIT, CUSTOMER_R)


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass(slots=True)
class Consent:
    """One consent request; change any parameter before `ask`."""

    base_url: str
    client: OAuthClient = CLIENT
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    parameters: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parameters = {
            "client_id": self.client.client_id,
            "redirect_uri": self.client.redirect_uris[0],
            "response_type": "code",
            "scope": " ".join(SCOPES),
            "access_type": "offline",
            "prompt": "consent",
            "state": secrets.token_urlsafe(16),
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
            **self.parameters,
        }

    def url(self) -> str:
        """The address that the browser is sent to."""
        return f"{self.base_url}/o/oauth2/v2/auth?{urlencode(self.parameters)}"

    def ask(self) -> requests.Response:
        """What Google answers: a redirect when it decides by itself, else a page."""
        return requests.get(self.url(), allow_redirects=False, timeout=10)

    def exchange(self, code: str, **changes: str) -> requests.Response:
        """`POST /token` with the code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": self.client.client_id,
            "client_secret": self.client.client_secret,
            "redirect_uri": self.parameters["redirect_uri"],
            "code_verifier": self.verifier,
            **changes,
        }
        return requests.post(f"{self.base_url}/token", data=form, timeout=10)


def answer(response: requests.Response) -> dict[str, str]:
    """The parameters of the redirect back to the product."""
    query = parse_qs(urlsplit(response.headers["Location"]).query, keep_blank_values=True)
    return {key: values[-1] for key, values in query.items()}


def connect(base_url: str, **parameters: str) -> dict[str, Any]:
    """Consent (automatic consent must be on) and exchange; the token endpoint's answer."""
    consent = Consent(base_url, parameters=parameters)
    reply = consent.exchange(answer(consent.ask())["code"])
    reply.raise_for_status()
    return reply.json()
