"""Which providers there are and what is said of them, without the means to reach any."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Final, cast

from lantern.connectors.protocol import Manifest
from lantern.domain.errors import InvalidInputError

_PACKAGE: Final = "lantern.connectors"


@cache
def providers() -> tuple[str, ...]:
    """Names of all providers there is a connector for: the packages here that have a manifest."""
    found = (module.name for module in iter_modules(import_module(_PACKAGE).__path__) if module.ispkg)
    return tuple(sorted(name for name in found if find_spec(f"{_PACKAGE}.{name}.manifest")))


def manifest(provider: str) -> Manifest:
    """Facts about a provider."""
    return cast("Manifest", load(provider, "manifest", "MANIFEST"))


def load(provider: str, module: str, name: str) -> object:
    """A name of a provider's module, imported when first asked for.

    Raises:
        InvalidInputError: no such provider.
    """
    if provider not in providers():
        raise InvalidInputError("provider", f"use one of {', '.join(providers())}")
    return cast("object", getattr(import_module(f"{_PACKAGE}.{provider}.{module}"), name))
