"""The three parts of the story as a table for people and as fields for machines."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from scripts.demo import overscoped
from scripts.demo.evidence import Evidence
from scripts.demo.plot import Plot
from scripts.demo.runs import GONE

_ONE: Final[Mapping[str, int]] = {"verified": 1}
"""What the revocation of the over-scoped app came to: one grant, or the story would have ended."""


@dataclass(frozen=True, slots=True)
class Told:
    """One table."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


def summary(plot: Plot) -> dict[str, Any]:
    """The fields of summary.json about the story."""
    app, leaver, vendor = plot.app, plot.leaver, plot.vendor
    outcomes = (_ONE, leaver.outcomes, vendor.outcomes)
    files = [{"kind": one.kind, "html": str(one.page), "json": str(one.data)} for one in plot.evidence]
    return {
        "revoked": sum(_gone(one) for one in outcomes),
        "verified": sum(one["verified"] for one in outcomes),
        "push_to_finding_seconds": round(app.found_s, 2),
        "push_to_departure_seconds": round(leaver.told_s, 2),
        "alerts": {"messages_to_people": plot.messages, "signed_events_verified": plot.events},
        "over_scoped_app": {
            "app": overscoped.APP,
            "holder": app.person["email"],
            "finding": {key: app.finding[key] for key in ("id", "rule_id", "title", "severity")},
            "run_id": app.run["id"],
            "question": app.question,
            "reply": app.reply,
            "remaining_access_s": app.remaining_s,
            "finding_to_alert_seconds": round(app.alert_s, 2),
            "start_to_question_seconds": round(app.asked_s, 2),
            "press_to_verified_seconds": round(app.revoked_s, 2),
        },
        "leaver": {
            "person": leaver.person["email"],
            "run_id": leaver.run["id"],
            "outcomes": dict(leaver.outcomes),
            "gone_by_provider": dict(leaver.by_provider),
            "approved_by": leaver.run["approved_by"],
            "approval_to_done_seconds": round(leaver.done_s, 2),
        },
        "vendor_incident": {
            "id": vendor.incident["id"],
            "vendor": vendor.incident["vendor"],
            "people": vendor.incident["people"],
            "grants": vendor.incident["grants"],
            "data": vendor.incident["data"],
            "exposed_from": vendor.incident["exposed_from"],
            "exposed_until": vendor.incident["exposed_until"],
            "outcomes": dict(vendor.outcomes),
            "approved_by": vendor.run["approved_by"],
            "asked_to_rotate": dict(vendor.asked),
            "answered": dict(vendor.answered),
            "approval_to_revoked_seconds": round(vendor.revoked_s, 2),
        },
        "evidence": files,
    }


def tables(plot: Plot) -> Iterator[Told]:
    """The story at a glance, then where its evidence is."""
    yield Told(
        "What happened",
        ("", "an app with too much access", "a person left", "a vendor's incident"),
        tuple(zip(_QUESTIONS, _app(plot), _leaver(plot), _vendor(plot), strict=True)),
    )
    rows = tuple((one.kind, one.entries, _where(one)) for one in plot.evidence)
    yield Told(
        "Evidence: each with its entries of the audit chain, verified", ("of", "entries", "files"), rows
    )


_QUESTIONS = ("found", "asked", "answer", "approved by", "revoked", "how it was verified", "still open")


def _app(plot: Plot) -> tuple[str, ...]:
    app = plot.app
    left = "no access token is left" if not app.remaining_s else f"tokens may work {app.remaining_s} s more"
    return (
        f"{app.finding['title']} ({app.finding['severity']}), {app.found_s:.1f} s after the consent",
        f"{app.person['email']}, in Slack",
        app.reply.partition(". ")[0],
        "nobody needed to: it was the holder's wish",
        "1 grant",
        "read again at Google: it is gone",
        left,
    )


def _leaver(plot: Plot) -> tuple[str, ...]:
    leaver = plot.leaver
    manual = f"{leaver.manual} for an administrator, with steps" if leaver.manual else "nothing"
    places = ", ".join(f"{title} {count}" for title, count in leaver.by_provider.most_common())
    return (
        f"{leaver.person['email']} left: known after {leaver.told_s:.1f} s",
        "nobody: leavers are not asked",
        "-",
        f"a second person ({leaver.run['approved_by']})",
        f"{places}; sessions ended at {leaver.outcomes['applied']}",
        f"{_gone(leaver.outcomes)} read again: gone",
        manual,
    )


def _vendor(plot: Plot) -> tuple[str, ...]:
    vendor, incident = plot.vendor, plot.vendor.incident
    asked = ", ".join(f"{count} by {way}" for way, count in sorted(vendor.asked.items()))
    answers = ", ".join(f"{count} by {way}" for way, count in sorted(vendor.answered.items()))
    rest = len(vendor.run["targets"]) - _gone(vendor.outcomes)
    silent = sum(vendor.asked.values()) - sum(vendor.answered.values())
    return (
        f"{incident['vendor']} reaches {', '.join(incident['data'])} of {incident['people']} people",
        f"holders, to renew keys and passwords: {asked}",
        f"renewed: {answers}",
        f"a second person ({vendor.run['approved_by']})",
        f"{_gone(vendor.outcomes)} of {len(vendor.run['targets'])} grants",
        f"{vendor.outcomes['verified']} read again: gone",
        f"{rest} for an administrator, {silent} answers",
    )


def times(plot: Plot) -> tuple[tuple[str, str], ...]:
    """Measured seconds."""
    return (
        (f"consent to {overscoped.APP} until its finding (push)", _s(plot.app.found_s)),
        ("finding to alert in Slack and by signed webhook", _s(plot.app.alert_s)),
        ("start of the playbook to the question in Slack", _s(plot.app.asked_s)),
        ("button pressed to revoked and verified", _s(plot.app.revoked_s)),
        ("directory suspends an account until Lantern knows (push)", _s(plot.leaver.told_s)),
        (
            f"offboarding of {len(plot.leaver.run['targets'])} targets, approval to done",
            _s(plot.leaver.done_s),
        ),
        (
            f"incident of {len(plot.vendor.run['targets'])} grants, approval to revoked",
            _s(plot.vendor.revoked_s),
        ),
        ("messages to the security officer", str(plot.messages)),
        ("signed events, all verified", str(plot.events)),
    )


def _gone(outcomes: Mapping[str, int]) -> int:
    return sum(outcomes.get(word, 0) for word in GONE)


def _where(one: Evidence) -> str:
    return f"{os.path.relpath(one.page)}, {one.data.name}"


def _s(seconds: float) -> str:
    return f"{seconds:.1f} s"
