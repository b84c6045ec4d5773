"""Gap: tenant isolation mode is ignored: one process serves every tenant.

`context.tenant_id` is missing too. With `TenancyConfig` each tenant has its own pool of workers, the
context carries the tenant id, and an invocation without a tenant id, with a malformed one, or with one
for a function that is not isolated is refused with 400.
"""

import contextvars
import re
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from scripts.local_cloud.patches.seam import edit_text, private, wrap

_SEPARATOR = "@tenant="
_TENANT_VARIABLE = "_LOCAL_CLOUD_TENANT_ID"
_TENANT_ID = re.compile(r"[a-zA-Z0-9._:/=+\-@ ]{1,256}")
_tenant: contextvars.ContextVar[str | None] = contextvars.ContextVar("tenant", default=None)


def apply() -> None:
    """Key workers by tenant, tell the handler which tenant it serves, and validate the tenant id."""
    edit_text(
        lambda_runtime,
        "_PYTHON_WORKER_SCRIPT",
        '"identity": None,',
        f'"identity": None, "tenant_id": os.environ.get("{_TENANT_VARIABLE}"),',
    )
    wrap(lambda_runtime, "_worker_key", _key_by_tenant)
    wrap(lambda_runtime, "acquire_worker", _name_tenant_in_environment, also=(lambda_svc,))
    wrap(lambda_runtime, "invalidate_worker", _invalidate_every_tenant, also=(lambda_svc,))
    wrap(lambda_runtime, "reap_idle_workers", _reap_idle_tenants, also=(lambda_svc,))
    wrap(lambda_svc, "_invoke", _require_tenant)


def _key_by_tenant(original: Any) -> Any:
    def worker_key(func_name: str, config: dict[str, Any], qualifier: str) -> str:
        key = str(original(func_name, config, qualifier))
        tenant = _tenant.get()
        return f"{key}{_SEPARATOR}{tenant}" if tenant and config.get("TenancyConfig") else key

    return worker_key


def _name_tenant_in_environment(original: Any) -> Any:
    def acquire(func_name: str, config: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        tenant = _tenant.get()
        if tenant and config.get("TenancyConfig"):
            variables = (config.get("Environment") or {}).get("Variables") or {}
            config = {**config, "Environment": {"Variables": {**variables, _TENANT_VARIABLE: tenant}}}
        return original(func_name, config, *args, **kwargs)

    return acquire


def _invalidate_every_tenant(original: Any) -> Any:
    workers = private(lambda_runtime, "_workers")
    lock = private(lambda_runtime, "_lock")

    def invalidate(func_name: str, *args: Any, **kwargs: Any) -> Any:
        with lock:
            keys = [key for key in workers if _SEPARATOR in key and key.split(":")[2] == func_name]
            doomed = [worker for key in keys for worker in workers.pop(key)]
        lambda_runtime.kill_workers(doomed)
        return original(func_name, *args, **kwargs)

    return invalidate


def _reap_idle_tenants(original: Any) -> Any:
    """MiniStack keeps the first worker of a key for ever: with a key per tenant that would be a leak."""
    workers = private(lambda_runtime, "_workers")
    lock = private(lambda_runtime, "_lock")
    default_ttl = private(lambda_runtime, "_LOCAL_WORKER_TTL")

    def reap(ttl: float | None = None) -> int:
        oldest = lambda_runtime.time.time() - (default_ttl if ttl is None else ttl)
        with lock:
            idle = [
                key
                for key, pool in workers.items()
                if _SEPARATOR in key and all(not w.in_use and w.last_used < oldest for w in pool)
            ]
            doomed = [worker for key in idle for worker in workers.pop(key)]
        lambda_runtime.kill_workers(doomed)
        return len(doomed) + int(original(ttl))

    return reap


def _require_tenant(original: Any) -> Any:
    functions = private(lambda_svc, "_functions")

    async def invoke(name: str, event: Any, headers: dict[str, str], *args: Any, **kwargs: Any) -> Any:
        tenant = next((value for key, value in headers.items() if key.lower() == "x-amz-tenant-id"), None)
        function = functions.get(name)
        problem = None if function is None else tenant_problem(function.get("config") or {}, tenant)
        if problem:
            return lambda_svc.error_response_json("InvalidParameterValueException", problem, 400)
        _tenant.set(tenant)
        return await original(name, event, headers, *args, **kwargs)

    return invoke


def tenant_problem(config: dict[str, Any], tenant: str | None) -> str | None:
    """Say why Lambda refuses this tenant id for this function; None if it accepts."""
    if not config.get("TenancyConfig"):
        if tenant:
            return (
                "The invoked function is not enabled with tenancy configuration. "
                "Remove the tenant ID from your request and try again."
            )
        return None
    if not tenant:
        return (
            "The invoked function is enabled with tenancy configuration. "
            "Add a valid tenant ID in your request and try again."
        )
    return None if _TENANT_ID.fullmatch(tenant) else "The tenant ID is not valid."
