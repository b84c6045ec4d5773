"""What providers are reached with: our OAuth client, the network, and limiters that live with the process."""

import json
import random
from functools import cache
from typing import Final

from lantern.connectors.consent import ClientRegistration, ConsentFlow
from lantern.connectors.http import new_session
from lantern.connectors.limiter import Limiters
from lantern.connectors.registry import Io, manifest, oauth_flow, providers, relocated
from lantern.runtime import wiring_platform
from lantern.runtime.clock import CLOCK
from lantern.runtime.settings import SettingsError

NOT_CONFIGURED: Final = "not-configured"
"""What `template.yaml` puts into a new secret; nobody can be sent to a provider with it."""
_NAMED: Final = frozenset({"client_id", "client_secret"})


@cache
def registration(provider: str) -> ClientRegistration:
    """Our own client at a provider, from Secrets Manager; an empty one where customers bring their own.

    Raises:
        SettingsError: no such client is configured.
    """
    if manifest(provider).form:
        return ClientRegistration("", "")
    name = wiring_platform.settings().oauth_secrets.get(provider)
    if not name:
        raise SettingsError(f"no OAuth client is configured for {provider}")
    found = _read(name)
    if found is None:
        raise SettingsError(f"put Lantern's OAuth client for {provider} into the secret {name}")
    return found


@cache
def mail_registration(provider: str) -> ClientRegistration | None:
    """What mail headers are read with at a provider; None where this installation has nothing of the kind.

    In a secret of its own, which no function has but the one that reads mail: whoever holds this key reads
    headers in every organisation that let it.
    """
    name = wiring_platform.settings().oauth_secrets.get(f"{provider}_mail")
    return _read(name) if name else None


def _read(name: str) -> ClientRegistration | None:
    """The registration in a secret; None where nobody has put one there."""
    answer = wiring_platform.client("secretsmanager").get_secret_value(SecretId=name)
    found = json.loads(answer["SecretString"])
    if found["client_id"] == NOT_CONFIGURED:
        return None
    extra = {key: value for key, value in found.items() if key not in _NAMED and isinstance(value, str)}
    return ClientRegistration(found["client_id"], found["client_secret"], extra)


@cache
def provider_io(provider: str) -> Io:
    """What a connector touches the world with; one per process, so that pools and limiters live on."""
    luck = random.SystemRandom().random
    base = wiring_platform.settings().provider_endpoints.get(provider)
    return Io(new_session(), CLOCK, Limiters(CLOCK, luck), luck, relocated(provider, base))


@cache
def consent_flow(provider: str) -> ConsentFlow | None:
    """The consent flow of a provider; None where there is no such provider."""
    if provider not in providers():
        return None
    return oauth_flow(provider, registration(provider), provider_io(provider))


def reset() -> None:
    """Forget everything, so that the next use reads the environment anew."""
    for made in (registration, mail_registration, provider_io, consent_flow):
        made.cache_clear()
