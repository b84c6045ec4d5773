"""What outreach works with: the tenant's store, its secrets, and the ways out; one per process."""

import random
import secrets
from functools import cache
from typing import Any

from lantern.channels import slack_reply
from lantern.channels.protocol import Channel
from lantern.connectors.protocol import Deadline
from lantern.domain.messages import ChannelKind
from lantern.domain.work import Work
from lantern.runtime import settings as environment
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
        return vault.open_(_kms(tenant_id), key_id, tenant_id, secret_id, sealed)

    def link(url: str) -> str:
        site = wiring_platform.settings().public_base_url
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
        back=slack_reply.tell,
        site=wiring_platform.settings().public_base_url,
    )


@cache
def channel(kind: ChannelKind) -> Channel:
    """The way out of a kind."""
    raise environment.SettingsError(f"no channel {kind}")


def _send(work: Work, delay_s: float) -> None:
    wiring_platform.work_queue().send(work, int(delay_s))


@cache
def _kms(tenant_id: str) -> Any:
    session = wiring.tenant_session(tenant_id)
    if session.aws is None:
        raise environment.SettingsError("secrets are unsealed on the tenant's own role only")
    chosen = wiring_platform.settings()
    return session.aws.create_client(
        "kms",
        region_name=chosen.region,
        endpoint_url=chosen.endpoint_url,
        config=wiring_platform.CLIENT_CONFIG,
    )


def reset() -> None:
    """Forget everything, so that the next use reads the environment anew."""
    for made in (channel, _kms):
        made.cache_clear()
