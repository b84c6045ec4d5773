"""Automations are recognised by catalog, permission or name; the AI they call is named only where visible."""

import pytest

from lantern.domain.exports.posture import AutomationPosture
from scripts.admin_cli.assess.knowledge import ExportKnowledge
from tests.unit.posture.support import READ, held, posture

SCRIPT = "https://www.googleapis.com/auth/script.external_request"
GEMINI = "https://www.googleapis.com/auth/generative-language.retriever"


def automations(known: ExportKnowledge, name: str, *scopes: str) -> tuple[AutomationPosture, ...]:
    return posture(known, held("ada@x.example", name, *scopes)).automations


@pytest.mark.parametrize(
    "name",
    ["Zapier", "Make", "n8n", "Workato", "Power Automate", "Google Apps Script", "Workspace Studio", "IFTTT",
     "Tray.io", "Pipedream", "n8n - mail triage", "Zapier | ChatGPT", "Google Workspace Flows"],
)  # fmt: skip
def test_platforms_are_recognised(known: ExportKnowledge, name: str) -> None:
    (one,) = automations(known, name, READ)
    assert one.name == name
    assert one.evidence


@pytest.mark.parametrize(
    "name", ["Slack", "ChatGPT", "Makeswift", "Make a Copy Pro", "Torque Browser", "Apps"]
)
def test_others_are_not(known: ExportKnowledge, name: str) -> None:
    assert automations(known, name, READ) == ()


def test_scripts_are_recognised_by_what_only_they_hold(known: ExportKnowledge) -> None:
    (one,) = automations(known, "Quarterly report builder", SCRIPT, GEMINI)
    assert one.platform == "Google Apps Script"
    assert "script.external_request" in one.evidence
    assert one.calls == ("Gemini API (may call: generative-language)",)
    (plain,) = automations(known, "Untitled project", SCRIPT)
    assert plain.calls == ()


def test_ai_is_named_where_it_is_visible(known: ExportKnowledge) -> None:
    (named,) = automations(known, "Zapier ChatGPT integration", READ)
    assert "ChatGPT (named)" in named.calls
    (own,) = automations(known, "Zapier Agents", READ)
    assert own.calls == ("Zapier Agents (is AI itself)",)
