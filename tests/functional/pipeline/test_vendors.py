"""Operators publish what changed in a vendor's profile: who uses the vendor is told, nobody else."""

from typing import Any

import pytest

from lantern.domain import ids
from lantern.domain.errors import RevisionConflictError
from lantern.domain.findings import Finding
from lantern.domain.vendor_overlay import read_date, read_field, read_value
from lantern.domain.vendors import Told
from lantern.domain.work import Work
from lantern.services.catalog_layers import OperatorCatalog
from lantern.services.scoring import following, score
from lantern.services.scoring.knowledge import Knowledge
from lantern.services.vendor_publishing import Author, Saying, VendorPlan, plan_saying, plan_taking_back
from tests.functional.pipeline.test_pipeline import CHATGPT, DRIVE
from tests.support.memory_table import MemoryDynamo
from tests.support.tables import create_tables
from tests.support.tenant import Bench, make_bench

TERMS = "https://openai.com/policies/terms-of-2026"


def settle(bench: Bench, *, with_openai: bool) -> Bench:
    """Have two people read and judged, one of whom may use ChatGPT."""
    bench.operators = operators(bench)
    for person in ("u001", "u002"):
        bench.world.add(person, "slack-client")
    bench.world.names |= {"slack-client": "Slack", CHATGPT: "ChatGPT"}
    if with_openai:
        bench.world.consent("u001", CHATGPT, "openid", DRIVE)
    bench.full()
    return bench


@pytest.fixture
def dynamo() -> MemoryDynamo:
    return MemoryDynamo()


@pytest.fixture
def user(dynamo: MemoryDynamo, knowledge: Knowledge) -> Bench:
    """A tenant that uses OpenAI."""
    bench = make_bench(dynamo.client, create_tables(dynamo.client()), knowledge)
    return settle(bench, with_openai=True)


@pytest.fixture
def other(user: Bench, dynamo: MemoryDynamo, knowledge: Knowledge) -> Bench:
    """A tenant under the same operators that does not."""
    names = ("TenantTable", "PlatformTable")
    bench = make_bench(dynamo.client, names, knowledge, "zyxwvutsrq9876543210")
    return settle(bench, with_openai=False)


def operators(bench: Bench) -> OperatorCatalog:
    current = bench.platform.catalog.current
    return OperatorCatalog(bench.knowledge.catalog, current, bench.clock.monotonic)


def say(bench: Bench, field: str, value: str, *, source: str = TERMS, date: str = "") -> VendorPlan:
    """What `catalog vendor set openai` does."""
    reference, now = bench.knowledge.reference, bench.clock.now()
    profile = reference.vendor_by_id("openai")
    assert profile is not None
    what = read_field(field)
    day = read_date(date or now.date().isoformat(), now.date())
    saying = Saying(what, read_value(what, value), Told(source, day))
    before = bench.platform.catalog.current()
    made = plan_saying(before, reference, profile, saying, Author("opr_x", now, ""))
    if made.line is not None:
        bench.platform.catalog.publish(made.published, made.line)
    return made


def take_back(bench: Bench, edit_id: str) -> None:
    before, reference = bench.platform.catalog.current(), bench.knowledge.reference
    (edit,) = (one for one in before.vendors if one.id == edit_id)
    profile = reference.vendor_by_id(edit.vendor_id)
    assert profile is not None
    made = plan_taking_back(before, reference, profile, edit, Author("opr_x", bench.clock.now(), "n"))
    assert made.line is not None
    bench.platform.catalog.publish(made.published, made.line)


def poll(bench: Bench) -> None:
    bench.do(Work(bench.store.tenant_id, "connection.changes", bench.connection_id))
    bench.settle()


def holding(bench: Bench, rule: str) -> list[Finding]:
    return [one for one in bench.findings(rule) if one.holds]


def training(bench: Bench) -> str:
    (one,) = holding(bench, "vendor-trains-on-data")
    return one.severity.value


def assessment(bench: Bench) -> str:
    risk = bench.store.apps.view(ids.app_id("google", CHATGPT)).risk
    assert risk is not None
    return str(risk.body["assessment"])


def revisions(bench: Bench) -> dict[str, int]:
    return {one.app_id: one.risk.rev for one in bench.store.apps.all_views() if one.risk}


def test_who_uses_the_vendor_is_told_old_and_new_value_source_and_date(user: Bench, other: Bench) -> None:
    before, risks, elsewhere = assessment(user), revisions(user), revisions(other)
    assert training(user) == "medium", "of people's own accounts it says so as shipped"
    day = user.clock.now().date().isoformat()
    say(user, "trains_on_business_data", "yes")
    for bench in (user, other):
        poll(bench)

    (told,) = holding(user, "vendor-policy-changed")
    assert told.title == (
        f"OpenAI changed how it treats data: trains on business data: no → yes ({day}, {TERMS})"
    )
    assert (told.severity, told.group.id) == ("high", ids.app_id("google", CHATGPT))
    assert training(user) == "high"
    (note,) = user.store.vendors_seen.get()[0]["openai"].changes
    assert (note.what, note.before, note.after) == ("trains_on_business_data", "no", "yes")
    assert (note.source, note.date, note.on) == (TERMS, day, user.clock.now().date())
    # Its risk follows, and that of nothing else.
    assert assessment(user) != before
    assert {a for a, rev in revisions(user).items() if risks[a] != rev} == {ids.app_id("google", CHATGPT)}
    # Who does not use it follows too, and has nothing to be told.
    applied = other.store.catalog.applied()
    assert applied is not None
    assert applied.operators == 1
    assert revisions(other) == elsewhere
    assert [f for f in other.findings() if f.rule_id.startswith("vendor-") and f.holds] == []
    assert "openai" not in other.store.vendors_seen.get()[0]


def test_polls_and_repeated_messages_change_nothing_more(
    user: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(user, "retention", "90 days")
    poll(user)
    revs = {f.id: f.rev for f in user.findings()}
    user.do(Work(user.store.tenant_id, "score.catalog", body={"operators": "1"}))
    poll(user)
    user.do(Work(user.store.tenant_id, "score.whole"))
    assert {f.id: f.rev for f in user.findings()} == revs
    assert say(user, "retention", "90").line is None
    assert user.platform.catalog.version() == 1


def test_a_message_that_died_after_noting_the_change_tells_it_when_it_comes_again(
    user: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(user, "ownership", "subsidiary, CN, Big Holding")

    def dies(*_: Any, **__: Any) -> int:
        raise RevisionConflictError("crash")

    message = Work(user.store.tenant_id, "score.catalog", body={"operators": "1"})
    with monkeypatch.context() as broken:
        broken.setattr(following, "write", dies)
        broken.setattr(score, "score_apps", lambda *_: 0)
        with pytest.raises(RevisionConflictError):
            user.do(message)
    assert user.store.vendors_seen.get()[0]["openai"].changes
    assert holding(user, "vendor-ownership-changed") == []
    user.do(message)
    (told,) = holding(user, "vendor-ownership-changed")
    assert "→ subsidiary, CN, Big Holding (" in told.title
    assert told.severity == "high", "no adequacy decision covers that country"
    user.settle()


def test_what_is_taken_back_holds_no_more_and_ends_what_it_raised(user: Bench) -> None:
    before = assessment(user)
    say(user, "trains_on_business_data", "yes")
    poll(user)
    take_back(user, "openai/trains_on_business_data")
    poll(user)
    assert assessment(user) == before
    assert training(user) == "medium"
    assert [(c.before, c.after) for c in user.store.vendors_seen.get()[0]["openai"].changes] == [
        ("no", "yes"),
        ("yes", "no"),
    ]


def test_publishing_and_taking_back_between_two_polls_settles(user: Bench) -> None:
    say(user, "soc2", "no")
    poll(user)
    say(user, "dpa", "no")
    take_back(user, "openai/dpa")
    poll(user)
    assert user.store.catalog.applied().operators == 3  # type: ignore[union-attr] # it was applied
    user.do(Work(user.store.tenant_id, "connection.changes", user.connection_id))
    assert [work.kind for work in user.sent if work.kind == "score.catalog"] == []
    assert holding(user, "vendor-policy-changed") == [], "a certificate is not how data is treated"


def test_a_stale_environment_does_not_tell_the_change_backwards(user: Bench) -> None:
    stale, fresh = operators(user), operators(user)
    assert stale.layer().version == 0
    say(user, "retention", "90 days")
    # The nightly pass of a warm environment comes between another's and the poll.
    whole = Work(user.store.tenant_id, "score.whole")
    for view in (fresh, stale, fresh):
        user.operators = view
        user.do(whole)
    (note,) = user.store.vendors_seen.get()[0]["openai"].changes
    assert note.after == "90 days"


def test_a_run_under_way_while_a_profile_changes_does_not_undo_it(
    user: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = score.score_run

    def long(task: score.Scoring, connection_id: str) -> int:
        say(user, "trains_on_business_data", "yes")
        poll(user)
        monkeypatch.setattr(score, "score_run", real)
        return real(task, connection_id)

    monkeypatch.setattr(score, "score_run", long)
    user.do(Work(user.store.tenant_id, "score.run", user.connection_id))
    after = assessment(user)
    user.do(Work(user.store.tenant_id, "score.run", user.connection_id))
    assert assessment(user) == after
    assert training(user) == "high"
