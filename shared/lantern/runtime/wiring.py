"""The composition of functions that serve tenants: a store each, on credentials that reach no other."""

from functools import cache
from typing import Any

from lantern.domain.findings import Finding
from lantern.runtime import settings as environment
from lantern.runtime import units, wiring_platform
from lantern.store.session import TenantSession, TenantSessions
from lantern.store.tenant import TenantStore


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
        opened=units.METER.attach,
    )


def tenant_store(tenant_id: str) -> TenantStore:
    """The store of one tenant, on credentials that reach no other."""
    return TenantStore(tenant_session(tenant_id), finding_type=Finding)


def tenant_session(tenant_id: str) -> TenantSession:
    """The session of one tenant: its role, its guarded client."""
    return _sessions().get(tenant_id)


@cache
def kms(tenant_id: str) -> Any:
    """The key service on a tenant's own role: it seals and opens nothing of anybody else's."""
    session = tenant_session(tenant_id)
    if session.aws is None:
        raise environment.SettingsError("secrets are sealed and opened on the tenant's own role only")
    chosen = wiring_platform.settings()
    return session.aws.create_client(
        "kms",
        region_name=chosen.region,
        endpoint_url=chosen.endpoint_url,
        config=wiring_platform.CLIENT_CONFIG,
    )


def reset() -> None:
    """Forget everything, so that the next use reads the environment anew."""
    wiring_platform.reset()
    _sessions.cache_clear()
    kms.cache_clear()
