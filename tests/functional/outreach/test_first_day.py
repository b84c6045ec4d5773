"""A first day: hundreds of findings, a handful of messages, nothing critical missing."""

from tests.support.first_day import first_day


def test_ten_messages_at_most_and_every_critical_finding(knowledge, record_property):
    day = first_day(knowledge, 5, employees=40, grants_per_user=20, long_tail=120, events_per_user_day=0)
    record_property("findings", day.findings)
    record_property("messages", len(day.messages))
    assert day.findings > 100
    assert day.critical
    assert len(day.messages) <= 10, [one.text or one.subject for one in day.messages]
    assert day.missing == {"slack": [], "email": []}
    assert min(day.by_channel.values()) >= 1
