"""Messages of playbooks, questions, incidents, reviews and deliveries, for workers that die at them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from lantern.domain import ids
from lantern.domain.alerts import AlertChannel
from lantern.domain.campaigns import Campaign, CampaignScope
from lantern.domain.incidents import Notice
from lantern.domain.jobs import Guards
from lantern.domain.playbooks.machine import About, PlaybookRun
from lantern.domain.webhooks import Endpoint
from lantern.domain.work import Work
from lantern.services import playbooks
from lantern.services.people import campaigns
from lantern.services.people.campaigns import Ruling
from lantern.services.people.nudges import answer_nudge
from tests.support.google_world import CUSTOMER
from tests.support.lab import Lab


def _read(lab: Lab) -> None:
    """Everybody was read, and it is a weekday morning on which nothing is left to do."""
    lab.do(Work(lab.store.tenant_id, "connection.full", lab.connection_id))
    lab.settle()
    lab.clock.forward(minutes=30)
    channel = AlertChannel("chn_1", "email", "Security", to=("sec@example.com",))
    endpoint = Endpoint("whe_1", "tickets.example", lab.clock.now(), "key:a", events=("playbook.ticket",))
    alerts = lab.store.alerts
    lab.channels.secrets |= {"whe_1.url": "https://tickets.example/hook", "whe_1.s1": "whsec_c2VjcmV0"}
    lab.store.transact(lab.clock.now()).put(alerts.channel_op(channel), alerts.endpoint_op(endpoint)).commit()


def _two(lab: Lab) -> tuple[str, ...]:
    """A grant of each of two people."""
    users = [user for user in lab.world.org.users if user is not lab.world.org.admin][:2]
    return tuple(
        ids.grant_id(ids.principal_id("google", CUSTOMER, user.id), ids.app_id("google", grant.client_id))
        for user in users
        for grant in lab.world.org.grants.held_by(user)[:1]
    )


def _start(lab: Lab, name: str, about: About, *, allowed: bool = True) -> PlaybookRun:
    book = lab.knowledge.books.get(name)
    run = playbooks.start(
        lab.store,
        replace(book, window=None, guards=Guards(50, None, 0)),
        about=about,
        requested_by="key:a",
        now=lab.clock.now(),
        random=lab.rng.randbytes,
    ).run
    return playbooks.approve(lab.store, run.id, "key:b", lab.clock.now()) if allowed else run


def _next(lab: Lab, kind: str) -> Work:
    """The next message of a kind; what comes before it is done."""
    while True:
        lab.drain_outbox()
        found = [one for one in lab.sent if one.kind == kind]
        if found:
            lab.sent.remove(found[0])
            return found[0]
        lab.do(lab.sent.pop(0))


def run_acts(lab: Lab) -> Work:
    """An approved run makes its jobs."""
    _read(lab)
    _start(lab, "abused-app", About(grant_ids=_two(lab)))
    return _next(lab, "playbook.run")


def run_job(lab: Lab) -> Work:
    """A job of a run acts, and tells the run."""
    _read(lab)
    _start(lab, "abused-app", About(grant_ids=_two(lab)))
    return _next(lab, "job.run")


def run_cancelled(lab: Lab) -> Work:
    """A run that has asked is cancelled: questions are taken back, targets ended."""
    _read(lab)
    run = _start(lab, "stale-grant-clean-up", About(grant_ids=_two(lab)))
    lab.settle()
    playbooks.cancel(lab.store, run.id, "key:c", lab.clock.now())
    return _next(lab, "playbook.run")


def run_asks(lab: Lab) -> Work:
    """A run asks the holders."""
    _read(lab)
    _start(lab, "stale-grant-clean-up", About(grant_ids=_two(lab)))
    return _next(lab, "playbook.run")


def nudge_answered(lab: Lab) -> Work:
    """One holder gives it up, the other keeps it; the run hears of it."""
    _read(lab)
    _start(lab, "stale-grant-clean-up", About(grant_ids=_two(lab)))
    lab.settle()
    first, second = sorted(lab.store.nudges.page("open", 9).items, key=lambda one: one.grant_id or "")
    now = lab.clock.now()
    answer_nudge(lab.store, first.id, "revoke", via="api", by="per_a", now=now)
    answer_nudge(lab.store, second.id, "keep", reason="daily", via="api", by="per_b", now=now)
    return _next(lab, "playbook.run")


def run_tells(lab: Lab) -> Work:
    """A ticket is opened by webhook for what nobody answered."""
    _read(lab)
    _start(lab, "unsanctioned-app", About(grant_ids=_two(lab)))
    lab.settle()
    for nudge in lab.store.nudges.page("open", 9).items:
        answer_nudge(lab.store, nudge.id, "keep", reason="work", via="api", by="per_a", now=lab.clock.now())
    return _next(lab, "playbook.run")


def offboarding(lab: Lab) -> Work:
    """Somebody left: sessions and grants go by one approval."""
    _read(lab)
    principal = ids.split_grant_id(_two(lab)[0])
    assert principal is not None
    bundle = lab.store.bundles.get(lab.connection_id, principal[0])
    assert bundle is not None
    _start(lab, "departed-employee", About(person_id=bundle.principal.person_id))
    return _next(lab, "playbook.run")


def incident(lab: Lab) -> Work:
    """What operators raised reaches the tenant with its next message."""
    _read(lab)
    row = next(one for one in lab.store.apps.summary() if one.vendor)
    vendor = lab.knowledge.reference.vendor_id(row.vendor or "")
    now = lab.clock.now()
    lab.platform.notices.add(Notice("inc_ops1", vendor, now - timedelta(days=1), "Breach", now, "operator:x"))
    lab.clock.forward(hours=1)
    return Work(lab.store.tenant_id, "incident.follow", lab.connection_id)


def campaign_closing(lab: Lab) -> Work:
    """A review ends: silence first, then the job for what was not kept."""
    _read(lab)
    now = lab.clock.now()
    apps = tuple(pair[1] for one in _two(lab) if (pair := ids.split_grant_id(one)) is not None)
    person = next(iter(lab.store.bundles.all(lab.connection_id))).principal.person_id
    draft = Campaign(
        id="cam_1", name="Spring", state="building", scope=CampaignScope(app_ids=apps), review_by="named",
        reviewers=(person,), silence="revoke", created_by="key:a", created_at=now,
        due=now + timedelta(days=7), next_at=now + campaigns.STALLED,
    )  # fmt: skip
    campaigns.create(lab.store, draft, now)
    lab.settle()
    first = next(iter(lab.store.campaigns.items("cam_1")))
    _decide(lab, Ruling(first.id, "keep", "needed"))
    open_ = lab.store.campaigns.get("cam_1")
    assert open_ is not None
    campaigns.close(lab.store, open_, by="key:a", now=lab.clock.now())
    return _next(lab, "campaign.close")


def _decide(lab: Lab, ruling: Ruling) -> None:
    campaigns.decide(lab.store, "cam_1", [ruling], by="key:a", now=lab.clock.now())


def webhook_delivery(lab: Lab) -> Work:
    """A ticket goes to its endpoint: perhaps twice, then under one id."""
    _read(lab)
    _start(lab, "unsanctioned-app", About(grant_ids=_two(lab)))
    lab.settle()
    for nudge in lab.store.nudges.page("open", 9).items:
        answer_nudge(lab.store, nudge.id, "keep", reason="work", via="api", by="per_a", now=lab.clock.now())
    return _next(lab, "outreach.deliver")


PLAYED = (
    *(run_acts, run_job, run_asks, run_cancelled, run_tells, nudge_answered),
    *(offboarding, incident, campaign_closing, webhook_delivery),
)


def played(lab: Lab) -> dict[str, Any]:
    """Everything about them that must not depend on whether a worker died: no random ids, no instants."""
    store = lab.store
    runs = store.playbooks.page(50).items
    acted = sorted(
        (job.kind, action.target_id, action.state)
        for job in store.jobs.page(50).items
        for action in store.jobs.actions(job.id)
    )
    nudges = [one for state in ("open", "closed") for one in store.nudges.page(state, 50).items]
    deliveries = [one for target in ("chn_1", "whe_1") for one in store.deliveries.page(target, 50).items]
    campaign = store.campaigns.get("cam_1")
    return {
        "runs": sorted((r.book.id, r.state, r.approval, tuple(sorted(r.counts.items()))) for r in runs),
        "ways": sorted(
            (run.book.id, one.target_id, one.phase, tuple((m.step, m.answer) for m in one.trail))
            for run in runs
            for one in store.playbooks.targets(run.id)
        ),
        "acted": acted,
        "nudges": sorted((one.kind, one.grant_id or "", one.state, one.answer or "") for one in nudges),
        "deliveries": sorted((d.target_id, d.purpose, d.event_type or "", d.state) for d in deliveries),
        # Sent twice perhaps, under one id.
        "hooks": len({one.key for one in lab.channels.webhook.sent}),
        "incidents": [(i.id, i.people, i.grants, bool(i.run_id)) for i in store.incidents.page(9).items],
        "campaign": None if campaign is None else (campaign.state, campaign.counts, len(campaign.jobs)),
    }
