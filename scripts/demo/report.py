"""What the demo prints and writes at the end."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scripts.admin_cli.terminal import inert
from scripts.demo import story, telling
from scripts.demo.across import Across
from scripts.demo.plot import Plot
from scripts.demo.story import Inventory, Past, Row

_NUMERIC: Final = frozenset({"risk", "people", "open", "accounts", "grants", "apps held", "left"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything there is to report. Units are by function; empty where nothing was metered."""

    found: Inventory
    past: Past
    joined: Across
    plot: Plot
    audit_entries: int
    read_units: dict[str, float]
    write_units: dict[str, float]
    setup_seconds: float
    total_seconds: float


def summary(outcome: Outcome) -> dict[str, Any]:
    """The fields of summary.json."""
    found, joined = outcome.found, outcome.joined
    return {
        "connections": {
            one.provider: {
                "principals": one.principals,
                "grants": one.grants,
                "apps": one.apps,
                "consent_to_inventory_seconds": round(one.seconds, 2),
            }
            for one in found.readings
        },
        "vendor": {
            "id": joined.vendor["vendor_id"],
            "connections": len(joined.vendor["connections"]),
            "people": joined.vendor["people"],
            "departed": joined.vendor["departed"],
        },
        "leavers_with_open_accounts": len(joined.leavers),
        "principals": found.principals,
        "apps": len(found.apps),
        "ai_apps": len(found.ai_apps),
        "grants": found.grants,
        "findings": len(outcome.past.findings),
        "findings_by_rule": _by_rule(outcome.past),
        **telling.summary(outcome.plot),
        "audit_entries": outcome.audit_entries,
        "consent_to_inventory_seconds": round(found.inventory_s, 2),
        "consent_to_first_finding_seconds": round(found.first_finding_s, 2),
        "consent_to_findings_seconds": round(outcome.past.seconds, 2),
        "read_units": _total(outcome.read_units),
        "write_units": _total(outcome.write_units),
        "read_units_by_function": outcome.read_units,
        "write_units_by_function": outcome.write_units,
        "setup_seconds": round(outcome.setup_seconds, 2),
        "total_seconds": round(outcome.total_seconds, 2),
    }


def write(path: Path, values: Mapping[str, Any]) -> None:
    """Write summary.json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=2) + "\n")


def show(console: Console, outcome: Outcome) -> None:
    """The tables."""
    found = outcome.found
    read = [(one.title, one.principals, one.grants, one.apps, _s(one.seconds)) for one in found.readings]
    _table(
        console, "Connections", ("provider", "accounts", "grants", "apps held", "read after consent"), read
    )
    titles = {one.provider: one.title for one in found.readings}
    top = [
        (app["name"], titles[app["provider"]], app["risk"], app["holders"], found.reasons[app["id"]])
        for app in found.ai_apps[: story.TOP]
    ]
    _table(console, "Riskiest AI apps", ("app", "at", "risk", "people", "why"), top)
    _show_joined(console, outcome.joined)
    rules = [(rule, severity, number) for (rule, severity), number in _ordered(outcome.past)]
    _table(console, "Findings", ("rule", "severity", "open"), rules)
    for told in telling.tables(outcome.plot):
        _table(console, told.title, told.columns, told.rows)
    times = [
        ("consent to the whole inventory", _s(found.inventory_s)),
        ("consent to the first finding", _s(found.first_finding_s)),
        ("consent to unused grants (180 days of use read)", _s(outcome.past.seconds)),
        *telling.times(outcome.plot),
        ("audit log", f"{outcome.audit_entries} entries, chain sound"),
        ("read units used", _units(outcome.read_units)),
        ("write units used", _units(outcome.write_units)),
        ("whole demo", _s(outcome.total_seconds)),
    ]
    _table(console, "Times and cost", ("", ""), times)


def _show_joined(console: Console, joined: Across) -> None:
    vendor, person = joined.vendor, joined.person
    places = [_place(part, joined) for part in vendor["connections"]]
    title = (
        f"{vendor['vendor']} across {len(places)} connections: {vendor['people']} people,"
        f" {vendor['departed']} of them left"
    )
    _table(console, title, ("provider", "people", "left", "reaches", "apps"), places)
    for chain in vendor["chains"]:
        console.print(Text(inert(chain["sentence"], 400)))
    accounts = [
        (joined.titles[one["connection_id"]], one["status"], one["grants"]) for one in person["accounts"]
    ]
    others = f" ({len(joined.leavers)} people who left have open accounts)"
    _table(console, f"{person['email']} left{others}", ("provider", "account", "grants"), accounts)


def _place(part: Row, joined: Across) -> tuple[object, ...]:
    everyone = any(app["everyone"] for app in part["apps"])
    names = ", ".join(str(app["name"]) for app in part["apps"])
    people = f"{part['people']}{' + all' if everyone else ''}"
    return joined.titles[part["connection_id"]], people, part["departed"], ", ".join(part["data"]), names


def invite(console: Console, api_url: str, key: str) -> None:
    """Where to go on by hand."""
    bearer = f"-H 'Authorization: Bearer {key}'"
    lines = [
        ("API", api_url),
        ("docs", f"{api_url}/docs"),
        ("key", key),
        ("", ""),
        ("riskiest AI apps", f"curl -s {bearer} '{api_url}/v1/apps?verdict=ai&sort=-risk&limit=5'"),
        ("open findings", f"curl -s {bearer} '{api_url}/v1/findings?status=open&limit=5'"),
        ("audit log", f"curl -s {bearer} '{api_url}/v1/audit/verify'"),
    ]
    console.print()
    for name, value in lines:
        console.print(Text(f"{name:<18}{value}" if name else ""), soft_wrap=True)


def _by_rule(found: Past) -> dict[str, dict[str, int]]:
    rules: dict[str, dict[str, int]] = {}
    for (rule, severity), number in _ordered(found):
        rules.setdefault(rule, {})[severity] = number
    return rules


def _ordered(found: Past) -> list[tuple[tuple[str, str], int]]:
    order = ("critical", "high", "medium", "low", "info")
    return sorted(story.by_rule(found.findings).items(), key=lambda row: (order.index(row[0][1]), row[0][0]))


def _table(console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    drawn = Table(
        box=None,
        pad_edge=False,
        show_header=any(columns),
    )
    for name in columns:
        numeric = name in _NUMERIC
        drawn.add_column(
            name,
            justify="right" if numeric else "left",
            no_wrap=numeric or name in ("app", "rule", "at"),
            overflow="fold",
        )
    for row in rows:
        drawn.add_row(*(Text(inert("-" if cell is None else cell, 400)) for cell in row))
    console.print()
    console.print(Text(inert(title, 400), style="bold"))
    console.print(drawn)


def _s(seconds: float) -> str:
    return f"{seconds:.1f} s"


def _total(units: dict[str, float]) -> float | None:
    return sum(units.values()) if units else None


def _units(units: dict[str, float]) -> str:
    if not units:
        return "not metered"
    parts = ", ".join(f"{name} {value:,.0f}" for name, value in sorted(units.items()))
    return f"{sum(units.values()):,.0f} ({parts})"
