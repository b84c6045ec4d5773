"""Names chosen by strangers are data wherever they arrive, and nowhere more than that."""

import io
import json
import logging
import unicodedata
from html.parser import HTMLParser

import pytest
from py_ocsf_models.events.findings.detection_finding import DetectionFinding
from rich.console import Console

from lantern.runtime import observability
from lantern.services import pages
from scripts.admin_cli.terminal import Output, inert
from tests.security.story import Story
from tests.security.test_canaries import strings
from tests.simulators.google.catalog import HOSTILE_NAMES

told = pytest.mark.xdist_group("story")
PERSON = '<b>Robert</b> ");DROP TABLE users;--'


def _unseen(text: str) -> set[str]:
    """Characters that a reader cannot see and a terminal obeys."""
    return {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp")}


@told
def test_the_api_gives_names_as_they_are_and_as_data(story: Story) -> None:
    for answer in story.shown.values():
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert not any(_unseen(value) for value in answer.headers.values())
    seen = [body["name"] for body in story.shown["/v1/apps"].json["data"]]
    for name in HOSTILE_NAMES:
        trimmed = name.strip()
        assert any(trimmed[:40] in (given or "") for given in seen) or not trimmed or _unseen(name), name
    assert all(len(given or "") < 11_000 for given in seen)


@told
def test_titles_of_findings_are_neutral_and_short(story: Story) -> None:
    titles = [finding["title"] for finding in story.open_findings]
    assert any("Workspace Security" in title or "onerror" in title for title in titles), titles
    for title in titles:
        assert 0 < len(title) <= 200
        assert not _unseen(title), title


@told
def test_events_for_a_siem_hold_neutral_names_and_are_ocsf(story: Story) -> None:
    events = story.shown["/v1/events/ocsf"].json["data"]
    assert any("onerror" in event["message"] for event in events), events
    for event in events:
        DetectionFinding(**event)
        for text in strings(event):
            assert not _unseen(text), text
            assert len(text) <= 200


@told
def test_audit_entries_hold_no_names(story: Story) -> None:
    entries = story.shown["/v1/audit"].json["data"]
    assert len({entry["action"] for entry in entries}) > 5
    text = json.dumps(entries, ensure_ascii=False)
    for name in HOSTILE_NAMES:
        if len(name.strip()) > 3:
            assert json.dumps(name.strip(), ensure_ascii=False)[1:20] not in text
    assert "Robert" not in text
    assert story.people
    assert not [email for email in story.people if email in text]


@told
def test_no_name_and_no_address_is_in_a_record(story: Story) -> None:
    for record in story.logged():
        shown = record.getMessage() + repr(vars(record).get("extra"))
        assert not [name for name in HOSTILE_NAMES if len(name) > 3 and name[:20] in shown], shown
        assert "Robert" not in shown


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, PERSON, "a\u2028b\u2029c\u0085d", "\u2066x\u202e"])
def test_a_log_line_stays_one_visible_line(name: str) -> None:
    root = logging.getLogger("lantern")
    kept = (root.handlers, root.level, root.propagate)
    try:
        formatter = observability.attach("names").handlers[0].formatter
    finally:
        root.handlers, root.propagate = kept[0], kept[2]
        root.setLevel(kept[1])
    try:
        raise ValueError(name)
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
    for record in (
        logging.LogRecord("lantern.x", 40, "f", 1, "app %s", (name,), info),
        logging.LogRecord("lantern.x", 40, "f", 1, name, (), None),
    ):
        record.app = name
        record.key = {name: [name]}
        line = formatter.format(record)
        assert len(line.splitlines()) == 1, line
        assert not _unseen(line), line
        json.loads(line)


class _Tags(HTMLParser):
    """The elements of a page with their attributes' names."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[str, ...]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, tuple(name for name, _ in attrs)))


def _page(name: str) -> pages.Page:
    return pages.connected(
        "google", name, key="lnt_k", new=True, lost=(), api="https://lantern.example", reference="r"
    )


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, PERSON])
def test_a_page_with_a_hostile_organisation_has_no_element_more(name: str) -> None:
    page, plain = _page(name), _page("Acme")
    assert _Tags(page.body).seen == _Tags(plain.body).seen
    assert not _unseen(page.body) - {"\n"}
    assert len(page.body) < len(plain.body) + 1_000
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert not any(_unseen(value) for value in page.headers.values())


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, PERSON, "[red]x[/red]", "\x1b]0;title\x07", "\x9b31m"])
def test_a_terminal_shows_a_name_and_obeys_none(name: str) -> None:
    written = io.StringIO()
    console = Console(file=written, highlight=False, markup=False, emoji=False, width=240)
    out = Output(as_json=False, console=console, errors=console)
    out.table(["app", "who"], [[name, name]], empty="nothing")
    out.facts([("app", name)])
    out.failure(name, name, 1)
    lines = written.getvalue().split("\n")
    assert not _unseen("".join(lines)), lines
    assert not _unseen(inert(name))
    assert len(inert(name)) <= 200
    assert "\n" not in inert(name)
