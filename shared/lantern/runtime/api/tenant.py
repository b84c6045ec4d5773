"""The tenant that a key belongs to."""

from datetime import datetime
from typing import Any

from lantern.domain.errors import NotFoundError
from lantern.domain.tenancy import TenantStatus
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer
from lantern.runtime.preconditions import revision_etag


class TenantAnswer(Answer):
    """A customer organisation."""

    id: str
    name: str
    status: TenantStatus
    created_at: datetime


def get_tenant(call: Call[Any, None]) -> Reply:
    """The caller's tenant."""
    tenant = call.store.tenants.get()
    if tenant is None:
        raise NotFoundError("tenant", call.caller.tenant_id)
    body = TenantAnswer(id=tenant.id, name=tenant.name, status=tenant.status, created_at=tenant.created_at)
    return Reply(body, etag=revision_etag(tenant.rev))


ROUTES = (
    Route(
        method="GET",
        path="/v1/tenant",
        operation="getTenant",
        tag="Tenant",
        summary="The tenant of this key",
        description="Which customer organisation the API key belongs to.",
        handler=get_tenant,
        scope="read",
        answer=TenantAnswer,
        etag=True,
        problems=("not_found",),
    ),
)
