"""Anybody may name an app, a person, an organisation: names stay data wherever they are shown."""

import html.parser
import json
import re

import pytest

from tests.security.conftest import Seen, texts

pytestmark = pytest.mark.xdist_group("day")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
MARKUP = re.compile(r"<\s*(img|script|svg|iframe|b)\b", re.IGNORECASE)


def test_hostile_names_are_there(seen: Seen):
    names = [text for answer in seen.answers for text in texts(answer)]
    assert any(MARKUP.search(name) for name in names)
    assert any(name.startswith(("=", "+", "@")) for name in names)


def test_answers_are_json_and_say_so(seen: Seen):
    asked = 0
    for function, answer in seen.account.answers:
        if function == "Api":
            headers = {name.lower(): value for name, value in answer["headers"].items()}
            assert headers["content-type"].split(";")[0] in ("application/json", "application/problem+json")
            assert headers["x-content-type-options"] == "nosniff"
            json.loads(answer["body"])
            assert "\n" not in answer["body"].strip() or MARKUP.search(answer["body"]) is None
            asked += 1
    assert asked > 20


def test_titles_of_findings_are_plain_lines(seen: Seen):
    findings = next(a for a in seen.answers if a.get("data") and "rule_id" in a["data"][0])["data"]
    assert findings
    for finding in findings:
        assert not CONTROL.search(finding["title"])
        assert "\n" not in finding["title"]
        assert len(finding["title"]) < 400


class _Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def test_pages_hold_no_markup_of_others(seen: Seen):
    assert len(seen.pages) > 6
    for page in seen.pages:
        parsed = _Tags()
        parsed.feed(page["body"])
        assert not parsed.tags & {"img", "script", "svg", "iframe", "b", "object"}, page["body"]
        assert parsed.handlers == []
        policy = {name.lower(): value for name, value in page["headers"].items()}
        if page["body"]:
            assert (
                "script-src" in policy["content-security-policy"]
                or "default-src 'none'" in (policy["content-security-policy"])
            )


def test_log_lines_are_one_line_of_json_each(seen: Seen):
    assert len(seen.logged) > 30
    for line in seen.logged:
        assert isinstance(json.loads(line), dict)
        assert not CONTROL.search(line)
