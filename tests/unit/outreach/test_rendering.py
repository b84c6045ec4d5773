"""Hostile names in every channel's form: they are text, and nothing else."""

import json
from html.parser import HTMLParser

import pytest

from lantern.channels.slack import SlackChannel
from lantern.domain.messages import Button, Message, Outgoing, Section
from lantern.services.outreach import rendering
from lantern.services.outreach.wording import texts

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</p><script>alert(1)</script>",
    "<!channel> <@U123> <https://evil.example|Google>",
    "*bold* _it_ `code` [Google](https://evil.example) @here",
    '=HYPERLINK("https://evil.example","x")',
    "Evil\r\nBcc: victim@example.com\r\n\r\nbody",
    "a\u202egnp.exe\u200b\u2066b",
    'quote " and \\ and {{ 7*7 }} ${title}',
    "\x00\x1b[31mred\x07",
    "A" * 10_000,
]


def message(name: str) -> Message:
    return Message(
        "alert",
        f"{name} is not sanctioned",
        f"About {name}",
        (Section(name, name, ((name, name),), (name, "other"), 14),),
        (Button("Open", url="https://console.example/findings"), Button(name, action="keep", value="v")),
        footer=f"For {name}",
        severity="critical",
    )


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def shape(text: str) -> tuple[list[str], list[str]]:
    parser = Tags()
    parser.feed(text)
    return parser.tags, parser.links


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_name_is_inert_everywhere(name: str) -> None:
    hostile, plain = message(name), message("Plain")
    assert shape(rendering.email_html(hostile)) == shape(rendering.email_html(plain)), (
        "it adds no tag or link"
    )
    subject = rendering.subject(hostile)
    assert subject.isprintable()
    assert len(subject) <= 150
    for form in (rendering.slack, rendering.teams):
        assert _skeleton(json.loads(form(hostile))) == _skeleton(json.loads(form(plain)))
        assert len(form(hostile).encode()) < 28 * 1024
    for block in json.loads(rendering.slack(hostile)):
        for text in _texts(block):
            assert text["type"] == "plain_text", "no markup is read in it"
            assert len(text["text"]) <= 3_000
    for text in (rendering.email_text(hostile), rendering.slack(hostile), rendering.teams(hostile)):
        assert not {"\u202e", "\u200b", "\u2066", "\x00", "\x1b", "\r"} & set(text)
    assert "and 14 more" in rendering.email_text(hostile)


def _skeleton(node: object) -> object:
    """Structure without the words."""
    if isinstance(node, dict):
        return {
            key: "…" if key in ("text", "title") and isinstance(v, str) else _skeleton(v)
            for key, v in node.items()
        }
    return [_skeleton(item) for item in node] if isinstance(node, list) else node


def _texts(block: dict) -> list[dict]:
    found = [block["text"]] if isinstance(block.get("text"), dict) else []
    elements = block.get("elements", [])
    return found + [one if one["type"] == "plain_text" else one["text"] for one in elements]


def test_what_slack_shows_in_a_notification_mentions_nobody() -> None:
    class Session:
        def post(self, url: str, **kwargs: object) -> object:
            self.body = kwargs["json"]
            raise __import__("requests").ConnectionError

    session = Session()
    sent = SlackChannel(session).send(  # type: ignore[arg-type]
        Outgoing("k", "C1", None, text="<!channel> & <@U1>", payload="[]", secret='{"bot": "xoxb-1"}')  # type: ignore[arg-type]
    )
    assert session.body["text"] == "&lt;!channel&gt; &amp; &lt;@U1&gt;"
    assert (session.body["parse"], session.body["link_names"], session.body["mrkdwn"]) == (
        "none",
        False,
        False,
    )
    assert sent.outcome == "retry"


def test_a_button_leads_to_a_web_page_only() -> None:
    with pytest.raises(ValueError, match="no web page"):
        rendering.slack(Message("nudge", "x", buttons=(Button("x", url="javascript:alert(1)"),)))


def test_an_unknown_language_is_english() -> None:
    assert texts("xx") == texts("en")
