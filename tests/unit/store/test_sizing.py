"""Sizes and units by the published rules."""

from typing import Any

import pytest

from lantern.store import sizing


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "abc"}, 3),
        ({"S": "äö"}, 4),
        ({"B": b"12345"}, 5),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"N": "0"}, 1),
        ({"N": "7"}, 2),
        ({"N": "-7"}, 3),
        ({"N": "100"}, 2),
        ({"N": "1234567"}, 5),
        ({"N": "12.5"}, 3),
        ({"SS": ["ab", "c"]}, 3),
        ({"NS": ["1", "23"]}, 4),
        ({"BS": [b"ab", b"c"]}, 3),
        ({"L": []}, 3),
        ({"L": [{"S": "a"}, {"N": "1"}]}, 3 + 1 + 1 + 2 + 1),
        ({"M": {"ab": {"S": "c"}}}, 3 + 2 + 1 + 1),
    ],
)
def test_values_have_their_published_sizes(value: dict[str, Any], size: int) -> None:
    assert sizing.value_size(value) == size


def test_an_unknown_type_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown attribute type"):
        sizing.value_size({"X": 1})


def test_an_item_is_its_names_and_values() -> None:
    assert sizing.item_size({"pk": {"S": "abc"}, "äb": {"N": "12"}}) == 2 + 3 + 3 + 2


@pytest.mark.parametrize(("size", "units"), [(0, 1), (1, 1), (1024, 1), (1025, 2), (300_000, 293)])
def test_write_units_are_whole_kilobytes(size: int, units: int) -> None:
    assert sizing.write_units(size) == units


@pytest.mark.parametrize(("size", "units"), [(0, 0.5), (4096, 0.5), (4097, 1.0), (409_600, 50.0)])
def test_read_units_are_4_kilobytes_and_half_when_eventual(size: int, units: float) -> None:
    assert sizing.read_units(size) == units
    assert sizing.read_units(size, consistent=True) == 2 * units


def test_index_writes_follow_what_happens_to_the_entry() -> None:
    plain = {"pk": {"S": "p"}, "body": {"S": "x" * 1500}}
    listed = {**plain, "gsi1pk": {"S": "open"}, "gsi1sk": {"S": "1"}}
    moved = {**listed, "gsi1pk": {"S": "done"}}
    edited = {**listed, "body": {"S": "y" * 2500}}

    assert sizing.index_units(None, plain) == 0
    assert sizing.index_units(None, listed) == 2
    assert sizing.index_units(listed, listed) == 0
    assert sizing.index_units(listed, edited) == 3
    assert sizing.index_units(listed, moved) == 4
    assert sizing.index_units(listed, plain) == 2
    assert sizing.index_units(listed, None) == 2
