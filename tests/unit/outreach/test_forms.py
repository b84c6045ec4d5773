"""Every channel's form against what its receiver takes: the card's schema, sizes, and what must be there."""

import json
from typing import Any

import pytest

from lantern.domain.messages import Button, Message, Section
from lantern.services.outreach import rendering, wording

TEXT_RUN = {
    "type": {"TextRun"},
    "text": str,
    "size": {"default", "small", "medium", "large", "extraLarge"},
    "weight": {"default", "lighter", "bolder"},
    "isSubtle": bool,
}
SCHEMA: dict[str, dict[str, Any]] = {
    "AdaptiveCard": {
        "$schema": str, "type": {"AdaptiveCard"}, "version": {"1.4"}, "body": list, "actions": list,
        "msteams": dict,
    },
    "RichTextBlock": {
        "type": {"RichTextBlock"}, "inlines": list,
        "spacing": {"default", "none", "small", "medium", "large", "extraLarge", "padding"},
    },
    "TextRun": TEXT_RUN,
    "Action.OpenUrl": {"type": {"Action.OpenUrl"}, "title": str, "url": str},
}  # fmt: skip
"""Those members of the elements we use that version 1.4 has (adaptivecards.io, schema explorer).

An unknown member or value makes Teams leave out the element, or the card.
"""
REQUIRED = {
    "TextRun": {"text"},
    "RichTextBlock": {"inlines"},
    "Action.OpenUrl": {"url"},
    "AdaptiveCard": {"version"},
}
WIDE = ["\U0001f9ff" * 200, "漢字" * 100, '"\\' * 100, "e\u0301" * 100, "Plain"]


def check(node: dict[str, Any]) -> None:
    """A card or one of its elements against the table."""
    members = SCHEMA[node["type"]]
    assert REQUIRED[node["type"]] <= set(node)
    for name, value in node.items():
        allowed = members[name]
        assert value in allowed if isinstance(allowed, set) else isinstance(value, allowed), (name, value)
    for child in [*node.get("body", []), *node.get("inlines", []), *node.get("actions", [])]:
        check(child)


def full(name: str, apps: int = 20) -> Message:
    sections = tuple(Section(f"{name} {n}", items=(f"Critical: #{n}# {name}",)) for n in range(apps))
    button = Button("Open in Lantern", url="https://console.example/findings")
    return Message("alert", f"{apps} critical findings", name, sections, (button,), name, "critical")


@pytest.mark.parametrize("name", WIDE, ids=range(len(WIDE)))
def test_twenty_critical_findings_of_twenty_apps_are_whole_whatever_their_names(name: str) -> None:
    """Refused for its size, a message would be lost; cut at a number of apps, the findings of the others."""
    slack, teams = rendering.slack(full(name)), rendering.teams(full(name))
    blocks = json.loads(slack)
    assert len(blocks) <= 50
    assert len(slack) <= 13_000
    assert all(len(block["text"]["text"]) <= 3_000 for block in blocks if block["type"] == "section")
    assert len(teams.encode()) <= 28 * 1024
    for form in (slack, teams, rendering.email_text(full(name)), rendering.email_html(full(name))):
        assert [n for n in range(20) if f"#{n}#" not in form] == []


def test_the_card_is_what_the_schema_and_a_workflow_take() -> None:
    sent = json.loads(rendering.teams(full("App")))
    assert (set(sent), sent["type"]) == ({"type", "attachments"}, "message")
    (attachment,) = sent["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["contentUrl"] is None
    check(attachment["content"])
    bare = json.loads(rendering.teams(Message("test", "Title")))
    check(bare["attachments"][0]["content"])


def test_all_that_a_template_says_of_its_own_comes_from_the_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    """A translation is one file: with every text replaced, no word of the English one is left."""

    def foreign(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: foreign(value) for key, value in node.items()}
        kept = "".join(f" {{{part.split('}')[0]}}}" for part in node.split("{")[1:])
        return f"⟦{kept}⟧"

    english = wording.texts("en")
    monkeypatch.setattr(rendering, "texts", lambda _language: foreign(english))
    message = Message("alert", "T", "", (Section("S", items=("I",)), Section(more=14)), language="xx")
    for form in (
        rendering.slack(message),
        rendering.teams(message),
        rendering.email_text(message, "https://l/u"),
        rendering.email_html(message, "https://l/u"),
    ):
        assert "more" not in form.replace("overflow", "")
        assert "Sent by" not in form
        assert "Unsubscribe" not in form
        assert "⟦ 14⟧" in form
    assert 'lang="xx"' in rendering.email_html(message)


def test_a_mail_holds_nothing_that_reports_back_and_no_name_widens_it() -> None:
    html = rendering.email_html(full("A" * 200), "https://l/u")
    for word in ("<img", "<script", "url(", "src=", "@import", "<link"):
        assert word not in html
    assert "overflow-wrap:anywhere" in html, "a name of 80 letters without a space stays inside on a phone"
    assert len(html.encode()) < 100_000, "Gmail cuts a mail off after 102 kB"
