"""An administrator's browser: opens consent pages, leaves ticked what is ticked, reads the last page."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin

import requests

from scripts.demo.waiting import DemoFailedError

_KEY: Final = re.compile(r"lnt_[a-z0-9]{1,12}_[0-9a-v]{16}_[0-9A-Za-z]{49}")
_CONNECTED: Final = '<h1 class="ok">'
_TEXT: Final = "\0text"
_TIMEOUT_S: Final = 40
_MOST_PAGES: Final = 5


@dataclass
class Form(HTMLParser):
    """The first form of a page, filled in as the page suggests, sent with its first button."""

    action: str | None = None
    fields: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._select = ""
        self._pressed = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in the form and its fields."""
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "form" and self.action is None:
            self.action = given.get("action", "")
        elif tag == "input" and name:
            if given.get("type") not in ("checkbox", "radio") or "checked" in given:
                self.fields.append((name, given.get("value", "")))
        elif tag == "textarea" and name:
            self.fields.append((name, ""))
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            self._choose(given)
        elif tag == "button" and not self._pressed:
            self._pressed = True
            if name:
                self.fields.append((name, given.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        """A list of choices ends."""
        if tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        """The text of an option without a value of its own is its value."""
        if self._select and self.fields and self.fields[-1] == (self._select, _TEXT):
            self.fields[-1] = (self._select, data)

    def _choose(self, given: dict[str, str]) -> None:
        known = self.fields and self.fields[-1][0] == self._select
        if known and "selected" not in given:
            return
        if known:
            self.fields.pop()
        self.fields.append((self._select, given.get("value", _TEXT)))


@dataclass(frozen=True, slots=True)
class Consented:
    """What came of a consent: the key from the page where it made a new tenant, and where the browser was."""

    key: str | None = field(repr=False)
    url: str


def connect(start_url: str, entered: Mapping[str, str] | None = None) -> Consented:
    """Go through the consent of an organisation, page by page, to the page that says it is connected.

    Args:
        start_url: `/connect/<provider>`, or a link for one connection.
        entered: what is typed into the fields of these names; the rest stays as the pages suggest.

    Raises:
        DemoFailedError: a page was not what it should be.
    """
    with requests.Session() as browser:
        browser.trust_env = False  # everything is on this machine: a proxy would only be in the way
        page = browser.get(start_url, timeout=_TIMEOUT_S)
        for _ in range(_MOST_PAGES):
            _good(page, f"the page at {page.url.partition('?')[0]}")
            form = Form()
            form.feed(page.text)
            if form.action is None:
                break
            typed = [(name, (entered or {}).get(name, value)) for name, value in form.fields]
            page = browser.post(urljoin(page.url, form.action), data=typed, timeout=_TIMEOUT_S)
    if _CONNECTED not in page.text:
        raise DemoFailedError(f"the page after consent does not say that it worked: {_words(page.text)}")
    if "no-store" not in page.headers.get("Cache-Control", ""):
        raise DemoFailedError("the page after consent may be cached")
    found = _KEY.search(page.text)
    return Consented(found[0] if found else None, page.url)


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer given on its page: what the page asked, and what the page after it said."""

    asked: str
    said: str


def answer(url: str) -> Answered:
    """Open the page of a question and give its first answer, as a person's browser does.

    Raises:
        DemoFailedError: a page was not what it should be.
    """
    with requests.Session() as browser:
        browser.trust_env = False
        page = browser.get(url, timeout=_TIMEOUT_S)
        _good(page, "the page of the question")
        form = Form()
        form.feed(page.text.partition("</form>")[0])
        if form.action is None:
            raise DemoFailedError(f"the page of the question asks nothing: {_words(page.text)}")
        after = browser.post(urljoin(page.url, form.action), data=form.fields, timeout=_TIMEOUT_S)
        _good(after, "the page after the answer")
    return Answered(_words(page.text), _words(after.text))


def _good(response: requests.Response, what: str) -> None:
    if response.status_code != 200:
        raise DemoFailedError(f"{what} answered {response.status_code}: {_words(response.text)}")


def _words(html: str) -> str:
    text = re.sub(r"<style.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL)
    return " ".join(text.split())[:400]
