"""Titles: strangers choose app names, so a title must be inert whatever the name is."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lantern.domain.rules.titles import MAX_TITLE, MAX_VALUE, clean, render


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Otter", "Otter"),
        (None, "unknown"),
        ("", "(no name)"),
        ("Goo\u202egle\u202c", "Google"),
        ("a\r\nSet-Cookie: x", "a Set-Cookie: x"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("\x1b[31mred\x07", "[31mred"),
        ("{app.id}", "{app.id}"),
        ("{app.__class__}", "{app.__class__}"),
        ("%s %(x)s", "%s %(x)s"),
        ("x" * 10_000, "x" * (MAX_VALUE - 1) + "…"),
        ("Ünïcode 日本", "Ünïcode 日本"),
    ],
)
def test_hostile_names_are_inert(name, shown):
    assert render("{app.name} is new", {"app.name": name, "app.id": "secret"}, {}) == f"{shown} is new"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "yes"),
        (False, "no"),
        (90, "90"),
        (2.0, "2"),
        (2.55, "2.5"),
        ((), "none"),
        (("b", "a"), "a, b"),
        (frozenset("abcde"), "a, b, c and 2 more"),
    ],
)
def test_values_read_as_words(value, shown):
    assert render("{grant.scopes}", {"grant.scopes": value}, {}) == shown


def test_parameters_come_from_the_parameters():
    assert render("{params.days} days", {"params.days": 1}, {"days": 90}) == "90 days"


@given(st.text(max_size=2000))
def test_cleaned_text_is_short_single_line_and_free_of_tricks(text):
    line = clean(text)

    assert len(line) <= MAX_VALUE
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for char in line)
    assert clean(line) == line
    assert len(render("{app.name}" * 10, {"app.name": text}, {})) <= MAX_TITLE
