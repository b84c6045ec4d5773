"""Hostile names in all that people and systems are shown: chats, cards, mails, pages and evidence."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from lantern.domain.messages import Message, Outgoing
from lantern.services import decisions
from lantern.services.evidence.collect import collect
from lantern.services.evidence.page import render
from lantern.services.outreach import rendering
from lantern.services.pages import Page
from lantern.services.people.nudges import DELIVERIES
from lantern.services.people.tools_page import my_tools
from lantern.services.scoring.knowledge import load_knowledge
from scripts.build.checkout import shipped_content
from tests.functional.people.test_nudges import ask, reply
from tests.functional.people.test_question_page import Browser, link
from tests.security.test_hostile_names import PERSON, _Tags, _unseen
from tests.simulators.google.catalog import HOSTILE_NAMES
from tests.support.company import Company
from tests.support.memory_table import MemoryDynamo
from tests.support.tables import create_tables
from tests.support.tenant import make_bench

NAMES = (*HOSTILE_NAMES, PERSON, "[click](https://evil.example) <@U1> <!channel> **x**")
SITE = "https://lantern.example"
PLAIN = "Plain words"


@dataclass
class Shown:
    """All that is shown of an app with a name."""

    message: Message
    mail: Outgoing
    question: Page
    tools: Page
    evidence: str


@pytest.fixture(scope="module")
def shown() -> dict[str, Shown]:
    """Somebody is asked about an app of each name, opens their pages and has it removed."""
    dynamo = MemoryDynamo()
    bench = make_bench(dynamo.client, create_tables(dynamo.client()), load_knowledge(shipped_content()))
    bench.secrets = random.Random(31)  # other addresses than those that `link` makes
    company, found = Company(bench), {}
    for number, name in enumerate((PLAIN, *NAMES)):
        bench.world.names[f"c{number}"] = name
        bench.world.add(f"p{number}", f"c{number}", email=f"p{number}@example.com")
    bench.full()
    for number in range(len(NAMES) + 1):  # what is approved is listed on everybody's own page
        view = bench.store.apps.view(company.app(f"c{number}"))
        decisions.decide_app(bench.store, view, status="approved", note="", by="key:k", now=bench.clock.now())
    for number, name in enumerate((PLAIN, *NAMES)):
        made = ask(company, f"p{number}", f"c{number}", note=f"Note: {' '.join(name.split())[:200]}").nudge
        bench.settle()
        stored = bench.store.nudges.get(made.id)
        assert stored is not None
        assert stored.delivery_id is not None
        told = bench.store.deliveries.get(DELIVERIES, stored.delivery_id)
        assert told is not None
        assert told.message is not None
        mine = link(company, company.person(f"p{number}"), "tools")
        question, tools = Browser(company)(link(company, made.id)), Browser(company)(mine, page=my_tools)
        reply(company, made.id, "revoke", reason=name[:200])
        bench.settle()
        job = bench.store.nudges.get(made.id).job_id  # type: ignore[union-attr] # it was there before
        proof = collect(bench.store, "job", str(job), bench.clock.now())
        assert len(proof.lines) == 1
        # The marker in a stored message becomes an address when it is sent.
        buttons = tuple(replace(one, url=one.url and f"{SITE}/n/x") for one in told.message.buttons)
        mail = bench.channels.email.sent[-1]
        found[name] = Shown(replace(told.message, buttons=buttons), mail, question, tools, render(proof))
    return found


def _shape(value: Any) -> Any:
    """A JSON value with its texts left out, but for what says how text is read."""
    if isinstance(value, dict):
        kept = ("type", "style", "action_id")
        return {k: v if k in kept else _shape(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_shape(item) for item in value]
    return type(value).__name__


def _literal(value: Any) -> Iterator[dict[str, Any]]:
    """Every part of a message in which text stands."""
    if isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield value
        for item in value.values():
            yield from _literal(item)
    elif isinstance(value, list):
        for item in value:
            yield from _literal(item)


@pytest.mark.parametrize("name", NAMES)
def test_a_chat_shows_names_as_literal_text(shown: dict[str, Shown], name: str) -> None:
    for render_, kinds in ((rendering.slack, {"plain_text"}), (rendering.teams, {"TextRun"})):
        said, plain = (json.loads(render_(shown[one].message)) for one in (name, PLAIN))
        assert _shape(said) == _shape(plain)
        parts = list(_literal(said))
        assert {part["type"] for part in parts} == kinds
        for part in parts:
            assert not _unseen(part["text"]) - {"\n"}, part
            assert len(part["text"]) <= 3_000
    subject = rendering.subject(shown[name].message)
    assert not _unseen(subject)
    assert 0 < len(subject) <= rendering.SUBJECT


@pytest.mark.parametrize("name", NAMES)
def test_a_mail_has_no_line_header_or_element_more(shown: dict[str, Shown], name: str) -> None:
    mail, plain = shown[name].mail, shown[PLAIN].mail
    assert not _unseen(mail.subject)
    assert len(mail.text.splitlines()) == len(plain.text.splitlines())
    for part in (mail.text, mail.html):
        assert not _unseen(part) - {"\n"}
    assert _Tags(mail.html).seen == _Tags(plain.html).seen


@pytest.mark.parametrize("name", NAMES)
def test_pages_and_evidence_have_no_element_more(shown: dict[str, Shown], name: str) -> None:
    mine, plain = shown[name], shown[PLAIN]
    for page, other in ((mine.question, plain.question), (mine.tools, plain.tools)):
        assert page.status == 200
        assert _Tags(page.body).seen == _Tags(other.body).seen
        assert not {tag for tag, _ in _Tags(page.body).seen} & {"img", "script", "b"}
        assert not _unseen(page.body) - {"\n"}
        assert len(page.body) < len(other.body) + 4_000
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert not any(_unseen(value) for value in page.headers.values())
    assert plain.tools.body.count("Approved") + plain.tools.body.count("approved") > 0
    assert "Robert" in plain.tools.body
    assert _Tags(mine.evidence).seen == _Tags(plain.evidence).seen
    assert not _unseen(mine.evidence) - {"\n"}
