"""An administrator's browser: opens the consent page, ticks what is ticked, and reads the page at the end."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin

import requests

from scripts.demo.waiting import DemoFailedError

_KEY: Final = re.compile(r"lnt_[a-z0-9]{1,12}_[0-9a-v]{16}_[0-9A-Za-z]{49}")
_TIMEOUT_S: Final = 40


@dataclass
class Form(HTMLParser):
    """The first form of a page, filled in as the page suggests."""

    action: str | None = None
    fields: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in the form and its fields."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and self.action is None:
            self.action = given.get("action", "")
        if tag != "input" or "name" not in given:
            return
        ticked = given.get("type") not in ("checkbox", "radio") or "checked" in given
        if ticked:
            self.fields.append((given["name"], given.get("value", "")))


@dataclass(frozen=True, slots=True)
class Consented:
    """What came of a consent: the key from the page, and where the browser ended up."""

    key: str = field(repr=False)
    url: str


def connect(start_url: str) -> Consented:
    """Go through the consent of an organisation, from `/connect/<provider>` to the page with the key.

    Raises:
        DemoFailedError: a page was not what it should be.
    """
    with requests.Session() as browser:
        page = browser.get(start_url, timeout=_TIMEOUT_S)
        _good(page, "the provider's consent page")
        form = Form()
        form.feed(page.text)
        if form.action is None:
            raise DemoFailedError(f"the provider's page at {page.url} has no form")
        answer = browser.post(
            urljoin(page.url, form.action), data=[*form.fields, ("decision", "allow")], timeout=_TIMEOUT_S
        )
        _good(answer, "the page after consent")
    found = _KEY.search(answer.text)
    if found is None:
        raise DemoFailedError("the page after consent shows no key")
    if "no-store" not in answer.headers.get("Cache-Control", ""):
        raise DemoFailedError("the page with the key may be cached")
    return Consented(found[0], answer.url)


def _good(response: requests.Response, what: str) -> None:
    if response.status_code != 200:
        text = re.sub(r"<[^>]+>", " ", response.text)
        raise DemoFailedError(f"{what} answered {response.status_code}: {' '.join(text.split())[:400]}")
