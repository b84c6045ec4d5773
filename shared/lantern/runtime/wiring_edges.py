"""The composition of the functions at the edges: consent, webhooks, dispatcher, router, housekeeping.

Heavy parts are imported where they are used: webhooks, dispatcher and router start without PynamoDB,
pydantic, requests and templates.
"""

import random
import secrets
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from lantern.domain.work import WORKERS
from lantern.runtime import settings as environment
from lantern.runtime import wiring_platform
from lantern.runtime.clock import CLOCK

if TYPE_CHECKING:
    from lantern.services.dispatch import Dispatcher
    from lantern.services.housekeeping import Chores
    from lantern.services.links import Site
    from lantern.services.onboarding import Onboarding
    from lantern.services.push import Receiver


# --- webhooks, router, dispatcher -------------------------------------------------------------------


@cache
def receiver() -> "Receiver":
    """What receives push messages."""
    from lantern.services.push import Receiver

    return Receiver(
        wiring_platform.platform_store(), wiring_platform.work_queue().send, CLOCK.now, signing_secret
    )


@cache
def signing_secret(provider: str) -> str:
    """The secret with which a provider signs its messages to our app.

    Raises:
        SettingsError: none is configured.
    """
    name = wiring_platform.settings().push_secrets.get(provider)
    if not name:
        raise environment.SettingsError(f"no push secret is configured for {provider}")
    answer = wiring_platform.client("secretsmanager").get_secret_value(SecretId=name)
    return str(answer["SecretString"])


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
    environment.need(chosen, "worker_functions")
    patience = Config(
        connect_timeout=3,
        read_timeout=chosen.worker_timeout_s + 10,
        retries={"total_max_attempts": 1},
        tcp_keepalive=True,
    )
    urls = [url for url in (chosen.hints_queue_url, chosen.runs_queue_url) if url]
    return Dispatcher(
        tenant=wiring_platform.platform_store().get_tenant,
        functions={
            name: chosen.worker_functions[name] for name in WORKERS if name in chosen.worker_functions
        },
        invoker=wiring_platform.client("lambda", patience),
        sqs=wiring_platform.client("sqs"),
        queue_urls={url.rpartition("/")[2]: url for url in urls},
        jitter=random.SystemRandom().random,
    )


# --- consent ----------------------------------------------------------------------------------------


def site(event: Mapping[str, Any]) -> "Site":
    """Where browsers reach us: as configured, else the API's own address as API Gateway names it."""
    from lantern.services.links import Site

    context = event.get("requestContext") or {}
    own = f"https://{context.get('domainName', '')}/{context.get('stage', '')}"
    chosen = wiring_platform.settings()
    return Site(chosen.public_base_url or own, secure=not chosen.insecure_cookies)


def onboarding(event: Mapping[str, Any]) -> "Onboarding":
    """The consent flow, for one request."""
    from lantern.runtime import wiring, wiring_providers
    from lantern.services.connecting import Vaulting
    from lantern.services.onboarding import Onboarding
    from lantern.services.schedules import ScheduleGroup

    chosen = wiring_platform.settings()
    environment.need(
        chosen, "hints_queue_url", "runs_queue_url", "schedule_group", "scheduler_role_arn", "secrets_key_id"
    )
    group = ScheduleGroup(
        chosen.schedule_group,
        chosen.scheduler_role_arn,
        {"hints": chosen.hints_queue_url, "runs": chosen.runs_queue_url},
    )
    vaulting = Vaulting(
        platform=wiring_platform.platform_store(),
        tenant=wiring.tenant_store,
        kms=_client("kms"),
        key_id=chosen.secrets_key_id,
        scheduler=_client("scheduler"),
        group=group,
        environment=chosen.stage,
    )
    return Onboarding(
        site=site(event),
        platform=vaulting.platform,
        vaulting=vaulting,
        flow=wiring_providers.consent_flow,
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

    chosen = wiring_platform.settings()
    environment.need(chosen, "anchors_bucket")
    return Chores(wiring_platform.platform_store(), wiring.tenant_store, _client("s3"), chosen.anchors_bucket)


def reset() -> None:
    """Forget everything, so that the next use reads the environment anew."""
    for made in (receiver, signing_secret, tenant_table, dispatcher, _client):
        made.cache_clear()
