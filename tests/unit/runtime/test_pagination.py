import pytest
from hypothesis import given
from hypothesis import strategies as st

from lantern.domain.pagination import slice_after


@given(st.sets(st.tuples(st.integers(-3, 3), st.text(max_size=3))), st.integers(1, 7), st.booleans())
def test_pages_together_are_the_sorted_list(rows: set[tuple[int, str]], limit: int, descending: bool) -> None:
    seen, after = [], None
    while True:
        page = slice_after(rows, key=lambda row: row, after=after, limit=limit, descending=descending)
        assert len(page.rows) <= limit
        seen.extend(page.rows)
        after = page.position
        if after is None:
            break
    assert seen == sorted(rows, reverse=descending)


def test_a_row_that_comes_meanwhile_hides_no_other() -> None:
    first = slice_after([1, 2, 4, 5], key=lambda n: (n,), after=None, limit=2)
    second = slice_after([0, 1, 2, 3, 4, 5], key=lambda n: (n,), after=first.position, limit=9)
    assert (first.rows, second.rows, second.position) == ((1, 2), (3, 4, 5), None)


@pytest.mark.parametrize("limit", [1, 3])
def test_nothing_has_no_next_page(limit: int) -> None:
    assert slice_after([], key=lambda n: (n,), after=None, limit=limit).position is None
