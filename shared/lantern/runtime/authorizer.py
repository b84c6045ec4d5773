"""The REQUEST authorizer: an API key becomes a tenant, or nothing.

API Gateway keeps an answer for `CACHE_S` seconds per Authorization header: so long does a revoked key
go on working, and a suspended tenant.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from lantern.domain import apikeys
from lantern.store.platform import PlatformStore

CACHE_S: Final = 60
"""The template sets AuthorizerResultTtlInSeconds to this; a test compares them."""

logger = logging.getLogger(__name__)

Answer = dict[str, Any]


def authorize(event: Mapping[str, Any], registry: Callable[[], PlatformStore], environment: str) -> Answer:
    """Decide about one request.

    Refusals are policies, not exceptions: API Gateway keeps those too, and strangers with made-up keys
    raise no error metric. `registry` is a function so that a key with a wrong checksum costs no client.

    Args:
        event: a REQUEST authorizer event.
        registry: where keys are looked up.
        environment: the stage; keys of another one are refused unread.
    """
    resource = _resource(str(event.get("methodArn", "")))
    presented = apikeys.parse(_bearer(event.get("headers") or {}))
    if presented is None or presented.environment != environment:
        return _refusal(resource)
    platform = registry()
    known = platform.get_key(presented.id)
    if known is None or not apikeys.same_hash(presented.hash, known.hash) or known.status != "active":
        return _refusal(resource)
    tenant = platform.get_tenant(known.tenant_id)
    if tenant is None:
        logger.error("a key without a tenant", extra={"key_id": presented.id})
        return _refusal(resource)
    return _policy(
        "Allow",
        presented.id,
        resource,
        {
            "tenantId": known.tenant_id,
            "keyId": presented.id,
            "scopes": " ".join(sorted(known.scopes)),
            "tenantStatus": tenant.status,
        },
    )


def _bearer(headers: Mapping[str, Any]) -> str:
    for name, value in headers.items():
        if name.lower() == "authorization":
            kind, _, key = str(value).strip().partition(" ")
            return key.strip() if kind.lower() == "bearer" else ""
    return ""


def _resource(method_arn: str) -> str:
    # arn:aws:execute-api:region:account:api/stage/METHOD/path: the answer is kept for all methods and
    # paths of the stage, so it must hold for all of them.
    api, stage, *_ = [*method_arn.split("/", 2), ""]
    return f"{api}/{stage}/*"


def _refusal(resource: str) -> Answer:
    return _policy("Deny", "anonymous", resource, {})


def _policy(effect: str, principal: str, resource: str, context: Mapping[str, str]) -> Answer:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    return {
        "principalId": principal,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": dict(context),
    }
