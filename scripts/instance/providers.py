"""The simulated providers: what each is started with, and how it and Lantern come to know each other."""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from scripts.instance.simulator import Simulator, SimulatorError

_NOT_CONFIGURED: Final = "not-configured"
_SHARED: Final = ("--people", "shared", "--employees", "60")
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Registration:
    """Lantern's registration at a provider, and where the provider finds Lantern.

    `signing_secret` is what the provider signs its messages with; empty where it has none of ours.
    """

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    webhook: str
    signing_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider on this machine.

    Args:
        key: as Lantern calls it, and the package of its simulator.
        title: as people call it.
        options: of the simulator's command line.
        secret: output of the template that names the secret of our registration; empty: there is none,
            customers bring their own client.
        push_secret: output that names the secret of its signatures; empty: each channel has its own.
        client_id: our client's id there; empty: the simulator says what our registration is.
        prefix: what its client secrets begin with.
        tell: makes our registration known to the simulator.
    """

    key: str
    title: str
    options: tuple[str, ...]
    secret: str = ""
    push_secret: str = ""
    client_id: str = ""
    prefix: str = ""
    tell: Callable[[Simulator, Registration], None] | None = None


def _tell(simulator: Simulator, ours: Registration) -> None:
    simulator.control(
        "register_client",
        client_id=ours.client_id,
        client_secret=ours.client_secret,
        redirect_uris=[ours.redirect_uri],
    )


def _tell_slack(simulator: Simulator, ours: Registration) -> None:
    simulator.control(
        "register_client",
        client_id=ours.client_id,
        client_secret=ours.client_secret,
        redirect_uri=ours.redirect_uri,
        signing_secret=ours.signing_secret,
    )
    for attempt in range(_ATTEMPTS):
        try:
            # Slack asks the address for a challenge and waits three seconds: a first start may take longer.
            simulator.control("subscribe", address=ours.webhook)
            return
        except SimulatorError:
            if attempt == _ATTEMPTS - 1:
                raise


def _tell_github(simulator: Simulator, ours: Registration) -> None:
    simulator.control("redirect", uri=ours.redirect_uri)
    simulator.control("webhook", address=ours.webhook, secret=ours.signing_secret)


PROVIDERS: Final = (
    Provider(
        "google", "Google Workspace", ("--employees", "250", "--machines", "4"), "GoogleOAuthSecret",
        client_id="407400000001-lantern.apps.googleusercontent.com", prefix="GOCSPX-", tell=_tell,
    ),
    Provider(
        "entra", "Microsoft Entra ID", _SHARED, "EntraOAuthSecret",
        client_id="6f1e2d3c-4b5a-4c6d-8e7f-0a1b2c3d4e5f", prefix="Zn8Q~", tell=_tell,
    ),
    Provider("okta", "Okta", _SHARED),
    Provider(
        "slack", "Slack", _SHARED, "SlackOAuthSecret", "SlackPushSecret",
        client_id="2141029472.691202649728", tell=_tell_slack,
    ),
    Provider("github", "GitHub", _SHARED, "GitHubOAuthSecret", "GitHubPushSecret", tell=_tell_github),
    Provider(
        "salesforce", "Salesforce", _SHARED, "SalesforceOAuthSecret",
        client_id="3MVG9LanternConnectedApp", tell=_tell,
    ),
)  # fmt: skip
"""All providers, as the same organisation of 250 people uses them (`tests.simulators.common.people`)."""


def register(
    provider: Provider, simulator: Simulator, store: Any, outputs: Mapping[str, str], api_url: str
) -> None:
    """Make Lantern's client known on both sides, with the addresses the provider finds Lantern at.

    Args:
        provider: whose client.
        simulator: that of the provider.
        store: a Secrets Manager client.
        outputs: of the template.
        api_url: where the API is reached.

    Raises:
        SimulatorError: the simulator did not take it.
    """
    if provider.tell is None:
        return
    client = _client(provider, simulator, store, outputs[provider.secret])
    signing = _read(store, outputs[provider.push_secret]) if provider.push_secret else ""
    ours = Registration(
        client["client_id"],
        client["client_secret"],
        f"{api_url}/connect/{provider.key}/callback",
        f"{api_url}/webhooks/{provider.key}/events",
        signing,
    )
    provider.tell(simulator, ours)


def _client(provider: Provider, simulator: Simulator, store: Any, name: str) -> dict[str, str]:
    """Our registration, made up the first time; where the simulator has made it up, that one."""
    kept: dict[str, str] = json.loads(_read(store, name))
    wanted = dict(simulator.ready.get("registration", {}))
    if not wanted:
        if kept["client_id"] != _NOT_CONFIGURED:
            return kept
        secret = f"{provider.prefix}{secrets.token_urlsafe(21)}"
        wanted = {"client_id": provider.client_id, "client_secret": secret}
    if wanted != kept:
        store.put_secret_value(SecretId=name, SecretString=json.dumps(wanted))
    return wanted


def _read(store: Any, name: str) -> str:
    return str(store.get_secret_value(SecretId=name)["SecretString"])
