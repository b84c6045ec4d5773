"""The composition of the functions at the edges: consent, webhooks, dispatcher, router, housekeeping.

Heavy parts are imported where they are used: webhooks, dispatcher and router start without PynamoDB,
pydantic, requests and templates.
"""

import json
import os
import random
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.config import Config

from lantern.runtime import settings as environment
from lantern.runtime import wiring_platform
from lantern.runtime.settings import SettingsError
from lantern.services.queue import WorkQueue

if TYPE_CHECKING:
    from lantern.connectors.consent import ClientRegistration, ConsentFlow
    from lantern.connectors.registry import Io
    from lantern.services.dispatch import Dispatcher
    from lantern.services.housekeeping import Chores
    from lantern.services.links import Site
    from lantern.services.onboarding import Onboarding
    from lantern.services.push import Receiver


@dataclass(frozen=True, slots=True)
class SystemClock:
    """Real time (`lantern.connectors.protocol.Clock`)."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


CLOCK = SystemClock()


def need(name: str) -> str:
    """A variable of the environment.

    Raises:
        SettingsError: it is empty.
    """
    value = os.environ.get(name, "")
    if not value:
        raise SettingsError(f"{name} is empty")
    return value


@cache
def logging_once(service: str) -> None:
    """Attach Powertools to the logs of this process."""
    from lantern.runtime import observability

    observability.attach(service)


@cache
def queue() -> WorkQueue:
    """The work queues."""
    chosen = wiring_platform.settings()
    environment.need(chosen, "hints_queue_url", "runs_queue_url")
    urls = {"hints": chosen.hints_queue_url, "runs": chosen.runs_queue_url}
    return WorkQueue(wiring_platform.client("sqs"), {"hints": urls["hints"], "runs": urls["runs"]})


# --- webhooks, router, dispatcher -------------------------------------------------------------------


@cache
def receiver() -> "Receiver":
    """What receives push messages."""
    from lantern.services.push import Receiver

    return Receiver(wiring_platform.platform_store(), queue().send, CLOCK.now)


@cache
def tenant_table() -> tuple[Any, str]:
    """The tenants' table, for the router: its role may delete outbox items there and nothing else."""
    chosen = wiring_platform.settings()
    environment.need(chosen, "tenant_table")
    return wiring_platform.client("dynamodb"), chosen.tenant_table


@cache
def dispatcher() -> "Dispatcher":
    """The dispatcher; its Lambda client waits longer than a worker may take, and asks once."""
    from lantern.services.dispatch import Dispatcher

    chosen = wiring_platform.settings()
    patience = Config(
        connect_timeout=3,
        read_timeout=int(need("WORKER_TIMEOUT_S")) + 10,
        retries={"total_max_attempts": 1},
        tcp_keepalive=True,
    )
    urls = [url for url in (chosen.hints_queue_url, chosen.runs_queue_url) if url]
    return Dispatcher(
        tenant=wiring_platform.platform_store().get_tenant,
        functions={
            "discovery": need("DISCOVERY_FUNCTION"),
            "scoring": need("SCORING_FUNCTION"),
            "remediation": need("REMEDIATION_FUNCTION"),
        },
        invoker=wiring_platform.client("lambda", patience),
        sqs=wiring_platform.client("sqs"),
        queue_urls={url.rpartition("/")[2]: url for url in urls},
        jitter=random.SystemRandom().random,
    )


# --- providers --------------------------------------------------------------------------------------


def endpoints(provider: str, addresses: Mapping[str, str], configured: str) -> dict[str, str]:
    """A provider's addresses moved to another host, where `configured` (JSON) names one.

    The issuer stays: it is a name, not an address.

    Raises:
        SettingsError: `configured` is not a JSON object of addresses.
    """
    try:
        base = json.loads(configured or "{}").get(provider)
    except (ValueError, AttributeError):
        raise SettingsError("PROVIDER_ENDPOINTS is not a JSON object") from None
    if base is None:
        return {}
    moved = {name: urlsplit(address).path for name, address in addresses.items() if name != "issuer"}
    return {name: f"{str(base).rstrip('/')}{path}" for name, path in moved.items()}


@cache
def registration(provider: str) -> "ClientRegistration":
    """Our own OAuth client at a provider, from Secrets Manager."""
    from lantern.connectors.consent import ClientRegistration

    secret = need(f"{provider.upper()}_OAUTH_SECRET_ARN")
    answer = wiring_platform.client("secretsmanager").get_secret_value(SecretId=secret)
    value = json.loads(answer["SecretString"])
    return ClientRegistration(value["client_id"], value["client_secret"])


@cache
def provider_io(provider: str) -> "Io":
    """What a provider's connector touches the world with; one per process, so that limiters live on."""
    import requests

    from lantern.connectors import registry
    from lantern.connectors.limiter import Limiters

    luck = random.SystemRandom().random
    addresses = registry.manifest(provider).endpoints
    moved = endpoints(provider, addresses, os.environ.get("PROVIDER_ENDPOINTS", ""))
    return registry.Io(requests.Session(), CLOCK, Limiters(CLOCK, luck), luck, moved)


@cache
def _flow(provider: str) -> "ConsentFlow | None":
    from lantern.connectors import registry

    if provider not in registry.providers():
        return None
    return registry.oauth_flow(provider, registration(provider), provider_io(provider))


# --- consent ----------------------------------------------------------------------------------------


def site(event: Mapping[str, Any]) -> "Site":
    """Where browsers reach us: as configured, else the API's own address as API Gateway names it."""
    from lantern.services.links import Site

    context = event.get("requestContext") or {}
    own = f"https://{context.get('domainName', '')}/{context.get('stage', '')}"
    base = os.environ.get("PUBLIC_BASE_URL") or own
    return Site(base.rstrip("/"), secure=os.environ.get("INSECURE_COOKIES", "false") != "true")


def onboarding(event: Mapping[str, Any]) -> "Onboarding":
    """The consent flow, for one request."""
    from lantern.runtime import wiring
    from lantern.services.connecting import Vaulting
    from lantern.services.onboarding import Onboarding
    from lantern.services.schedules import ScheduleGroup

    chosen = wiring_platform.settings()
    environment.need(chosen, "hints_queue_url", "runs_queue_url")
    urls = {"hints": chosen.hints_queue_url, "runs": chosen.runs_queue_url}
    group = ScheduleGroup(
        need("SCHEDULE_GROUP"), need("SCHEDULER_ROLE_ARN"), {"hints": urls["hints"], "runs": urls["runs"]}
    )
    vaulting = Vaulting(
        platform=wiring_platform.platform_store(),
        tenant=wiring.tenant_store,
        kms=_client("kms"),
        key_id=need("SECRETS_KEY_ID"),
        scheduler=_client("scheduler"),
        group=group,
        environment=chosen.stage,
    )
    return Onboarding(
        site=site(event),
        platform=vaulting.platform,
        vaulting=vaulting,
        flow=_flow,
        now=CLOCK.now,
        random=secrets.token_bytes,
    )


@cache
def _client(service: str) -> Any:
    return wiring_platform.client(service)


# --- housekeeping -----------------------------------------------------------------------------------


def chores() -> "Chores":
    """What housekeeping works with."""
    from lantern.runtime import wiring
    from lantern.services.housekeeping import Chores

    return Chores(
        wiring_platform.platform_store(), wiring.tenant_store, _client("s3"), need("ANCHORS_BUCKET")
    )


def reset() -> None:
    """Forget everything, so that the next use reads the environment anew."""
    for made in (queue, receiver, tenant_table, dispatcher, registration, provider_io, _flow, _client):
        made.cache_clear()
