"""Playbook pages: what is shipped compiles, what is wrong is named."""

from dataclasses import replace
from typing import Any

import pytest

from lantern.domain.playbooks.authoring import PlaybooksInvalidError, compile_page, compile_set, page_schema
from lantern.domain.playbooks.loading import PlaybookError, load_playbooks
from lantern.domain.playbooks.names import NAMES
from lantern.domain.rules.model import load_rules
from lantern.domain.rules.vocabulary import RESPONSES, TOLD, Stage, Subject
from scripts.build.checkout import shipped_content
from scripts.build.compile_playbooks import PAGES, compile_pages
from scripts.build.compile_rules import read_page
from scripts.build.references import unresolved

ZONED = {"days": ["mon"], "start": "08:00", "end": "18:00", "time_zone": "Mars/Base"}
GOOD = read_page(PAGES / "stale-grant-clean-up.yaml")


def changed(**values: Any) -> dict[str, Any]:
    return {**GOOD, **values}


def step(number: int, **values: Any) -> dict[str, Any]:
    return changed(
        steps=[{**one, **(values if at == number else {})} for at, one in enumerate(GOOD["steps"])]
    )


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (step(1, answers={"declined": "ask"}), "ask does not come later"),
        (step(0, answers={"maybe": "end"}), "not maybe"),
        (step(0, days=None), "say how many days"),
        (step(2, act="enable_app"), "an act is one of"),
        (step(2, act=None), "an act is one of"),
        (step(4, says=""), "have words"),
        (step(0, nudge=None), "which question"),
        (step(1, id="ask"), "used twice"),
        (changed(guards={"max_targets": 2_000, "approve_above": 0}), "less than or equal to 1000"),
        (changed(guards={"max_targets": 10}), "Field required"),
        (changed(window={"days": ["mon"], "start": "18:00", "end": "08:00"}), "ends after it starts"),
        (changed(window=ZONED), "no time zone"),
        (changed(tests=GOOD["tests"][:2]), "no test passes check"),
        (changed(tests=[{**GOOD["tests"][0], "expect": ["revoke"]}] * 2), "passes ask, not revoke"),
        (changed(extra=1), "Extra inputs"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(page: dict[str, Any], said: str) -> None:
    with pytest.raises(PlaybooksInvalidError, match=said):
        compile_page(page, "page.yaml")


def test_what_is_shipped_answers_what_rules_name_and_asks_before_it_acts() -> None:
    books = load_playbooks(shipped_content() / "playbooks.json")
    assert books.ids == NAMES
    for word in RESPONSES:
        assert (books.answering(word) is None) == (word in TOLD), word
    for book in books.books:
        acts = any(one.kind == "act" for one in book.steps)
        assert not acts or book.asks_approval or book.guards.approve_above == 500, book.id
        assert book.guards.max_targets is not None
    assert page_schema()["title"] == "PlaybookPage"


def test_every_reference_of_what_is_shipped_resolves_and_one_that_does_not_is_named() -> None:
    rules = load_rules(shipped_content() / "rules.json").rules
    books = load_playbooks(shipped_content() / "playbooks.json").books
    assert unresolved(rules, books) == []
    missing = unresolved(
        rules, [one for one in books if one.id not in ("rotate-credential", "restricted-app")]
    )
    assert {(one.rule_id, one.message) for one in missing} >= {
        ("rotate-credential", "no playbook answers it, and no alert alone does"),
        ("api-key-old", "no playbook answers rotate-credential"),
        ("restricted-app-in-use", "no playbook answers restricted-app"),
    }
    key = next(one for one in rules if one.id == "api-key-old")
    idle = replace(key, subject=Subject.CONNECTION, stage=Stage.OBSERVE)
    (said,) = unresolved([idle], books)
    assert said.message.startswith(
        "rotate-credential gathers assets: nothing of what a rule about a connection"
    )
    odd = replace(books[0], responds_to=("sing",))
    assert "sing is no response" in str(unresolved((), [odd, *books[1:]])[0])


def test_a_set_has_no_doubles_and_names_what_is_there() -> None:
    one = compile_page(GOOD, "page.yaml")
    with pytest.raises(PlaybooksInvalidError, match="used twice"):
        compile_set([one, one])
    with pytest.raises(PlaybooksInvalidError, match="no playbook nowhere"):
        compile_set([compile_page(changed(if_returns="nowhere"), "page.yaml")])
    assert compile_pages()["format"] == 1
    with pytest.raises(PlaybookError):
        load_playbooks(b'{"format": 2, "playbooks": []}')
