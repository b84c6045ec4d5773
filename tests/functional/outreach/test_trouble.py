"""Channels that do not work: nothing critical is lost, nobody is stormed, an administrator sees it."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from lantern.channels.protocol import Sent
from lantern.domain.alerts import AlertChannel
from lantern.domain.errors import ConnectorError
from lantern.domain.findings import FindingStatus
from lantern.domain.messages import Outgoing
from lantern.domain.work import Work
from lantern.services import decisions
from lantern.services.outreach import settings
from tests.functional.outreach.test_channels import a_critical
from tests.functional.outreach.test_webhooks import a_finding, use
from tests.support.tenant import Bench

REVOKED = Sent("refused", 200, "token_revoked")


def slack_and_teams(bench: Bench) -> tuple[AlertChannel, AlertChannel]:
    cid, _ = bench.connect("slack")
    bench.channels.secrets[cid] = "xoxb-1"
    slack = AlertChannel("", "slack", "security", ("C0123456789",), cid)
    made = settings.add_channel(use(bench), slack, None)
    teams = settings.add_channel(use(bench), AlertChannel("", "teams", "it"), "https://prod.example.com/w")
    bench.settle()
    return made, teams


def wait(bench: Bench, **time: float) -> None:
    """Time passes with the tenant's quarter-hourly sweep."""
    end = bench.clock.now() + timedelta(**time)
    while bench.clock.now() < end:
        bench.clock.forward(minutes=15)
        bench.do(Work(bench.store.tenant_id, "outreach.due"))
        bench.settle()


def said_of(messages: list[Outgoing], number: int) -> int:
    return sum(f"App {number} is abused" in one.payload + one.text for one in messages)


def test_a_revoked_token_loses_nothing_storms_nobody_and_is_told_elsewhere(bench: Bench):
    slack, _ = slack_and_teams(bench)
    bench.channels.slack.answer = lambda _m: REVOKED
    a_critical(bench, 1)
    a_finding(bench, 7)
    bench.settle()
    wait(bench, hours=12)
    assert said_of(bench.channels.teams.sent, 1) == 1, "another channel has it at once"
    assert sum("cannot reach the channel" in one.payload for one in bench.channels.teams.sent) == 1
    assert "connect Slack again" in next(m.payload for m in bench.channels.teams.sent if "reach" in m.payload)
    health = bench.store.alerts.health(slack.id)
    assert (health.state, health.detail) == ("broken", "token_revoked")
    assert 5 <= len(bench.channels.slack.sent) <= 40, "tried now and then"
    before = len(bench.channels.slack.sent)
    a_critical(bench, 2)
    bench.do(Work(bench.store.tenant_id, "outreach.due"))
    assert len(bench.channels.slack.sent) > before, "what is critical and new is tried at once"
    assert said_of(bench.channels.slack.sent[before:], 2) == 1

    bench.channels.slack.answer = lambda _m: Sent("sent", 200)
    tried = len(bench.channels.slack.sent)
    wait(bench, hours=26)
    arrived = bench.channels.slack.sent[tried:]
    assert [said_of(arrived, number) for number in (1, 2)] == [1, 1], "once each, when it works again"
    assert sum("App 7 is not sanctioned" in one.payload for one in arrived) == 1
    assert bench.store.alerts.health(slack.id).state == "working"
    assert [e.action for e in bench.store.audit.entries()].count("channel.broken") == 1


def test_a_provider_that_is_down_for_two_days_gets_it_all_in_the_end(bench: Bench):
    slack, _ = slack_and_teams(bench)
    bench.channels.slack.answer = lambda _m: Sent("retry", 503, "status_503")
    a_critical(bench, 1)
    bench.settle()
    wait(bench, hours=2)
    assert bench.store.alerts.health(slack.id).state == "failing"
    wait(bench, hours=48)
    assert bench.store.alerts.health(slack.id).state == "broken"
    failed = len(bench.channels.slack.sent)
    bench.channels.slack.answer = lambda _m: Sent("sent", 200)
    wait(bench, hours=14)
    assert said_of(bench.channels.slack.sent[failed:], 1) == 1


def test_one_of_two_addresses_that_is_refused_takes_the_other_nothing(bench: Bench):
    bench.store.connections.put(replace(bench.connection, domains=("acme.example",)))
    wanted = AlertChannel("", "email", "it", ("ada@acme.example", "bob@acme.example"))
    channel = settings.add_channel(use(bench), wanted, None)
    bench.settle()
    refused = Sent("refused", 400, "MessageRejected")
    bench.channels.email.answer = lambda m: refused if m.to.startswith("bob") else Sent("sent", 200)
    a_critical(bench, 1)
    bench.settle()
    wait(bench, hours=3)
    assert [one.to[:3] for one in bench.channels.email.sent] == ["ada", "bob"], "nothing is told twice"
    assert bench.store.alerts.health(channel.id).state == "failing"
    bench.channels.email.answer = lambda _m: refused
    a_critical(bench, 2)
    bench.do(Work(bench.store.tenant_id, "outreach.due"))
    assert bench.store.alerts.health(channel.id).state == "broken"
    bench.channels.email.answer = lambda _m: Sent("sent", 200)
    sent = len(bench.channels.email.sent)
    wait(bench, minutes=30)
    assert [said_of([one], 2) for one in bench.channels.email.sent[sent:]] == [1, 1]


@pytest.mark.parametrize("how", ["test", "change"])
def test_what_an_administrator_mends_speaks_at_once(bench: Bench, how: str):
    slack, _ = slack_and_teams(bench)
    bench.channels.slack.answer = lambda _m: REVOKED
    a_critical(bench, 1)
    bench.settle()
    wait(bench, hours=5)
    bench.channels.slack.answer = lambda _m: Sent("sent", 200)
    tried = len(bench.channels.slack.sent)
    current = settings.channel(bench.store, slack.id)
    if how == "test":
        settings.try_channel(use(bench), current)
    else:
        settings.change_channel(use(bench), current, None)
    bench.settle()
    assert said_of(bench.channels.slack.sent[tried:], 1) == 1


def test_a_channel_switched_off_while_a_message_waits_says_it_when_switched_on(bench: Bench):
    slack, _ = slack_and_teams(bench)
    bench.channels.slack.answer = lambda _m: Sent("retry", 503, "status_503")
    a_critical(bench, 1)
    bench.settle()
    off = settings.change_channel(use(bench), replace(slack, enabled=False), None)
    wait(bench, hours=1)
    tried = len(bench.channels.slack.sent)
    bench.channels.slack.answer = lambda _m: Sent("sent", 200)
    settings.change_channel(use(bench), replace(off, enabled=True), None)
    bench.settle()
    assert said_of(bench.channels.slack.sent[tried:], 1) == 1


def test_forty_critical_findings_of_forty_apps_are_all_there_to_read(bench: Bench):
    slack_and_teams(bench)
    for number in range(40):
        a_critical(bench, number)
    bench.do(Work(bench.store.tenant_id, "outreach.due"))
    for channel in (bench.channels.slack, bench.channels.teams):
        assert [said_of(channel.sent, number) for number in range(40)] == [1] * 40
        assert len(channel.sent) == 2


def test_a_tenant_whose_only_connection_stopped_working_is_looked_after_all_the_same(bench: Bench):
    found = a_finding(bench, 3)
    until = bench.clock.now() + timedelta(hours=2)
    decisions.snooze(bench.store, found, until=until, note="", by="key:a", now=bench.clock.now())
    bench.settle()

    def refused(*_: object) -> object:
        raise ConnectorError("config", "Our access was taken back.")

    bench.wrap = lambda connector: SimpleNamespace(manifest=connector.manifest, changes=refused)
    bench.clock.forward(hours=2, minutes=1)
    bench.do(Work(bench.store.tenant_id, "connection.changes", bench.connection_id))
    assert bench.connection.status == "needs_attention"
    assert "outreach.due" in [work.kind for work in bench.sent]
    bench.do(Work(bench.store.tenant_id, "outreach.due"))
    stored = bench.store.findings.get(found.id)
    assert stored
    assert stored.status is FindingStatus.OPEN
