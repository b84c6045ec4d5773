"""The composition of the API: everything its handlers work with."""

import hashlib
import secrets
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from lantern.runtime import settings as environment
from lantern.runtime import wiring, wiring_catalog, wiring_platform
from lantern.runtime.api.tools import Tools
from lantern.runtime.clock import CLOCK
from lantern.runtime.cursors import CursorCodec
from lantern.services.links import ConsentLinks, Site
from lantern.services.ports import RemediationPort
from lantern.services.reference import Reference

if TYPE_CHECKING:
    from lantern.services.imports.drops import DropBox


class LazyService:
    """A module of `lantern.services` that is imported when it is first used: most requests need none."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(f"lantern.services.{self._name}"), attribute)


@cache
def cursor_codec() -> CursorCodec:
    """Seals cursors with a key made of the platform's secret, so that any text will do as one."""
    chosen = wiring_platform.settings()
    environment.need(chosen, "cursor_secret_id")
    answer = wiring_platform.client("secretsmanager").get_secret_value(SecretId=chosen.cursor_secret_id)
    return CursorCodec(hashlib.sha256(answer["SecretString"].encode()).digest())


def _drop_box(tenant_id: str) -> "DropBox":
    from lantern.runtime import wiring_imports

    return wiring_imports.drop_box(tenant_id)


def _seal(tenant_id: str, secret_id: str, text: str) -> bytes:
    from lantern.services import vault

    chosen = wiring_platform.settings()
    environment.need(chosen, "secrets_key_id")
    return vault.seal(wiring.kms(tenant_id), chosen.secrets_key_id, tenant_id, secret_id, text)


@cache
def api_tools() -> Tools:
    """Everything the API's handlers work with."""
    chosen = wiring_platform.settings()
    return Tools(
        open_store=wiring.tenant_store,
        platform=wiring_platform.platform_store(),
        queue=wiring_platform.work_queue,
        remediation=cast("RemediationPort", LazyService("remediation")),
        catalog=wiring_catalog.operator_catalog,
        onboarding=ConsentLinks(Site(chosen.public_base_url, secure=not chosen.insecure_cookies)),
        cursors=cursor_codec,
        now=CLOCK.now,
        random=secrets.token_bytes,
        environment=chosen.stage,
        requests_per_minute=chosen.requests_per_minute,
        reference=Reference(wiring_platform.content_directory()),
        drops=_drop_box,
        seal=_seal,
    )


def reset() -> None:
    """Forget everything, so that the next use reads the environment anew."""
    wiring.reset()
    wiring_catalog.reset()
    for made in (cursor_codec, api_tools):
        made.cache_clear()
