"""Whether what pages name is there: every response of a rule leads to a playbook that can do something."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from lantern.domain.playbooks.model import Playbook
from lantern.domain.playbooks.model import Subject as Gathered
from lantern.domain.rules.authoring import Problem
from lantern.domain.rules.model import Rule
from lantern.domain.rules.vocabulary import RESPONSES, TOLD, Subject

_FITTING: Final[Mapping[Subject, frozenset[Gathered]]] = {
    Subject.GRANT: frozenset({"grants", "accounts"}),
    # What an asset is used by are the grants of its app.
    Subject.ASSET: frozenset({"assets", "grants"}),
    Subject.APP: frozenset({"grants", "app"}),
    Subject.PERSON: frozenset({"accounts"}),
    Subject.CONNECTION: frozenset(),
}
"""What a playbook must gather, one of it, to have targets for a finding of a rule about such a subject."""


def unresolved(rules: Iterable[Rule], books: Iterable[Playbook]) -> list[Problem]:
    """What names something that is not there, or that could never do anything."""
    by_id = {one.id: one for one in books}
    answers = {word: one for one in by_id.values() for word in one.responds_to}
    found = [
        Problem("playbooks", one.id, "responds_to", f"{word} is no response; use {', '.join(RESPONSES)}")
        for one in by_id.values()
        for word in one.responds_to
        if word not in RESPONSES
    ]
    found += [
        Problem("vocabulary", word, "responses", "no playbook answers it, and no alert alone does")
        for word in RESPONSES
        if word not in answers and word not in by_id and word not in TOLD
    ]
    for rule in rules:
        found += _of(rule, answers | by_id)
    return found


def _of(rule: Rule, books: Mapping[str, Playbook]) -> Iterator[Problem]:
    if rule.respond is None or rule.respond in TOLD:
        return
    book = books.get(rule.respond)
    if book is None:
        yield Problem(f"{rule.id}.yaml", rule.id, "respond", f"no playbook answers {rule.respond}")
    elif _FITTING[rule.subject].isdisjoint(book.gathers):
        gathers = ", ".join(book.gathers)
        yield Problem(
            f"{rule.id}.yaml",
            rule.id,
            "respond",
            f"{book.id} gathers {gathers}: nothing of what a rule about a {rule.subject} finds",
        )
