"""Who holds an app, concluded from a log."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from lantern.connectors.slack.ledger import ChangeKind, Entry, Ledger, fold

START = datetime(2026, 1, 1, tzinfo=UTC)


def log(*lines: tuple[ChangeKind, str | None, str], team: str = "T1", whole: bool = False) -> list[Entry]:
    """Entries of one app, a day apart: what happened, who did it, the permissions told (empty: none told)."""
    return [
        Entry(
            key=f"{n}",
            at=START + timedelta(days=n),
            kind=kind,
            app_id="A1",
            app_name="App",
            user_id=user,
            team=team,
            scopes=frozenset(scopes.split()) if scopes else None,
            whole=whole,
        )
        for n, (kind, user, scopes) in enumerate(lines)
    ]


def held(ledger: Ledger) -> dict[str | None, set[str]]:
    return {user: set(theirs["A1"].scopes) for user, theirs in ledger.held.items() if "A1" in theirs}


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ([("added", "U1", "a b")], {"U1": {"a", "b"}}),
        ([("added", "U1", "a"), ("added", "U1", "b")], {"U1": {"a", "b"}}),
        ([("added", "U1", "a"), ("expanded", "U1", "b")], {"U1": {"a", "b"}}),
        ([("added", "U1", "a b"), ("updated", "U1", "b")], {"U1": {"b"}}),
        ([("added", "U1", "a"), ("updated", "U1", "")], {"U1": {"a"}}),
        ([("added", "U1", "a"), ("removed", "U1", "")], {}),
        ([("added", "U1", "a"), ("added", "U2", "b"), ("removed", "U1", "")], {"U2": {"b"}}),
        ([("added", "U1", "a"), ("added", "U2", "b"), ("removed", "U9", "")], {}),
        ([("added", "U1", "a"), ("removed", None, "")], {}),
        ([("added", "U1", "a"), ("disabled", None, "")], {}),
        ([("added", "U1", "a"), ("disabled", None, ""), ("enabled", "U9", "")], {"U1": {"a"}}),
        ([("added", "U1", "a"), ("removed", "U1", ""), ("added", "U1", "b")], {"U1": {"b"}}),
        ([("added", "U1", "a"), ("touched", "U9", ""), ("account", "U1", "")], {"U1": {"a"}}),
        ([("added", None, "a")], {None: {"a"}}),
        ([("removed", "U1", ""), ("enabled", "U1", "")], {}),
    ],
)
def test_the_last_word_counts(lines: list[tuple[ChangeKind, str | None, str]], wanted: dict) -> None:
    entries = log(*lines)
    random.Random(1).shuffle(entries)
    assert held(fold(entries)) == wanted
    assert held(fold([*entries, *entries])) == wanted


def test_a_removal_of_the_whole_app_ends_it_for_its_remover_and_all_others() -> None:
    entries = log(("added", "U1", "a"), ("added", "U2", "b"))
    gone = Entry("x", START + timedelta(days=9), "removed", "A1", "", "U1", "T1", None, whole=True)
    assert held(fold([*entries, gone])) == {}
    assert fold([*entries, gone]).ended == {"A1"}


def test_a_workspace_ends_its_own_installations_the_organisation_all() -> None:
    here, there = log(("added", "U1", "a")), log(("added", "U2", "b"), team="T2")
    there = [Entry(**{**{f: getattr(e, f) for f in e.__slots__}, "key": "t2"}) for e in there]
    later = START + timedelta(days=9)
    one = Entry("x", later, "removed", "A1", "", "U9", "T1", None, whole=True)
    every = Entry("y", later, "removed", "A1", "", "U9", "", None, whole=True)
    assert held(fold([*here, *there, one])) == {"U2": {"b"}}
    assert fold([*here, *there, one]).ended == frozenset()
    assert held(fold([*here, *there, every])) == {}


def test_an_app_removed_everywhere_before_it_was_ever_seen_is_ended() -> None:
    gone = Entry("x", START, "removed", "A7", "", "U9", "", None, whole=True)
    assert fold([gone]).ended == {"A7"}
    assert fold([Entry("x", START, "removed", "A7", "", "U9", "T1", None, whole=True)]).ended == frozenset()


def test_permissions_of_all_holders_together_are_the_apps() -> None:
    ledger = fold(log(("added", "U1", "a"), ("added", "U2", "b")))
    assert ledger.apps()["A1"].scopes == {"a", "b"}
    assert ledger.apps()["A1"].at == START + timedelta(days=1)
