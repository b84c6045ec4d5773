"""What the guidance of people does with each kind of work message: from stored state, safe to repeat."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lantern.domain.work import Work, WorkKind
from lantern.services.people import campaigns, nudges, requests, sending
from lantern.services.people.explain import Classes
from lantern.services.people.follow import follow
from lantern.store.tenant import TenantStore

KINDS: Final[frozenset[WorkKind]] = frozenset(
    {"people.due", "nudge.follow", "nudge.send", "campaign.build", "campaign.tell", "campaign.close"}
)


@dataclass(frozen=True, slots=True)
class Guiding:
    """One message's tools: the tenant's store, what scopes reach, time."""

    store: TenantStore
    scopes: Classes
    now: Callable[[], datetime]


def handle(task: Guiding, work: Work) -> None:
    """Do one message's work."""
    verbs: Mapping[WorkKind, Callable[[], object]] = {
        "people.due": lambda: sweep(task),
        "nudge.follow": lambda: follow(task.store, task.scopes, work.body["nudge_id"], task.now()),
        "nudge.send": lambda: sending.send_nudge(task.store, task.scopes, work.body["nudge_id"], task.now()),
        "campaign.build": lambda: campaigns.build(
            task.store, task.scopes, work.body["campaign_id"], task.now()
        ),
        "campaign.tell": lambda: campaigns.tell_reviewers(
            task.store, work.body["campaign_id"], work.body.get("after", ""), task.now()
        ),
        "campaign.close": lambda: campaigns.finish(task.store, work.body["campaign_id"], task.now()),
    }
    verbs[work.kind]()


def sweep(task: Guiding) -> None:
    """Whatever is due among questions, requests and reviews."""
    nudges.expire_due(task.store, task.now())
    requests.sweep(task.store, task.now())
    campaigns.sweep(task.store, task.now())
