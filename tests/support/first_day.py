"""The first day of an organisation: what two channels are told of all that is found at once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any

from lantern.domain.alerts import AlertChannel, AlertSettings, QuietHours
from lantern.domain.findings import FindingStatus
from lantern.domain.messages import Outgoing
from lantern.domain.rules.vocabulary import Severity
from lantern.domain.work import Work
from lantern.services.scoring.knowledge import Knowledge
from tests.functional.crash.scenarios import people
from tests.support.google_world import GoogleWorld
from tests.support.lab import Lab, make_lab

CHANNELS = (
    AlertChannel("chn_slack", "slack", "security", ("C12345678",), "con_slack"),
    AlertChannel("chn_mail", "email", "it", ("it@example.com",), instant=Severity.CRITICAL),
)
HOURS = 24
_ABUSED = "https://mail.google.com/"


@dataclass(frozen=True)
class FirstDay:
    """What was found and what was told, by channel; `missing` are critical titles that a channel lacks."""

    findings: int
    critical: int
    by_channel: dict[str, int]
    missing: dict[str, list[str]]
    messages: list[Outgoing]


def prepare(lab: Lab) -> None:
    """Two channels as they come, quiet by night and on weekends."""
    lab.channels.secrets["con_slack"] = "xoxb-1"
    alerts = lab.store.alerts
    settings = AlertSettings("Europe/Berlin", QuietHours(time(20), time(7), weekends=True))
    unit = lab.store.transact(lab.clock.now()).put(alerts.settings_op(settings))
    for channel in CHANNELS:
        unit.put(alerts.channel_op(channel))
    unit.commit()


def first_day(
    knowledge: Knowledge, seed: int, step: Callable[[int], Any] = lambda _hour: None, **spec: Any
) -> FirstDay:
    """Connect an organisation, and let a day pass in which people give an app all their mail.

    Args:
        knowledge: what a release knows.
        seed: of the organisation.
        step: told each hour that passed.
        spec: the organisation, as `OrgSpec` has it.
    """
    with GoogleWorld.make().closing() as world:
        world.begin(seed, **spec)
        lab = make_lab(world, knowledge, seed)
        prepare(lab)
        start = lab.clock.now()
        lab.full()
        abused = people(lab)[:3]
        while lab.clock.now() < start + timedelta(hours=HOURS):
            lab.clock.forward(minutes=15)
            lab.do(Work(lab.store.tenant_id, "connection.changes", lab.connection_id))
            lab.settle()
            passed = lab.clock.now() - start
            if abused and passed > timedelta(hours=3):
                lab.world.control.grant(abused.pop().id, "ChatGPT", scopes=[_ABUSED])
            step(int(passed.total_seconds() // 3600))
        return _seen(lab)


def _seen(lab: Lab) -> FirstDay:
    found = [one for status in FindingStatus for one in lab.store.findings.with_status(status.value)]
    critical = [one.title for one in found if one.severity is Severity.CRITICAL]
    ways = {"slack": lab.channels.slack.sent, "email": lab.channels.email.sent}
    said = {name: "\n".join(one.payload or one.text for one in sent) for name, sent in ways.items()}
    return FirstDay(
        findings=len(found),
        critical=len(critical),
        by_channel={name: len(sent) for name, sent in ways.items()},
        missing={name: [title for title in critical if title not in text] for name, text in said.items()},
        messages=lab.channels.people,
    )
