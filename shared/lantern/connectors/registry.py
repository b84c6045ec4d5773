"""Connectors by provider name, loaded when first asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
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


_PACKAGE: Final = "lantern.connectors"


@cache
def providers() -> tuple[str, ...]:
    """Names of all providers there is a connector for: the packages here that have a manifest."""
    found = (module.name for module in iter_modules(import_module(_PACKAGE).__path__) if module.ispkg)
    return tuple(sorted(name for name in found if find_spec(f"{_PACKAGE}.{name}.manifest")))


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
    if provider not in providers():
        raise InvalidInputError("provider", f"use one of {', '.join(providers())}")
    return cast("object", getattr(import_module(f"{_PACKAGE}.{provider}.{module}"), name))
