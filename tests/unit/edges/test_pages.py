"""What a person sees at the end of a consent."""

import base64
import hashlib
import html
import re
from html.parser import HTMLParser
from typing import get_args

import pytest

from lantern.domain.consent import Refusal
from lantern.services import pages
from lantern.services.pages.wording import WORDINGS

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</style><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe\u202c\u2066x\u2069",
    '=HYPERLINK("https://evil.example","x")',
    "Line\r\nSet-Cookie: a=b\x00\x1b[31m",
    "A" * 10_000,
    "Gооgle",
    '" autofocus onfocus="alert(1)',
    "",
]
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "main", "p", "footer", "code", "h1", "h2", "bdi",
    "ol", "ul", "li", "strong", "span", "pre", "a",
}  # fmt: skip


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def _see(page: pages.Page) -> _Seen:
    seen = _Seen()
    seen.feed(page.body)
    return seen


def _connected(
    organisation: str = "Nordwind", key: str | None = "lnt_key", *, new: bool = True
) -> pages.Page:
    return pages.connected(
        "google", organisation, key=key, new=new, lost=["No dates."], api="https://x.example", reference="r-1"
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text_and_nothing_else(name: str):
    page = _connected(name)
    seen = _see(page)
    assert seen.tags <= ALLOWED
    assert not [pair for pair in seen.attributes if pair[0].startswith("on")]
    assert "49" not in seen.text.replace("Nordwind", "")
    assert not re.search(r"[\u202a-\u202e\u2066-\u2069\x00\x1b]", page.body)
    assert len(page.body) < 12_000
    assert all("\n" not in value and "\r" not in value for value in page.headers.values())


def test_the_policy_allows_the_one_style_and_no_script():
    page = _connected()
    (style,) = re.findall(r"<style>(.*?)</style>", page.body, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = page.headers["Content-Security-Policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert "src=" not in page.body.replace("default-src", "")
    assert "http" not in re.sub(r"https://x\.example", "", page.body)


def test_a_key_shows_on_its_page_and_in_no_repr():
    page = _connected(key="lnt_canary")
    assert "lnt_canary" in page.body
    assert "lnt_canary" not in repr(page)
    again = _connected(key=None, new=False)
    assert "lnt_" not in again.body
    assert "go on working" in again.body


@pytest.mark.parametrize("refusal", get_args(Refusal))
@pytest.mark.parametrize("provider", ["google", "okta", "nonsense"])
def test_every_refusal_says_what_happened_and_what_to_do(refusal: Refusal, provider: str):
    page = pages.refused(provider, refusal, again="/connect/google", reference="r-1", lost=["Scope words."])
    assert 400 <= page.status < 600
    assert page.status == WORDINGS[refusal].status
    seen = _see(page)
    assert "{" not in html.unescape(seen.text.split("}")[-1])
    assert "What to do" in seen.text
    assert "r-1" in seen.text
    assert ("Start again" in re.findall(r"<a[^>]*>([^<]*)</a>", page.body)) is WORDINGS[refusal].again


def test_people_who_may_not_are_told_whom_to_ask():
    page = pages.refused("google", "not_administrator", again=None, reference="r-1")
    assert "super administrator" in page.body


def test_names_are_cut_to_one_inert_line():
    assert pages.inert("  a\u2028b\tc  ") == "a b c"
    assert pages.inert("x" * 100) == "x" * 79 + "…"
    assert pages.inert("\u202eabc\u200b") == "abc"
    assert pages.inert("東京 Grüße 🚀") == "東京 Grüße 🚀"


def test_a_page_promises_only_what_the_provider_can_keep():
    told = {
        provider: _see(
            pages.connected(provider, "Nordwind", key=None, new=True, lost=(), api="https://x", reference="r")
        ).text
        for provider in ("google", "slack", "salesforce")
    }
    assert "what Slack tells of its own accord is seen within seconds" in told["slack"]
    assert "within seconds" in told["google"]
    assert "within seconds" not in told["salesforce"], "it tells nothing of its own accord"
    assert "every change is seen at the latest after 15 minutes" in told["salesforce"]
    assert not any("key below" in text for text in told.values()), "there is none to save"
