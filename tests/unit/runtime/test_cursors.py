import pytest
from hypothesis import given
from hypothesis import strategies as st

from lantern.domain.errors import InvalidInputError
from lantern.runtime.cursors import CursorCodec, Listing

CODEC = CursorCodec(b"k" * 32)
LISTING = Listing("a" * 20, "listApps", {"ai": "ai"})


@given(st.text(max_size=300))
def test_a_position_comes_back(position: str) -> None:
    try:
        position.encode()
    except UnicodeEncodeError:
        return
    assert CODEC.open(LISTING, CODEC.seal(LISTING, position)) == position


@pytest.mark.parametrize(
    "other",
    [
        Listing("b" * 20, "listApps", {"ai": "ai"}),
        Listing("a" * 20, "listFindings", {"ai": "ai"}),
        Listing("a" * 20, "listApps", {"ai": "not_ai"}),
        Listing("a" * 20, "listApps", {}),
    ],
)
def test_a_cursor_fits_one_question_of_one_tenant(other: Listing) -> None:
    cursor = CODEC.seal(LISTING, "x")
    with pytest.raises(InvalidInputError, match="cursor"):
        CODEC.open(other, cursor)


def test_a_cursor_of_another_key_is_refused() -> None:
    with pytest.raises(InvalidInputError):
        CursorCodec(b"j" * 32).open(LISTING, CODEC.seal(LISTING, "x"))


@given(st.text(max_size=200) | st.binary(max_size=50).map(lambda raw: raw.hex()))
def test_made_up_cursors_are_refused(cursor: str) -> None:
    with pytest.raises(InvalidInputError):
        CODEC.open(LISTING, cursor)


def test_every_changed_byte_is_noticed() -> None:
    cursor = CODEC.seal(LISTING, "position")
    for place in range(len(cursor) - 1):
        changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        with pytest.raises(InvalidInputError):
            CODEC.open(LISTING, changed)


def test_the_key_is_in_no_repr() -> None:
    assert "kkk" not in repr(CODEC)
