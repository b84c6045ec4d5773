"""Tens of thousands of live findings: items and transactions stay within what DynamoDB takes."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from lantern.channels.protocol import Sent
from lantern.domain.alerts import AlertChannel
from lantern.domain.errors import StorageError
from lantern.domain.findings import Finding, packing
from lantern.domain.findings.records import finding_id
from lantern.domain.rules.vocabulary import Severity
from lantern.domain.work import Work
from lantern.services.outreach import alerting, announcing, settings
from lantern.store.findings import FindingRepository
from lantern.store.sizing import item_size
from tests.functional.outreach.test_channels import a_critical
from tests.functional.outreach.test_webhooks import a_finding, add, use
from tests.support.memory_table import MemoryDynamo
from tests.support.tables import create_tables
from tests.support.tenant import Bench, make_bench

ITEM, TRANSACTION = 400 * 1024, 4 * 1024 * 1024


class Weighed:
    """A tenant whose table is weighed, with any number of open findings that cost nothing to read."""

    def __init__(self, knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
        dynamo = MemoryDynamo()
        self.bench: Bench = make_bench(dynamo.client, create_tables(dynamo.client()), knowledge)
        self.transactions: list[list[int]] = []
        self.live: dict[str, Finding] = {}
        dynamo.tap = self._weigh

        def heads(_: object, status: str) -> Iterator[Finding]:
            return iter(tuple(self.live.values()) if status == "open" else ())

        monkeypatch.setattr(FindingRepository, "heads", heads)

    def _weigh(self, name, params, run):
        if name == "TransactWriteItems":
            puts = [op["Put"]["Item"] for op in params["TransactItems"] if "Put" in op]
            self.transactions.append([item_size(one) for one in puts])
        return run()

    def fill(self, count: int) -> None:
        one = a_finding(self.bench)
        for number in range(count):
            group = replace(one.group, id=f"app_{number:013}")
            key = finding_id(one.rule_id, group)
            self.live[key] = replace(one, id=key, group=group)
        self.bench.clock.forward(minutes=1)

    def add_channel(self) -> AlertChannel:
        bench = self.bench
        bench.store.connections.put(replace(bench.connection, domains=("acme.example",)))
        to = tuple(f"a{number}@acme.example" for number in range(20))
        return settings.add_channel(use(bench), AlertChannel("", "email", "it", to, digest="none"), None)

    def weigh(self) -> tuple[int, int]:
        """The largest item and the largest transaction since it was last asked, in bytes."""
        largest = max(max(one) for one in self.transactions), max(map(sum, self.transactions))
        self.transactions.clear()
        return largest


@pytest.fixture
def weighed(knowledge, monkeypatch: pytest.MonkeyPatch) -> Weighed:
    return Weighed(knowledge, monkeypatch)


@pytest.mark.parametrize(("count", "item", "transaction"), [(25_000, 32, 512), (100_000, 128, 2_048)])
def test_any_number_of_findings_is_told_within_the_limits(
    weighed: Weighed, record_property, count: int, item: int, transaction: int
):
    """One message for all of them to twenty people, and the note that systems need not be told."""
    bench = weighed.bench
    channel = weighed.add_channel()
    weighed.fill(count)
    add(bench)
    weighed.transactions.clear()
    passed = alerting.look(bench.outreach())
    assert [one.covers for one in passed.deliveries] == [count] * 20
    sizes = weighed.weigh()
    record_property("bytes", sizes)
    assert sizes[0] <= item * 1024 < ITEM
    assert sizes[1] <= transaction * 1024 < TRANSACTION
    ledger = bench.store.alerts.ledger(channel.id)
    assert (ledger.told.keys(), len(bench.store.alerts.announced().revs)) == (weighed.live.keys(), count)


def test_a_change_of_one_finding_writes_its_part_alone(weighed: Weighed):
    bench = weighed.bench
    channel = weighed.add_channel()
    weighed.fill(5_000)
    alerting.look(bench.outreach())
    ledger = bench.store.alerts.ledger(channel.id)
    weighed.transactions.clear()
    bench.clock.forward(hours=1)
    some = next(iter(weighed.live))
    weighed.live[some] = replace(weighed.live[some], severity=Severity.CRITICAL, rev=2)
    (first, *_) = alerting.look(bench.outreach()).deliveries
    assert (first.covers, first.wave) == (1, 2)
    # The ledger, a part of 6 kB, and twenty messages of 1 kB.
    assert weighed.weigh()[1] < 32 * 1024
    told = bench.store.alerts.ledger(channel.id)
    assert {key for key in told.told if told.told[key] != ledger.told[key]} == {some}


def test_all_that_a_lost_message_told_is_news_again(weighed: Weighed):
    """What was told since by another message stays told; nobody's message lists what it covers."""
    bench = weighed.bench
    channel = weighed.add_channel()
    weighed.fill(300)
    bench.channels.email.answer = lambda _m: Sent("retry", 503, "status_503")
    first = alerting.look(bench.outreach()).deliveries
    bench.clock.forward(seconds=5)
    some = next(iter(weighed.live))
    weighed.live[some] = replace(weighed.live[some], severity=Severity.CRITICAL)
    alerting.look(bench.outreach())
    assert len(bench.store.alerts.ledger(channel.id).told) == 300
    bench.channels.email.answer = lambda _m: Sent("refused", 400, "MessageRejected")
    for one in first:
        bench.do(Work("t", "outreach.deliver", body={"target_id": one.target_id, "delivery_id": one.id}))
    after = bench.store.alerts.ledger(channel.id)
    assert (after.told.keys(), after.count) == ({some}, 0)
    assert bench.store.alerts.health(channel.id).state == "broken"


@pytest.fixture
def counted(weighed: Weighed, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the deliveries that were tried to be written, one after the other; each takes a second."""
    tried: list[str] = []
    write = announcing._write

    def slow(task, made):
        weighed.bench.clock.forward(seconds=1)
        if len(tried) == 250:
            tried.append("")
            raise StorageError("put: the table did not answer")
        tried.append(made.id)
        return write(task, made)

    monkeypatch.setattr(announcing, "_write", slow)
    monkeypatch.setattr(announcing, "STRIDE", 100)
    return tried


def test_many_changes_for_many_systems_take_several_messages(weighed: Weighed, counted: list[str]):
    """A pass stops at its deadline and the next goes on; one that fails loses a stride and no more."""
    bench = weighed.bench
    for _ in range(4):
        add(bench)
    bench.clock.forward(minutes=1)
    for number in range(300):
        found = a_finding(bench, number)
        weighed.live[found.id] = found
    with pytest.raises(StorageError):
        alerting.look(bench.outreach())
    messages, written = 0, []
    while True:
        bench.sent.clear()
        written += alerting.look(bench.outreach()).deliveries
        messages += 1
        if [work.kind for work in bench.sent] != ["outreach.due"]:
            break
    assert messages == 2
    assert len({*counted} - {""}) == 1_200
    assert len(counted) <= 1_200 + 1 + 100
    assert bench.store.alerts.announced().revs == {one.id: one.rev for one in weighed.live.values()}
    assert {one.subject_id for one in written} < weighed.live.keys()


def test_where_nobody_is_told_only_what_was_quiet_is_looked_at(
    weighed: Weighed, monkeypatch: pytest.MonkeyPatch
):
    bench, asked = weighed.bench, []
    monkeypatch.setattr(FindingRepository, "heads", lambda _, status: asked.append(status) or iter(()))
    alerting.look(bench.outreach())
    assert sorted(asked) == ["exception", "snoozed"]
    add(bench)
    alerting.look(bench.outreach())
    assert sorted(asked[2:]) == ["acknowledged", "exception", "open", "snoozed"]


def test_what_is_read_to_be_told_is_not_unpacked(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    add(bench)
    bench.store.connections.put(replace(bench.connection, domains=("acme.example",)))
    settings.add_channel(use(bench), AlertChannel("", "email", "it", ("ada@acme.example",)), None)
    a_critical(bench, 1)
    alerting.look(bench.outreach())
    monkeypatch.setattr(packing, "unpack", lambda _: pytest.fail("unpacked"))
    bench.clock.forward(hours=1)
    assert alerting.look(bench.outreach()).deliveries == ()


def test_a_pass_that_fails_keeps_nothing_that_is_due(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    bench.store.connections.put(replace(bench.connection, domains=("acme.example",)))
    settings.add_channel(use(bench), AlertChannel("", "email", "it", ("ada@acme.example",)), None)
    a_critical(bench, 1)
    bench.channels.email.answer = lambda _m: Sent("retry", 503, "status_503")
    bench.do(Work(bench.store.tenant_id, "outreach.due"))
    tried = len(bench.channels.email.sent)
    bench.channels.email.answer = lambda _m: Sent("sent", 200)
    bench.clock.forward(hours=1)

    def broken(*_: object) -> None:
        raise StorageError("transaction: ValidationException")

    monkeypatch.setattr(alerting, "look", broken)
    with pytest.raises(StorageError):
        bench.do(Work(bench.store.tenant_id, "outreach.due"))
    assert len(bench.channels.email.sent) == tried + 1
