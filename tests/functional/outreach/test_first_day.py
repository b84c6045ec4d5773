"""A first day: hundreds of findings, a handful of messages, nothing critical missing."""

from datetime import time, timedelta

from lantern.domain.alerts import AlertChannel, AlertSettings, QuietHours
from lantern.domain.findings import FindingStatus
from lantern.domain.rules.vocabulary import Severity
from lantern.domain.work import Work
from tests.functional.crash.scenarios import people
from tests.support.google_world import GoogleWorld
from tests.support.lab import Lab, make_lab

CHANNELS = (
    AlertChannel("chn_slack", "slack", "security", ("C12345678",), "con_slack"),
    AlertChannel("chn_mail", "email", "it", ("it@example.com",), instant=Severity.CRITICAL),
)


def prepared(lab: Lab) -> None:
    lab.channels.secrets["con_slack"] = "xoxb-1"
    alerts = lab.store.alerts
    settings = AlertSettings("Europe/Berlin", QuietHours(time(20), time(7), weekends=True))
    unit = lab.store.transact(lab.clock.now()).put(alerts.settings_op(settings))
    for channel in CHANNELS:
        unit.put(alerts.channel_op(channel))
    unit.commit()


def test_ten_messages_at_most_and_every_critical_finding(knowledge, record_property):
    with GoogleWorld.make().closing() as world:
        world.begin(5, employees=40, grants_per_user=20, long_tail=120, events_per_user_day=0)
        lab = make_lab(world, knowledge, 5)
        prepared(lab)
        start = lab.clock.now()
        lab.full()
        abused = people(lab)[:3]
        while lab.clock.now() < start + timedelta(hours=24):
            lab.clock.forward(minutes=15)
            lab.do(Work(lab.store.tenant_id, "connection.changes", lab.connection_id))
            lab.settle()
            if abused and lab.clock.now() > start + timedelta(hours=3):
                lab.world.control.grant(abused.pop().id, "ChatGPT", scopes=["https://mail.google.com/"])
        found = [one for status in FindingStatus for one in lab.store.findings.with_status(status.value)]
        critical = [one for one in found if one.severity is Severity.CRITICAL]
        messages = lab.channels.people
        record_property("findings", len(found))
        record_property("messages", len(messages))
        assert len(found) > 100
        assert critical
        assert len(messages) <= 10, [one.text or one.subject for one in messages]
        for channel in (lab.channels.slack, lab.channels.email):
            said = "\n".join(one.payload or one.text for one in channel.sent)
            assert [one.title for one in critical if one.title not in said] == []
