"""What imports and mail need of the process: the tenant's part of the bucket, and what the catalog knows."""

from functools import cache
from typing import TYPE_CHECKING

from botocore.config import Config

from lantern.domain.signup_mail import Recognise, recogniser
from lantern.domain.visit_targets import Resolve, resolver
from lantern.runtime import settings as environment
from lantern.runtime import wiring, wiring_catalog, wiring_platform
from lantern.services.imports.drops import DropBox
from lantern.store.tenant import TenantStore

if TYPE_CHECKING:
    from lantern.services.scoring.knowledge import Knowledge

_S3 = Config(
    connect_timeout=2,
    read_timeout=30,
    retries={"mode": "standard", "total_max_attempts": 3},
    signature_version="s3v4",
    # A checksum of ours is signed; the client must not add one of its own choice.
    request_checksum_calculation="when_required",
)


@cache
def drop_box(tenant_id: str) -> DropBox:
    """A tenant's part of the bucket, on credentials that reach no other."""
    chosen = wiring_platform.settings()
    environment.need(chosen, "drops_bucket")
    session = wiring.tenant_session(tenant_id)
    if session.aws is None:
        raise environment.SettingsError("files are kept on the tenant's own role only")
    client = session.aws.create_client(
        "s3", region_name=chosen.region, endpoint_url=chosen.endpoint_url, config=_S3
    )
    return DropBox(client, chosen.drops_bucket, tenant_id)


def resolver_for(store: TenantStore) -> Resolve:
    """Where hosts lead by the catalog as this tenant sees it."""
    seen = _knowledge(store)
    return resolver(seen.catalog, seen.registrable)


def recogniser_for(store: TenantStore) -> Recognise:
    """What headers of mail hint at by the catalog as this tenant sees it."""
    seen = _knowledge(store)
    leads = resolver(seen.catalog, seen.registrable)
    return recogniser(seen.catalog, seen.registrable, seen.reference.risk.consumer_domains, leads)


def _knowledge(store: TenantStore) -> "Knowledge":
    from lantern.services.scoring import catalogs
    from lantern.services.scoring.knowledge import load_knowledge

    knowledge = load_knowledge(wiring_platform.content_directory())
    return catalogs.view(store, knowledge, wiring_catalog.operator_catalog()).knowledge


def reset() -> None:
    """Forget everything, so that the next use reads the environment anew."""
    drop_box.cache_clear()
