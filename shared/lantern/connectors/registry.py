"""Connectors by provider name, loaded when first asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import requests

from lantern.connectors.consent import ClientRegistration, ConsentFlow
from lantern.connectors.limiter import Limiters, Random
from lantern.connectors.manifests import load, manifest, providers
from lantern.connectors.protocol import Clock, Connector

__all__ = ["Credentials", "Io", "connect", "manifest", "oauth_flow", "providers", "relocated"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens one connection, and whose it is.

    `tenant`, `connection_id` and `organisation_id` name principals and limiters. `secret` is what consent
    gave (`TokenGrant.secret`). `granted` are the permissions the consent held when it was given: what is not
    among them need not be asked for.
    """

    tenant: str
    connection_id: str
    organisation_id: str
    registration: ClientRegistration
    secret: str = field(repr=False)
    granted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Io:
    """Everything a connector touches the world with, injected.

    `random` gives uniform numbers in [0, 1). `limiters` should live as long as the process. `endpoints`
    override the manifest's by name. `max_in_flight` 1 makes a read sequential, so that it replays.
    """

    session: requests.Session
    clock: Clock
    limiters: Limiters
    random: Random
    endpoints: Mapping[str, str] = field(default_factory=dict)
    max_in_flight: int = 100


def connect(provider: str, credentials: Credentials, io: Io) -> Connector:
    """A connector for one connection. Makes no call yet.

    Raises:
        InvalidInputError: no such provider.
    """
    factory = cast("Callable[[Credentials, Io], Connector]", load(provider, "connector", "connect"))
    return factory(credentials, io)


def relocated(provider: str, base: str | None) -> Mapping[str, str]:
    """The provider's endpoints moved to another base address, paths kept; none where `base` is None.

    An issuer is a name, not an address: it stays.
    """
    if base is None:
        return {}
    return {
        name: base + urlsplit(address).path
        for name, address in manifest(provider).endpoints.items()
        if name != "issuer"
    }


def oauth_flow(provider: str, registration: ClientRegistration, io: Io) -> ConsentFlow:
    """The consent flow of a provider.

    Raises:
        InvalidInputError: no such provider.
    """
    factory = cast("Callable[[ClientRegistration, Io], ConsentFlow]", load(provider, "oauth", "flow"))
    return factory(registration, io)
