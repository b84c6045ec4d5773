"""The index of people in the table: what was written comes back, and nothing is written twice."""

from datetime import UTC, datetime

import pytest

from lantern.domain import ids
from lantern.domain.blast import ReachState, VendorReach
from lantern.domain.errors import RevisionConflictError
from lantern.domain.people import Bearer, PersonRecord
from lantern.store.meter import Meter
from lantern.store.tenant import TenantStore

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _pid(number: int) -> str:
    return ids.principal_id("google", "C", str(number))


def _person(number: int) -> str:
    return ids.person_id(_pid(number))


def test_addresses_and_persons_come_back(store: TenantStore, meter: Meter) -> None:
    many = [f"con_{number:02}" for number in range(40)]
    bearers = {
        f"p{number}@example.com": Bearer(_person(number), frozenset(many[number % 30 : number % 30 + 2]))
        for number in range(300)
    }
    before = store.people.all_bearers()
    assert before.bearers == {}
    assert 50 < store.people.put_bearers(bearers, before) <= 64
    found = store.people.all_bearers()
    assert found.bearers == {store.people.fingerprint(a): one for a, one in bearers.items()}
    assert store.people.bearers(["p7@example.com", "nobody@example.com"]) == {
        "p7@example.com": bearers["p7@example.com"]
    }
    with meter.measured() as used:
        assert store.people.put_bearers(bearers, found) == 0
    assert used.write_units == 0
    del bearers["p7@example.com"]
    assert store.people.put_bearers(bearers, found) == 1
    with pytest.raises(RevisionConflictError):
        store.people.put_bearers({}, found)

    records = {
        _person(n): PersonRecord(
            _person(n), (("con_a", _pid(n)), ("con_b", _pid(n + 500))), n % 3 == 0, (None, True, False)[n % 3]
        )
        for n in range(200)
    }
    assert store.people.put_records(records, ["con_a", "con_b"]) == 64
    assert store.people.put_records(records, ["con_b", "con_a"]) == 0
    assert store.people.all_records() == records
    assert store.people.records([_person(1), _person(900)]) == {_person(1): records[_person(1)]}
    gone = PersonRecord(_person(1), records[_person(1)].accounts, departed=True, admin=True)
    assert store.people.put_record(gone)
    assert not store.people.put_record(gone)
    assert store.people.record(_person(1))[0] == gone
    record, part = store.people.record(_person(900))
    assert record is None
    assert part is not None
    assert part.connections == ("con_a", "con_b")


def test_an_address_borne_nearly_everywhere_is_borne_beyond_the_mask(store: TenantStore) -> None:
    """Connections beyond the thirty-first share one bit: a newcomer at any of them is left to joining."""
    many = frozenset(f"con_{number:02}" for number in range(40))
    bearers = {"a@example.com": Bearer(_person(1), many)}
    store.people.put_bearers(bearers, store.people.all_bearers())
    assert store.people.bearers(bearers) == bearers


def test_reaches_are_written_where_they_differ(store: TenantStore) -> None:
    rows = [VendorReach(f"v{number}", f"V{number}", number, 0, None, ()) for number in range(40)]
    state = ReachState(NOW, ())
    assert store.reach.get("v3") == (None, None)
    assert 10 < store.reach.put_all(rows, state) <= 16
    assert store.reach.put_all(rows, state) == 0
    assert store.reach.put_all(rows[1:], state) == 1
    assert store.reach.get("v3") == (rows[3], state)
    assert store.reach.get("v0") == (None, state)
