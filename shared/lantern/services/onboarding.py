"""The consent flow, as the browser goes through it: away to the provider, back, and a page.

Nothing a browser sends is believed but the state that was remembered for it. Whatever is refused is
refused before the code is exchanged where that is possible, and leaves a line in the log; where the
tenant is known, an entry in its audit chain too.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from urllib.parse import parse_qs

from lantern.connectors import registry
from lantern.connectors.consent import (
    ConsentFlow,
    ConsentRefusedError,
    ConsentStart,
    Detour,
    Identity,
    TokenGrant,
)
from lantern.domain import consent
from lantern.domain.access import ConsentLink
from lantern.domain.audit import AuditEvent
from lantern.domain.consent import ConsentState, Return
from lantern.domain.errors import ConnectorError, InvalidInputError, LanternError
from lantern.domain.ids import RandomBytes
from lantern.services import connecting, pages
from lantern.services.connecting import Connected, Consented, RefusedError, Vaulting
from lantern.services.links import Site, create_link
from lantern.services.pages import Page
from lantern.services.pages.wording import WORDINGS
from lantern.services.web import WebRequest
from lantern.store.platform import PlatformStore
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

_MOST_FIELDS: Final = 20


@dataclass(frozen=True, slots=True)
class Onboarding:
    """What the flow needs. `flow` finds a provider's consent flow and is None for unknown providers."""

    site: Site
    platform: PlatformStore
    vaulting: Vaulting
    flow: Callable[[str], ConsentFlow | None]
    now: Callable[[], datetime]
    random: RandomBytes

    def tenant(self, tenant_id: str) -> TenantStore:
        """A tenant's own store."""
        return self.vaulting.tenant(tenant_id)


def handle(onboarding: Onboarding, route: str, request: WebRequest) -> Page:
    """Answer one request on a route template of the API with a page, whatever happens."""
    provider = request.parameters.get("provider", "")
    try:
        if route == "/connect/link/{token}":
            return follow(onboarding, request)
        if route == "/connect/{provider}/callback":
            return finish(onboarding, request)
        return begin(onboarding, provider)
    except RefusedError as refused:
        return _refused(onboarding, provider, refused, request)
    except Exception as error:
        # The edge: a person waits in front of it. The type only: a message might quote a secret.
        log.error("consent failed: %s", type(error).__name__, extra={"reference": request.request_id})
        again = onboarding.site.start(provider)
        return pages.refused(provider, "internal", again=again, reference=request.request_id)


def begin(
    onboarding: Onboarding, provider: str, link: ConsentLink | None = None, tenant_id: str | None = None
) -> Page:
    """Send a browser to a provider; without `link` for an organisation that may become a new tenant.

    Raises:
        RefusedError: there is no such provider.
    """
    flow = _flow(onboarding, provider)
    wanted = ConsentState(
        provider=provider,
        browser="",
        redirect_uri=onboarding.site.redirect_uri(provider),
        expires_at=onboarding.now(),
        tenant_id=tenant_id,
        connection_id=link.connection_id if link else None,
        by=link.created_by if link else None,
    )
    return _depart(onboarding, flow, wanted)


def _depart(onboarding: Onboarding, flow: ConsentFlow, wanted: ConsentState) -> Page:
    """Begin a leg of a consent: away to the provider, or to the form where it has no consent page."""
    departure = consent.depart(onboarding.random)
    state = replace(
        wanted,
        browser=consent.fingerprint(departure.browser_secret),
        expires_at=onboarding.now() + consent.STATE_TTL,
    )
    row = consent.to_row(state)
    onboarding.platform.put_state(consent.fingerprint(departure.state), row, onboarding.now())
    lifetime = int(consent.STATE_TTL.total_seconds())
    cookie = onboarding.site.set_cookie(departure.state, departure.browser_secret, lifetime)
    manifest = registry.manifest(state.provider)
    if manifest.form:
        return pages.form(manifest, state=departure.state, action=state.redirect_uri, cookie=cookie)
    return pages.away(flow.authorize_url(_start(departure, state)), cookie)


def follow(onboarding: Onboarding, request: WebRequest) -> Page:
    """Send a browser to a provider for the tenant whose link it opened; that uses the link up.

    Raises:
        RefusedError: the link was used, has expired, was never made, or its tenant is not active.
    """
    named = consent.read_link_token(request.parameters.get("token", ""))
    tenant = onboarding.platform.get_tenant(named[0]) if named else None
    if named is None or tenant is None:
        raise RefusedError("link_invalid")
    if tenant.status != "active":
        raise RefusedError("suspended")
    link = onboarding.tenant(tenant.id).links.consume(named[1], onboarding.now())
    if link is None:
        raise RefusedError("link_invalid")
    return begin(onboarding, link.provider, link, tenant.id)


def finish(onboarding: Onboarding, request: WebRequest) -> Page:
    """Answer the provider's redirect: a connection, or a page that says why not.

    Raises:
        RefusedError: nothing is known of who came back.
    """
    provider = request.parameters.get("provider", "")
    flow = _flow(onboarding, provider)
    back = _back(onboarding.site, provider, flow, request)
    # Taken before it is judged: whatever comes next, this state is used up.
    row = onboarding.platform.consume_state(consent.fingerprint(back.state), onboarding.now())
    if row is None:
        raise RefusedError("state_unknown")
    state = consent.from_row(row)
    try:
        accepted = flow.accepts_issuer(back.issuer)
        refusal = consent.judge(state, back, onboarding.now(), issuer_accepted=accepted)
        if refusal is not None:
            raise RefusedError(refusal)
        start = _start(consent.departure(back.state, back.browser_secret or ""), state)
        grant = _exchange(state, flow, start, back)
        if isinstance(grant, Detour):
            return _depart(onboarding, flow, replace(state, facts={**state.facts, **grant.facts}))
        connected, given = _connect(onboarding, flow, state, start, grant)
    except RefusedError as refused:
        return _refused(onboarding, provider, refused, request, state=state, back=back)
    names = {"tenant_id": connected.tenant_id, "connection_id": connected.connection_id}
    log.info("consent accepted", extra={"provider": provider, **names})
    page = pages.connected(
        provider,
        given.identity.organisation_name or "",
        key=connected.key,
        new=connected.new,
        lost=_lost(provider, given.missing),
        api=onboarding.site.base_url,
        reference=request.request_id,
    )
    return replace(
        page, headers={**page.headers, "Set-Cookie": onboarding.site.set_cookie(back.state, "", 0)}
    )


def _flow(onboarding: Onboarding, provider: str) -> ConsentFlow:
    flow = onboarding.flow(provider)
    if flow is None:
        raise RefusedError("unknown_provider")
    return flow


def _back(site: Site, provider: str, flow: ConsentFlow, request: WebRequest) -> Return:
    redirect_uri = site.redirect_uri(provider)
    if not consent.at_redirect_uri(request.path, redirect_uri):
        raise RefusedError("other_redirect_uri")
    form = registry.manifest(provider).form
    query = _entered(request) if form else request.query
    try:
        state = consent.single(query, "state")
        error, issuer = consent.single(query, "error"), consent.single(query, "iss")
        names = [field.name for field in form] if form else [name.rstrip("?") for name in flow.answers]
        given = {name: consent.single(query, name) for name in names}
    except ValueError:
        raise RefusedError("repeated_parameter") from None
    if state is None:
        raise RefusedError("state_missing")
    answer = {name: value for name, value in given.items() if value is not None}
    needed = () if form else (name for name in flow.answers if not name.endswith("?"))
    complete = answer if answer.keys() >= set(needed) else {}
    return Return(provider, redirect_uri, state, complete, request.cookie(site.cookie(state)), issuer, error)


def _entered(request: WebRequest) -> Mapping[str, Sequence[str]]:
    """What was entered into the form; sent in the body, so that it stands in no address and no log."""
    try:
        return parse_qs(request.body.decode("ascii"), strict_parsing=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}


def _start(departure: consent.Departure, state: ConsentState) -> ConsentStart:
    return ConsentStart(departure.state, departure.nonce, departure.verifier, state.redirect_uri, state.facts)


def _exchange(
    state: ConsentState, flow: ConsentFlow, start: ConsentStart, back: Return
) -> TokenGrant | Detour:
    try:
        return flow.exchange(start, back.answer)
    except InvalidInputError as error:
        raise RefusedError("entry_refused", (f"{error.field}: {error.remedy}",)) from None
    except ConsentRefusedError as error:
        raise RefusedError(error.refusal) from None
    except ConnectorError as error:
        if error.kind != "config":
            raise RefusedError("provider_unavailable") from None
        if registry.manifest(state.provider).form:
            raise RefusedError("entry_refused", (error.user_message,)) from None
        raise RefusedError("code_refused", (error.user_message,)) from None


def _connect(
    onboarding: Onboarding, flow: ConsentFlow, state: ConsentState, start: ConsentStart, grant: TokenGrant
) -> tuple[Connected, Consented]:
    identity: Identity | None = None
    try:
        identity = _identify(flow, start, grant)
        given = _given(state, flow, grant, identity)
        return connecting.connect(
            onboarding.vaulting, state, given, onboarding.now(), onboarding.random
        ), given
    except RefusedError:
        _give_back(onboarding, flow, state, grant, identity)
        raise
    except ConnectorError as error:
        log.error("consent not stored: %s", error.detail)
        _give_back(onboarding, flow, state, grant, identity)
        raise RefusedError("internal") from None


def _identify(flow: ConsentFlow, start: ConsentStart, grant: TokenGrant) -> Identity | None:
    """Who consented; None where what was granted does not suffice to ask.

    Raises:
        RefusedError: the provider did not answer, or says that this person may not ask.
    """
    try:
        return flow.identify(start, grant)
    except ConsentRefusedError as error:
        raise RefusedError(error.refusal) from None
    except ConnectorError as error:
        if flow.missing_scopes(grant.granted_scopes):
            return None
        raise RefusedError(
            "not_administrator" if error.kind == "config" else "provider_unavailable"
        ) from None


def _given(state: ConsentState, flow: ConsentFlow, grant: TokenGrant, identity: Identity | None) -> Consented:
    """What was consented to.

    Raises:
        RefusedError: by a person who may not, or without a permission Lantern cannot work without.
    """
    missing = flow.missing_scopes(grant.granted_scopes)
    needs = registry.manifest(state.provider).scopes
    if identity is not None and identity.consumer:
        raise RefusedError("consumer_account")
    if required := missing & {need.scope for need in needs if need.required}:
        raise RefusedError("missing_permissions", _lost(state.provider, required))
    if identity is None:
        raise RefusedError("provider_unavailable")
    refusal = consent.judge_person(
        consumer=identity.consumer, admin=identity.admin, organisation_id=identity.organisation_id
    )
    if refusal is not None:
        raise RefusedError(refusal)
    provider = registry.manifest(state.provider).provider
    return Consented(provider, identity, grant.granted_scopes, missing, grant.secret)


def _lost(provider: str, missing: frozenset[str]) -> tuple[str, ...]:
    """What missing permissions cost, as sentences."""
    needs = (need for need in registry.manifest(provider).scopes if need.scope in missing)
    return tuple(f"{need.lost_without[:1].upper()}{need.lost_without[1:]} ({need.scope})." for need in needs)


def _give_back(
    onboarding: Onboarding,
    flow: ConsentFlow,
    state: ConsentState,
    grant: TokenGrant,
    identity: Identity | None,
) -> None:
    """Revoke a token that will not be used, unless that would end a connection that works.

    Providers end the whole consent of a person, not one token: another connection of the same
    organisation may live by it.
    """
    organisation = identity.organisation_id if identity else None
    try:
        if state.connection_id is not None or (
            organisation is not None and onboarding.platform.get_org(state.provider, organisation) is not None
        ):
            return
        flow.revoke(grant.secret)
    except LanternError as error:
        # The person is told of the first trouble; the token is in no store and dies unused.
        log.warning("token of a refused consent not given back: %s", type(error).__name__)


def _refused(
    onboarding: Onboarding,
    provider: str,
    refused: RefusedError,
    request: WebRequest,
    *,
    state: ConsentState | None = None,
    back: Return | None = None,
) -> Page:
    """The page of a refusal, and its trace: a line in the log, an entry in the tenant's audit chain."""
    names = {} if state is None else {"tenant_id": state.tenant_id, "connection_id": state.connection_id}
    about = {
        "event": "consent.refused",
        "reason": refused.refusal,
        "provider": pages.inert(provider),
        **names,
    }
    log.warning("consent refused: %s", refused.refusal, extra={**about, "reference": request.request_id})
    bound = state is not None and back is not None and consent.same_browser(state, back.browser_secret)
    again: str | None = onboarding.site.start(provider)
    if state is not None and state.tenant_id is not None:
        again = _trace(onboarding, state, refused, retry=bound and WORDINGS[refused.refusal].again)
    return pages.refused(
        provider,
        refused.refusal,
        again=again,
        reference=request.request_id,
        lost=refused.lost,
        known=state is not None and state.connection_id is not None,
    )


def _trace(onboarding: Onboarding, state: ConsentState, refused: RefusedError, *, retry: bool) -> str | None:
    """Record a refused consent of a tenant; a fresh link for the browser that opened the used-up one."""
    store, now = onboarding.tenant(state.tenant_id or ""), onboarding.now()
    actor, subject = state.by or "unknown", state.connection_id or store.tenant_id
    detail = {"provider": state.provider, "reason": refused.refusal}
    try:
        store.transact(now).audit(AuditEvent(actor, "consent.refused", subject, detail)).commit()
        if not retry:
            return None
        return create_link(
            store,
            onboarding.site,
            provider=registry.manifest(state.provider).provider,
            connection_id=state.connection_id,
            by=actor,
            now=now,
            random=onboarding.random,
        )
    except LanternError as error:
        log.error("refused consent not recorded: %s", type(error).__name__)
        return None
