"""What follows: access goes by a job, words are checked, nobody's silence counts who was not reached."""

from datetime import timedelta
from typing import Any

import pytest

from lantern.domain.nudges import Nudge
from lantern.domain.work import Work
from lantern.services.people.nudges import expire_due
from lantern.services.people.reaching import address_of
from tests.functional.people.test_nudges import ask, reply
from tests.support.company import DRIVE, Company


def stored(company: Company, nudge_id: str) -> Nudge:
    """The question as it stands."""
    found = company.bench.store.nudges.get(nudge_id)
    assert found is not None
    return found


def holds(company: Company, native: str = "alice", client: str = "otter") -> bool:
    """Whether the provider still lists the grant."""
    return client in company.bench.world.accounts[native].grants


def actions(company: Company, subject: str) -> list[str]:
    """What the audit log says of something."""
    return [one.action for one in company.bench.store.audit.entries() if one.subject == subject]


@pytest.mark.parametrize("said", ["revoke", "not_mine"])
def test_access_goes_by_one_job(company: Company, said: Any) -> None:
    """However often the message comes there is one job, asked for by the person, and the grant is gone."""
    nudge = ask(company).nudge
    reply(company, nudge.id, said)
    for _ in range(3):
        company.bench.do(Work(company.bench.store.tenant_id, "nudge.follow", body={"nudge_id": nudge.id}))
    company.bench.settle()
    assert not holds(company)
    jobs = company.bench.store.jobs.page(10).items
    assert [(one.requested_by, one.state, one.id) for one in jobs] == [
        (company.person("alice"), "done", stored(company, nudge.id).job_id)
    ]
    assert actions(company, nudge.id)[-1] == "nudge.revoking"


def test_silence_takes_the_access_away_only_after_a_message(company: Company) -> None:
    """Asked and silent: gone. Never reached: taken back, and nothing happens."""
    bench = company.bench
    asked, unreached = ask(company).nudge, ask(company, "bob").nudge
    bench.world.accounts["bob"].email = None
    bench.full()
    assert address_of(bench.store, company.person("bob")) is None
    bench.settle()
    assert stored(company, unreached.id).state == "withdrawn"
    assert actions(company, unreached.id)[-1] == "nudge.unreachable"
    bench.clock.forward(days=7)
    expire_due(bench.store, bench.clock.now())
    bench.settle()
    assert (holds(company), holds(company, "bob")) == (False, True)
    assert stored(company, asked.id).state == "expired"


def test_a_failed_message_is_no_silence(company: Company) -> None:
    """A mail that was refused for good ends the question without effect."""
    bench = company.bench
    nudge = ask(company).nudge
    for work in [work for _, work in bench.store.outbox.due(bench.clock.now() + timedelta(seconds=1))]:
        if work.kind == "nudge.send":
            bench.do(work)
    bench.clock.forward(days=7)
    (ended,) = expire_due(bench.store, bench.clock.now())
    assert ended.state == "withdrawn"
    assert actions(company, nudge.id)[-1] == "nudge.undelivered"
    assert holds(company)


def test_words_are_checked(company: Company) -> None:
    """Whoever says it is deleted is believed when the access is gone; else the log says that it is not."""
    bench = company.bench
    true, false = ask(company, kind="delete_account").nudge, ask(company, "bob", kind="delete_account").nudge
    reply(company, true.id, "deleted")
    reply(company, false.id, "deleted")
    bench.world.accounts["alice"].grants.pop("otter")
    bench.settle()
    for _ in range(4):
        bench.clock.forward(days=3)
        expire_due(bench.store, bench.clock.now())
        bench.settle()
    assert [stored(company, one.id).verified for one in (true, false)] == [True, False]
    assert actions(company, true.id)[-1] == "nudge.verified"
    assert actions(company, false.id)[-1] == "nudge.contradicted"
    assert not stored(company, false.id).waiting


def test_fewer_permissions_are_seen(company: Company) -> None:
    """Reconnected with less: verified by the scopes, not by the word."""
    bench = company.bench
    bench.world.consent("alice", "otter", DRIVE, "openid")
    bench.full()
    nudge = ask(company, kind="fewer_scopes").nudge
    reply(company, nudge.id, "reconnected")
    bench.world.consent("alice", "otter", "openid")
    bench.settle()
    bench.clock.forward(hours=1)
    expire_due(bench.store, bench.clock.now())
    assert stored(company, nudge.id).verified


def test_what_a_message_says_and_does_not_hold(company: Company) -> None:
    """Plain words and one address, which is in no stored item; presses carry the id of the question only."""
    bench = company.bench
    bench.world.consent("alice", "notion", DRIVE, "openid")
    bench.full()
    nudge = ask(company, client="notion").nudge
    bench.settle()
    kept = stored(company, nudge.id)
    delivery = bench.store.deliveries.get("people", kept.delivery_id or "")
    assert delivery is not None
    assert delivery.state == "sent"
    assert delivery.message is not None
    assert delivery.message.title == "Do you still need Notion <img onerror=alert(1)>?"
    assert [one.url for one in delivery.message.buttons if one.url] == [f"link:nudge/{nudge.id}"]
    assert [one.action for one in delivery.message.buttons if one.action] == [
        "nudge.revoke",
        "nudge.not_mine",
    ]
    assert {one.value for one in delivery.message.buttons if one.action} == {nudge.id}
    (mail,) = [one for one in bench.channels.email.sent if one.key == delivery.id]
    assert "https://lantern.example/dev/n/" in mail.text
    assert mail.to == "alice@example.com"
