"""A message in the form of its channel: templates in one place, every name made inert there.

Names of apps and people are chosen by strangers. Slack and Teams get them as literal text (`plain_text`,
`TextRun`), never as markup; HTML escapes them; a subject is one line; direction and control characters go
everywhere. What a template adds of its own comes from the catalog of texts of the message's language.
"""

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import jinja2

from lantern.domain.messages import Message, Section
from lantern.domain.rules.titles import clean
from lantern.services.outreach.wording import HERE, texts

_COLOURS: Final = {
    "critical": "#b3261e",
    "high": "#d9730d",
    "medium": "#c29a00",
    "low": "#3b7dd8",
    "info": "#7a8699",
}
SUBJECT: Final = 150
SLACK_CHARACTERS: Final = 12_000
"""Slack refuses a message whose blocks together are longer than about 13,000 (`msg_blocks_too_long`)."""
TEAMS_BYTES: Final = 27 * 1024
"""A workflow takes 28 kB with the headers."""
_LINES: Final = (300, 160, 80, 40)
"""Lengths of a line, the first with which a message fits: names are shortened before anything is left out."""


def words(text: str, limit: int) -> str:
    """Text of several lines without control and direction characters, cut to a length."""
    lines = [clean(line, limit) for line in text[: limit * 8].split("\n")]
    joined = "\n".join(lines).strip("\n")
    return joined if len(joined) <= limit else joined[: limit - 1].rstrip() + "…"


def parts(section: Section, wording: Mapping[str, Any], limit: int = _LINES[0]) -> list[str]:
    """What a section says under its title, paragraph by paragraph; `limit` is the length of a line."""
    said = [words(section.text, min(2_900, limit * 10))] if section.text else []
    said += [f"{clean(label)}: {clean(value, limit)}" for label, value in section.facts]
    said += [f"• {clean(item, limit)}" for item in section.items]
    return said + ([str(wording["more"]).format(count=section.more)] if section.more else [])


def spoken(section: Section, wording: Mapping[str, Any], limit: int = _LINES[0]) -> str:
    """A section as lines of plain text; `limit` is the length of a line."""
    title = [clean(section.title, min(SUBJECT, limit))] if section.title else []
    return "\n".join([*title, *parts(section, wording, limit)])


@functools.cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        # What is no HTML is quoted by `tojson`, or is plain text.
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"line": clean, "words": words, "spoken": spoken, "parts": parts}
    return made


def _rendered(template: str, message: Message, unsubscribe: str = "", limit: int = _LINES[0]) -> str:
    for button in message.buttons:
        if button.url and urlsplit(button.url).scheme not in {"https", "http"}:
            raise ValueError("a button leads to an address that is no web page")
    return (
        _environment()
        .get_template(template)
        .render(
            message=message,
            unsubscribe=unsubscribe,
            limit=limit,
            texts=texts(message.language),
            colour=_COLOURS.get(message.severity, ""),
        )
    )


def subject(message: Message) -> str:
    """One plain line: no line break can end it and begin a header."""
    return clean(message.title, SUBJECT)


def slack(message: Message) -> str:
    """Slack's blocks, as JSON that Slack takes, however long the names are."""
    return _fitting("slack.json", message, lambda made: len(made) <= SLACK_CHARACTERS)


def teams(message: Message) -> str:
    """The body of a post to a Teams workflow: one adaptive card, as JSON that fits."""
    return _fitting("teams.json", message, lambda made: len(made.encode()) <= TEAMS_BYTES)


def email_text(message: Message, unsubscribe: str = "") -> str:
    """An e-mail's plain part; `unsubscribe` is the address that ends such e-mails."""
    return _rendered("email.txt", message, unsubscribe)


def email_html(message: Message, unsubscribe: str = "") -> str:
    """An e-mail's HTML part: self-contained, no pictures, nothing that reports back."""
    return _rendered("email.html", message, unsubscribe)


def _fitting(template: str, message: Message, fits: Callable[[str], bool]) -> str:
    made = ""
    for limit in _LINES:
        made = _compact(_rendered(template, message, limit=limit))
        if fits(made):
            break
    return made


def _compact(text: str) -> str:
    return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
