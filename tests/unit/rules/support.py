"""Pages, facts and findings for the tests of rules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lantern.domain.findings import Desired, Group
from lantern.domain.rules.authoring import compile_page
from lantern.domain.rules.model import Rule, rule_from_data
from lantern.domain.rules.vocabulary import Grade, GroupBy, Severity, Subject

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def page(**changes: Any) -> dict[str, Any]:
    """A sound page about grants; every change replaces a key, None removes it."""
    raw: dict[str, Any] = {
        "id": "idle-grant",
        "title": "{app.name} is idle for {params.days} days",
        "why": "Access nobody uses is access only an attacker uses.",
        "runbook": "Ask the holders, then revoke what they do not need.",
        "severity": "medium",
        "stage": "observe",
        "triggers": ["daily"],
        "subject": "grant",
        "params": {"days": {"about": "Days", "default": 90, "min": 30, "max": 365}},
        "where": {"field": "activity.idle_days", "gte": "$days"},
        "tests": [
            {"name": "idle", "given": {"activity": {"idle_days": 120}}, "expect": True},
            {"name": "used", "given": {"activity": {"idle_days": 3}}, "expect": False},
            {"name": "not read", "given": {"activity": {"idle_days": None}}, "expect": "unknown"},
        ],
    }
    raw.update(changes)
    return {key: value for key, value in raw.items() if value is not None}


def rule(**changes: Any) -> Rule:
    """The page compiled to a rule."""
    return rule_from_data(compile_page(page(**changes), "test.yaml"))


def sure(level: Severity = Severity.MEDIUM) -> Grade:
    """A grade every fact of which is known."""
    return Grade(level, certain=True)


def desired(
    *grant_ids: str, level: Severity = Severity.MEDIUM, title: str = "Title", **grades: Grade
) -> Desired:
    """What a grant rule wants for one app."""
    return Desired(
        rule_id="idle-grant",
        rule_version="v1",
        subject=Subject.GRANT,
        group=Group(GroupBy.APP, "app1"),
        title=title,
        grants={**dict.fromkeys(grant_ids, sure(level)), **grades},
    )


def whole(level: Severity = Severity.LOW, *, certain: bool = True) -> Desired:
    """What a rule about a connection wants."""
    return Desired(
        rule_id="unread-bundles",
        rule_version="v1",
        subject=Subject.CONNECTION,
        group=Group(GroupBy.CONNECTION, "con1"),
        title="Unread",
        grants={},
        grade=Grade(level, certain),
    )
