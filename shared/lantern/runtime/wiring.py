"""The composition of functions that serve tenants: stores, queue, secrets, tools of the API."""

import hashlib
import secrets
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from typing import Any, cast

from lantern.domain.findings import Finding
from lantern.runtime import observability, wiring_platform
from lantern.runtime import settings as environment
from lantern.runtime.api.tools import Tools
from lantern.runtime.cursors import CursorCodec
from lantern.services.links import ConsentLinks, Site
from lantern.services.ports import RemediationPort
from lantern.services.queue import WorkQueue
from lantern.store.session import TenantSession, TenantSessions
from lantern.store.tenant import TenantStore


class LazyService:
    """A module of `lantern.services` that is imported when it is first used: most requests need none."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(f"lantern.services.{self._name}"), attribute)


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


@cache
def logging_once(service: str) -> None:
    """Attach Powertools to the logs of this process."""
    observability.attach(service)


@cache
def _sessions() -> TenantSessions:
    chosen = wiring_platform.settings()
    environment.need(chosen, "tenant_table", "tenant_role_arn", "region")
    return TenantSessions(
        wiring_platform.client("sts"),
        chosen.tenant_role_arn,
        chosen.tenant_table,
        chosen.region,
        endpoint_url=chosen.endpoint_url,
    )


def tenant_store(tenant_id: str) -> TenantStore:
    """The store of one tenant, on credentials that reach no other."""
    return TenantStore(tenant_session(tenant_id), finding_type=Finding)


def tenant_session(tenant_id: str) -> TenantSession:
    """The session of one tenant: its role, its guarded client."""
    return _sessions().get(tenant_id)


@cache
def work_queue() -> WorkQueue:
    """The work queues."""
    chosen = wiring_platform.settings()
    environment.need(chosen, "hints_queue_url", "runs_queue_url")
    return WorkQueue(
        wiring_platform.client("sqs"), {"hints": chosen.hints_queue_url, "runs": chosen.runs_queue_url}
    )


@cache
def cursor_codec() -> CursorCodec:
    """Seals cursors with a key made of the platform's secret, so that any text will do as one."""
    chosen = wiring_platform.settings()
    environment.need(chosen, "cursor_secret_id")
    answer = wiring_platform.client("secretsmanager").get_secret_value(SecretId=chosen.cursor_secret_id)
    return CursorCodec(hashlib.sha256(answer["SecretString"].encode()).digest())


@cache
def api_tools() -> Tools:
    """Everything the API's handlers work with."""
    chosen = wiring_platform.settings()
    return Tools(
        open_store=tenant_store,
        platform=wiring_platform.platform_store(),
        queue=work_queue,
        remediation=cast("RemediationPort", LazyService("remediation")),
        onboarding=ConsentLinks(Site(chosen.public_base_url, secure=not chosen.insecure_cookies)),
        cursors=cursor_codec,
        now=now,
        random=secrets.token_bytes,
        environment=chosen.stage,
        requests_per_minute=chosen.requests_per_minute,
    )


def reset() -> None:
    """Forget everything, so that the next use reads the environment anew."""
    wiring_platform.reset()
    for made in (_sessions, work_queue, cursor_codec, api_tools):
        made.cache_clear()
