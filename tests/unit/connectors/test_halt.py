"""Halts within halts."""

from lantern.connectors.halt import Halt
from lantern.connectors.protocol import Deadline
from tests.unit.connectors.test_http import Wall


def test_a_part_stops_with_the_whole_and_by_itself() -> None:
    clock = Wall()
    whole = Halt(clock, Deadline(clock, 10.0))
    one, other = whole.within(), whole.within()
    assert one.left_s() == 10.0
    one.call()
    assert (one.passed(), one.left_s(), other.passed(), whole.passed()) == (True, 0.0, False, False)
    whole.call()
    assert (other.passed(), other.left_s()) == (True, 0.0)
    late = Halt(clock, Deadline(clock, 10.0)).within()
    clock.sleep(11.0)
    assert late.passed()
    assert not late.sleep(1.0)
