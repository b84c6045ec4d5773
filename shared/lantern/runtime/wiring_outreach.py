"""What outreach works with: the tenant's store, its secrets, and the ways out; one per process."""

import random
import secrets
from functools import cache, partial

from lantern.channels import slack_reply
from lantern.channels.protocol import Channel
from lantern.connectors.protocol import Deadline
from lantern.domain.errors import NotFoundError
from lantern.domain.messages import ChannelKind
from lantern.domain.person_links import marked as link_of
from lantern.domain.work import Work
from lantern.runtime import wiring, wiring_platform
from lantern.runtime.clock import CLOCK
from lantern.services import vault
from lantern.services.outreach.task import Outreach
from lantern.services.people.links import filled


def outreach(tenant_id: str, deadline: Deadline) -> Outreach:
    """The tools of one message."""
    store = wiring.tenant_store(tenant_id)

    def unseal(secret_id: str) -> str | None:
        sealed = store.secrets.get(secret_id)
        if sealed is None:
            return None
        key_id = wiring_platform.settings().secrets_key_id
        return vault.open_(wiring.kms(tenant_id), key_id, tenant_id, secret_id, sealed)

    def link(url: str) -> str:
        site = wiring_platform.settings().public_base_url
        if not site and link_of(url):
            raise NotFoundError("address", "PUBLIC_BASE_URL")
        return filled(store, site, url, now=CLOCK.now(), random=secrets.token_bytes)

    return Outreach(
        store=store,
        clock=CLOCK,
        deadline=deadline,
        send=_send,
        channel=channel,
        unseal=unseal,
        luck=random.SystemRandom().random,
        link=link,
        back=partial(slack_reply.tell, base=wiring_platform.settings().provider_endpoints.get("slack", "")),
        site=wiring_platform.settings().public_base_url,
    )


@cache
def channel(kind: ChannelKind) -> Channel:
    """The way out of a kind, made when it is first used: most messages need one of four."""
    chosen = wiring_platform.settings()
    elsewhere = chosen.provider_endpoints
    if kind == "email":
        from lantern.channels.email import EmailChannel

        return EmailChannel(wiring_platform.client("sesv2"), chosen.alert_sender, chosen.alert_configuration)
    if kind == "slack":
        from lantern.channels.slack import API, SlackChannel, new_session

        base = elsewhere.get("slack")
        return SlackChannel(new_session(), f"{base}/api" if base else API)
    from lantern.channels.safe_http import RelayPoster, SafePoster
    from lantern.channels.teams import TeamsChannel
    from lantern.channels.webhook import WebhookChannel

    relay = elsewhere.get("webhooks")
    poster = RelayPoster(relay) if relay else SafePoster()
    return TeamsChannel(poster) if kind == "teams" else WebhookChannel(poster)


def _send(work: Work, delay_s: float) -> None:
    wiring_platform.work_queue().send(work, int(delay_s))


def reset() -> None:
    """Forget everything, so that the next use reads the environment anew."""
    channel.cache_clear()
