"""Connectors by provider name, loaded when first asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Final, cast
from urllib.parse import urlsplit

import requests

from lantern.connectors.consent import ClientRegistration, ConsentFlow
from lantern.connectors.limiter import Limiters, Random
from lantern.connectors.protocol import Clock, Connector, Manifest
from lantern.domain.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens one connection, and whose it is.

    `tenant`, `connection_id` and `organisation_id` name principals and limiters; the rest are secrets.
    """

    tenant: str
    connection_id: str
    organisation_id: str
    registration: ClientRegistration
    refresh_token: str = field(repr=False)


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


_MODULES: Final[Mapping[str, str]] = MappingProxyType({"google": "lantern.connectors.google"})


def providers() -> tuple[str, ...]:
    """Names of all providers there is a connector for."""
    return tuple(sorted(_MODULES))


def manifest(provider: str) -> Manifest:
    """Facts about a provider."""
    return cast("Manifest", _load(provider, "manifest", "MANIFEST"))


def connect(provider: str, credentials: Credentials, io: Io) -> Connector:
    """A connector for one connection. Makes no call yet.

    Raises:
        InvalidInputError: no such provider.
    """
    factory = cast("Callable[[Credentials, Io], Connector]", _load(provider, "connector", "connect"))
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
    factory = cast("Callable[[ClientRegistration, Io], ConsentFlow]", _load(provider, "oauth", "flow"))
    return factory(registration, io)


def _load(provider: str, module: str, name: str) -> object:
    package = _MODULES.get(provider)
    if package is None:
        raise InvalidInputError("provider", f"use one of {', '.join(providers())}")
    return cast("object", getattr(import_module(f"{package}.{module}"), name))
