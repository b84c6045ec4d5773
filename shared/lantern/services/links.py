"""Where we are on the web, and the single-use links by which somebody consents for an existing tenant."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from lantern.domain import consent
from lantern.domain.access import ConsentLink
from lantern.domain.audit import NOTHING, AuditEvent, change
from lantern.domain.ids import RandomBytes
from lantern.domain.inventory import Provider
from lantern.store.tenant import TenantStore

_COOKIE_LABEL: Final = 12


@dataclass(frozen=True, slots=True)
class Site:
    """Where we are on the web: `base_url` without a final slash, and whether it is https.

    `secure` is a setting, never taken from a request: a plain-http stage exists on laptops only.
    """

    base_url: str
    secure: bool = True

    def start(self, provider: str) -> str:
        """Where a consent for an organisation that may become a new tenant starts."""
        return f"{self.base_url}/connect/{quote(provider, safe='')}"

    def redirect_uri(self, provider: str) -> str:
        """The one redirect URI of a provider, as registered there."""
        return f"{self.base_url}/connect/{provider}/callback"

    def cookie(self, state: str) -> str:
        """The name of the cookie of one consent; each has its own, so that two tabs do not collide."""
        label = consent.fingerprint(state)[:_COOKIE_LABEL]
        return f"__Host-lantern-{label}" if self.secure else f"lantern-{label}"

    def set_cookie(self, state: str, value: str, max_age_s: int) -> str:
        """The `Set-Cookie` header; `Lax` because the provider's redirect is a cross-site navigation."""
        secure = "; Secure" if self.secure else ""
        return f"{self.cookie(state)}={value}; Max-Age={max_age_s}; Path=/; HttpOnly; SameSite=Lax{secure}"


def create_link(
    store: TenantStore,
    site: Site,
    *,
    provider: Provider,
    connection_id: str | None,
    by: str,
    now: datetime,
    random: RandomBytes,
) -> str:
    """The address of a new single-use link; it works for 24 hours.

    Opening it uses it up, so it must not go through channels that preview links. Its secret is in the
    address only; what is stored is a hash.
    """
    token, link_id = consent.link_token(store.tenant_id, random)
    link = ConsentLink(
        id=link_id,
        provider=provider,
        created_by=by,
        created_at=now,
        expires_at=now + consent.LINK_TTL,
        connection_id=connection_id,
    )
    store.links.put(link)
    subject = connection_id or store.tenant_id
    event = AuditEvent(
        by, "connection.link_created", subject, {"provider": provider, **change(NOTHING, "link")}
    )
    store.transact(now).audit(event).commit()
    return f"{site.base_url}/connect/link/{token}"


@dataclass(frozen=True, slots=True)
class ConsentLinks:
    """The API's way to consent links (`lantern.services.ports.OnboardingPort`)."""

    site: Site

    def create_link(
        self,
        store: TenantStore,
        provider: Provider,
        *,
        by: str,
        connection_id: str | None,
        now: datetime,
        random: RandomBytes,
    ) -> str:
        """A single-use address at which an administrator gives consent."""
        return create_link(
            store, self.site, provider=provider, connection_id=connection_id, by=by, now=now, random=random
        )
