"""One delivery through its life: sent once, tried again, given up."""

from datetime import timedelta

from lantern.channels.protocol import Sent
from lantern.domain.messages import Address, Delivery, Message, delivery
from lantern.domain.work import Work
from tests.support.tenant import Bench

SLACK = Address("slack", "C1", "con_slack")


def told(bench: Bench, **of: object) -> Delivery:
    bench.channels.secrets["con_slack"] = "xoxb-1"
    made = delivery(SLACK, Message("alert", "Look"), bench.clock.now(), target_id="people", subject_id="x")
    return bench.store.deliveries.put(made)


def work(made: Delivery) -> Work:
    return Work("t", "outreach.deliver", body={"target_id": made.target_id, "delivery_id": made.id})


def test_a_message_is_sent_once_however_often_its_work_comes(bench: Bench):
    made = told(bench)
    for _ in range(3):
        bench.do(work(made))
        bench.do(Work("t", "outreach.due"))
    (sent,) = bench.channels.slack.sent
    assert (sent.key, sent.to, sent.secret) == (made.id, "C1", "xoxb-1")
    stored = bench.store.deliveries.get("people", made.id)
    assert stored
    assert (stored.state, stored.next_at, stored.tries) == ("sent", None, 1)


def test_what_failed_is_tried_on_schedule_and_given_up_after_a_day(bench: Bench):
    made = told(bench)
    bench.channels.slack.answer = lambda _m: Sent("retry", 503, "unavailable")
    start, seen = bench.clock.now(), []
    while (found := bench.store.deliveries.get("people", made.id)) and found.next_at:
        bench.clock.forward(seconds=(found.next_at - bench.clock.now()).total_seconds())
        seen.append((bench.clock.now() - start).total_seconds())
        bench.do(Work("t", "outreach.due"))
    assert [round(s) for s in seen] == [0, 5, 305, 2105, 9305, 27305, 63305]
    assert found
    assert found.state == "failed"
    assert found.attempts[-1].at - start <= timedelta(days=1)


def test_a_worker_that_died_holding_a_message_does_not_lose_it(bench: Bench):
    made = told(bench)

    def dies(_message: object) -> Sent:
        raise KeyboardInterrupt

    bench.channels.slack.answer = dies
    try:
        bench.do(work(made))
    except KeyboardInterrupt:
        bench.channels.slack.answer = lambda _m: Sent("sent", 200)
    bench.do(work(made))
    assert len(bench.channels.slack.sent) == 1, "it is in the dead worker's hands until the lease ends"
    bench.clock.forward(minutes=4)
    bench.do(Work("t", "outreach.due"))
    stored = bench.store.deliveries.get("people", made.id)
    assert stored
    assert (stored.state, stored.tries) == ("sent", 2)
