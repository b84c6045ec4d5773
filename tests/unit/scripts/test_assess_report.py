"""The report: its structure, and that nothing in it can act, load or mislead."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from scripts.admin_cli.assess.report import FEW, MOST, shown, stacked
from tests.unit.scripts.test_admin_assess import EXAMPLES, GAM, HOSTILE, put, run

VOID = {"meta", "rect", "br", "link", "img"}


class Page(HTMLParser):
    """Reads a page: tags in order, attributes, texts; complains about what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.texts: list[str] = []
        self.headings: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("h1", "h2", "h3"):
            self.headings.append(data)
        if not self._open or self._open[-1] != "style":
            self.texts.append(data)


def report(folder: Path, *files: Path) -> tuple[str, Page]:
    path = folder / "r.html"
    code, _, _ = run(*files, "--html", path)
    assert code in (0, 1)
    text = path.read_text("utf-8")
    return text, Page(text)


def test_the_structure_of_the_report(tmp_path: Path) -> None:
    _, page = report(tmp_path, EXAMPLES / "tokens.csv", EXAMPLES / "users.csv")
    assert page.headings == [
        "AI posture",
        "Riskiest AI apps",
        "What AI can reach",
        "By kind of access",
        "Findings",
        "What the rules could not tell",
        "Apps with AI inside",
        "Other apps of high risk",
        "Automations",
        "People who left and still have grants",
        "What these files do not say",
    ]
    assert page.tags.count("h1") == 1
    assert ("html", "lang", "en") in page.attributes
    pictures = [value for tag, name, value in page.attributes if tag == "svg" and name == "aria-label"]
    hidden = [value for tag, name, value in page.attributes if tag == "svg" and name == "aria-hidden"]
    assert page.tags.count("svg") == len(pictures) + len(hidden)
    assert all(pictures)
    scoped = [value for tag, name, value in page.attributes if tag == "th" and name == "scope"]
    assert page.tags.count("th") == len(scoped)


def test_nothing_is_loaded_and_nothing_runs(tmp_path: Path) -> None:
    text, page = report(tmp_path, EXAMPLES / "tokens.csv", EXAMPLES / "users.csv")
    assert not {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "form",
        "a",
        "base",
        "use",
        "image",
    } & set(page.tags)
    assert not [
        name for _, name, _ in page.attributes if name.startswith("on") or name in ("src", "href", "style")
    ]
    assert "url(" not in text
    assert "@import" not in text
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    (policy,) = [
        value
        for tag, name, value in page.attributes
        if tag == "meta" and name == "content" and value and "default-src" in value
    ]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_hostile_names_are_inert(tmp_path: Path) -> None:
    faulty = HOSTILE + ',5,"<script>alert(3)</script>",,,,openid\n'
    text, page = report(tmp_path, put(tmp_path, "<img src=y>.csv", faulty))
    assert "<img" not in text
    assert "<script" not in text
    assert "onerror" not in {name for _, name, _ in page.attributes}
    for char in ("\u202e", "\u202c", "\x1b", "\x00"):
        assert char not in text
    joined = "\n".join(page.texts)
    assert "<img src=x onerror=alert(1)> ChatGPT" in joined
    assert "AI gnp.exe [31mred" in joined
    assert "AI writer Set-Cookie: x" in joined
    assert not [one for one in page.texts if one.strip().startswith(("=", "+", "-", "@"))]
    assert "'=HYPERLINK(" in joined
    for name in ("onerror=alert(1)&gt; ChatGPT", "&#39;=HYPERLINK("):
        assert f"{name}" in text


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@sum", "\t=1", "\u200b=1", " =1"])
def test_names_that_a_spreadsheet_would_compute_are_texts(name: str) -> None:
    assert shown(name).startswith("'")
    assert shown("Otter.ai") == "Otter.ai"


def test_long_tables_are_cut_and_say_so(tmp_path: Path) -> None:
    rows = "".join(f"a@x.example,{n}.apps,ChatGPT,,,1,openid\n" for n in range(MOST + 5))
    rows += "".join(f"a@x.example,t{n}.apps,Slack,,,1,openid\n" for n in range(FEW + 7))
    text, _ = report(tmp_path, put(tmp_path, "t.csv", GAM.partition("\n")[0] + "\n" + rows))
    assert "5 more are in the JSON output." in text
    assert "7 more are in the JSON output." in text


def test_bad_rows_are_in_the_report(tmp_path: Path) -> None:
    text, _ = report(tmp_path, put(tmp_path, "t.csv", GAM + ",c,Tool,,,,openid\n"))
    assert "Rows that could not be used: 1" in text
    assert "the column user is empty" in text


def test_an_organisation_without_ai(tmp_path: Path) -> None:
    _, page = report(tmp_path, put(tmp_path, "u.csv", "primaryEmail,suspended\na@x.example,False\n"))
    assert "No app was recognised as AI." in page.texts
    assert "No rule holds." in page.texts


def test_stacked_bars_fill_the_whole() -> None:
    parts = stacked([("a", "x", 1), ("b", "y", 0), ("c", "z", 2)])
    assert [(one.name, one.start, one.width) for one in parts] == [("a", 0.0, 33.333), ("c", 33.333, 66.667)]
    assert stacked([]) == []
