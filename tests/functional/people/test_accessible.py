"""Every page of people is readable: language, headings, labels, contrast by day and night."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from lantern.services import pages
from lantern.services.pages import Page
from lantern.services.people.decide_page import decision
from lantern.services.people.review_page import review
from lantern.services.people.tools_page import my_tools
from tests.functional.people.test_campaigns import begin
from tests.functional.people.test_managers import line, silent
from tests.functional.people.test_nudges import ask
from tests.functional.people.test_question_page import Browser, link
from tests.functional.people.test_review_page import address, fields
from tests.support.company import Company

__all__ = ["line"]
TEXT = ("--ink", "--soft", "--accent", "--warn")
GROUND = ("--paper", "--card", "--code")


class Reader(HTMLParser):
    """What a screen reader goes by."""

    def __init__(self, body: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.headings: list[int] = []
        self.labels: set[str] = set()
        self.asked: list[str] = []
        self.refers: list[str] = []
        self.language = ""
        self.inside = 0
        self.title = ""
        self._last = ""
        self.empty_buttons = 0
        self.sets = self.legends = 0
        self.feed(body)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self._last = tag
        self.ids += [said["id"]] if "id" in said else []
        self.refers += said.get("aria-describedby", "").split() + said.get("aria-labelledby", "").split()
        self.language = said.get("lang", self.language)
        self.headings += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []
        self.inside += tag == "label"
        self.sets += tag == "fieldset"
        self.legends += tag == "legend"
        self.empty_buttons += tag == "button"
        if tag == "label" and "for" in said:
            self.labels.add(said["for"])
        named = self.inside or said.get("type") == "hidden"
        if tag in ("input", "textarea", "select") and not named:
            self.asked.append(said.get("id", ""))

    def handle_endtag(self, tag: str) -> None:
        self.inside -= tag == "label"

    def handle_data(self, data: str) -> None:
        self.title += data if self._last == "title" else ""
        if self._last == "button" and data.strip():
            self.empty_buttons -= 1
            self._last = ""


def shown(company: Company) -> Iterator[tuple[str, Page]]:
    """Every page, some with a problem."""
    browser = Browser(company)
    nudge = ask(company, "alice", "notion").nudge
    url = link(company, nudge.id)
    page = browser(url)
    yield "question", page
    yield "question, wrong", browser(url, {"check": browser.check(page), "answer": "keep", "reason": ""})
    yield "nothing", browser(f"https://lantern.example/dev/n/{'x' * 20}.{'y' * 43}")
    mine = link(company, company.person("alice"), "tools")
    page = browser(mine, page=my_tools)
    yield "tools", page
    sent = {"check": browser.check(page), "name": "Else", "reason": "r"}
    yield "tools, wrong", browser(mine, {**sent, "reason": ""}, my_tools)
    yield "tools, asked", browser(mine, sent, my_tools)
    (wanted,) = company.bench.store.requests.page("waiting", 2).items
    to_decide = address(company, "request", wanted.id, "bob")
    page = browser(to_decide, page=decision)
    yield "request", page
    yield "request, wrong", browser(to_decide, {"check": browser.check(page)}, decision)
    begin(company, review_by="manager")
    reviewed = address(company, "review", "cam_1", "mia")
    page = browser(reviewed, page=review)
    yield "review", page
    some = {"check": browser.check(page), fields(page.body)[0]: "keep"}
    yield "review, saved", browser(reviewed, some, review)
    silent(company, "bob")
    yield "silence", browser(address(company, "silence", company.person("mia"), "mia"), page=decision)


def test_every_page_can_be_read_and_filled_in_without_seeing_it(line: Company) -> None:
    """One first heading and none skipped, a label for every field, a legend for every group, whole ids."""
    count = 0
    for name, page in shown(line):
        read = Reader(page.body)
        assert read.language == "en", name
        assert read.headings[0] == 1, name
        assert read.headings.count(1) == 1, name
        steps = zip(read.headings, read.headings[1:], strict=False)
        assert all(after <= before + 1 for before, after in steps), (name, read.headings)
        assert set(read.asked) <= read.labels, (name, read.asked)
        assert len(read.ids) == len(set(read.ids)), name
        assert set(read.refers) <= set(read.ids), name
        assert read.sets == read.legends, name
        assert read.empty_buttons == 0, name
        assert read.title.strip().endswith(" · Lantern"), name
        wrong = "wrong" in name
        assert (read.title.startswith("Please check: "), 'role="alert"' in page.body) == (wrong, wrong), name
        assert "<script" not in page.body, name
        count += 1
    assert count == 11


def colours(part: str) -> dict[str, str]:
    """Names and values of a block of colours."""
    return dict(re.findall(r"(--[a-z]+):(#[0-9a-f]{3,6})", part))


def brightness(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("number", [0, 1])
def test_words_stand_out_by_day_and_night(number: int) -> None:
    """At least 4.5 to 1 for every colour of text on every ground, and for words on buttons."""
    style: Any = pages.shown("answered.html", 200, title="t", lines=(), tone="ok", again=None).body
    blocks = re.findall(r":root\{[^}]*\}", style)
    chosen = colours(blocks[0]) | (colours(blocks[1]) if number else {})
    pairs = [(text, ground) for text in TEXT for ground in GROUND] + [("--card", "--accent")]
    for text, ground in pairs:
        low, high = sorted((brightness(chosen[text]), brightness(chosen[ground])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground, number)
