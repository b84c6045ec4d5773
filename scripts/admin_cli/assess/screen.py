"""The posture on a terminal: figures, bars, tables, reasons."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from lantern.domain.exports.posture import AppPosture, Posture
from lantern.domain.exports.reach import ACCESSES, DATA_CLASSES, ReachCell
from lantern.domain.visits import Visits
from scripts.admin_cli.terminal import Output, inert

STYLES: Final = {
    "critical": "bold red", "high": "red", "medium": "yellow", "low": "green", "none": "dim", "info": "dim",
}  # fmt: skip
_BAR: Final = 12
_NUMBERS: Final = frozenset(
    {
        "risk",
        "people",
        "grants",
        "apps",
        "findings",
        "cannot tell",
        "to AI",
        "visits",
        "bytes out",
        "bytes in",
        "sure",
    }
)


class Screen:
    """Draws a posture."""

    def __init__(self, out: Output, top: int) -> None:
        self._out = out
        self._top = top

    def show(self, posture: Posture) -> None:
        """Everything, most important first."""
        self._head(posture)
        self._apps(posture)
        self._reach(posture.reach)
        self._findings(posture)
        self._automations(posture)
        self._people(posture)
        self._unknown(posture)
        self._limits(posture)

    def visits(self, visits: Visits) -> None:
        """What logs of the web say beside who went where."""
        going = [
            (one.name, f"{one.people:,}", f"{one.events:,}", f"{one.bytes_out:,}", f"{one.bytes_in:,}")
            for one in visits.going()[: self._top]
        ]
        columns = ("product", "people", "visits", "bytes out", "bytes in")
        self._table("Seen going to AI, by the logs", columns, going, len(visits.going()))
        found = visits.candidates()
        rows = [
            (one.domain, f"{one.people:,}", f"{one.events:,}", f"{one.confidence:.0%}", " ".join(one.reasons))
            for one in found[: self._top]
        ]
        columns = ("domain", "people", "visits", "sure", "why")
        self._table("In no catalog, and looks like AI", columns, rows, len(found))
        c = visits.counts
        self._line("")
        self._line(
            f"Lines of logs: {c.kept:,} to AI or apps with AI inside ({c.unnamed:,} by users the log does "
            f"not name), {c.candidate:,} to what looks like AI, {c.ordinary:,} to other known products, "
            f"{c.shared:,} to shared hosts, {c.address:,} to IP addresses, {c.elsewhere:,} elsewhere, "
            f"{c.blocked:,} blocked."
        )

    def _head(self, posture: Posture) -> None:
        c = posture.counts
        for source in posture.sources:
            if source.format:
                self._line(f"{inert(source.name, 60)}: {source.title}, {source.rows:,} rows", "dim")
        self._line("")
        self._line(f"Posture as of {posture.as_of}", "bold")
        facts = [
            ("people", c.people), ("with AI", c.people_with_ai), ("apps", c.apps), ("AI apps", c.ai_apps),
            ("AI inside", c.embedded_ai_apps), ("not identified", c.unidentified_apps),
            ("grants", c.grants), ("to AI", c.ai_grants),
        ]  # fmt: skip
        self._line(" · ".join(f"{value:,} {name}" for name, value in facts))
        more = [
            f"AI apps of critical risk: {c.critical_apps:,}, of high risk: {c.high_apps:,}",
            f"leavers with access: {_maybe(c.leavers)}",
            f"grants unused for 90 days: {_maybe(c.stale_grants)}",
            f"permissions not known: {c.unknown_scopes:,}",
        ]
        self._line(" · ".join(more))

    def _apps(self, posture: Posture) -> None:
        self._app_table("Riskiest AI apps", [app for app in posture.apps if app.verdict == "ai"])
        self._app_table(
            "Riskiest apps with AI inside", [a for a in posture.apps if a.verdict == "embedded_ai"]
        )
        self._app_table("Other apps of high risk", posture.risky_others)

    def _app_table(self, title: str, apps: Sequence[AppPosture]) -> None:
        rows = [(_name(app), _risk(app), _people(app), "; ".join(app.reasons)) for app in apps[: self._top]]
        self._table(title, ("app", "risk", "people", "why"), rows, len(apps))

    def _reach(self, cells: Sequence[ReachCell]) -> None:
        if not cells:
            return
        accesses = [access for access in ACCESSES if any(cell.access == access for cell in cells)]
        by_place = {(cell.data_class, cell.access): cell for cell in cells}
        rows = []
        for data_class in DATA_CLASSES:
            if any(cell.data_class == data_class for cell in cells):
                found = [by_place.get((data_class, access)) for access in accesses]
                rows.append((data_class.replace("_", " "), *map(_cell, found)))
        self._table("What AI can reach: people (apps)", ("data", *accesses), rows, len(rows))

    def _findings(self, posture: Posture) -> None:
        rows = [
            (Text(one.severity.value, STYLES[one.severity.value]), one.title, one.name, f"{one.grants:,}")
            for one in posture.findings[: self._top]
        ]
        self._table("Findings", ("severity", "finding", "about", "grants"), rows, len(posture.findings))
        rules = [
            (one.rule, f"{one.findings:,}", f"{one.unknown:,}" if one.unknown else "-")
            for one in posture.rules
        ]
        self._table("Rules", ("rule", "findings", "cannot tell"), rules, len(rules))

    def _automations(self, posture: Posture) -> None:
        rows = [
            (one.name, one.platform, ", ".join(one.calls) or "not visible", f"{one.people:,}", one.evidence)
            for one in posture.automations[: self._top]
        ]
        columns = ("app", "platform", "AI it calls", "people", "seen by")
        self._table("Automations", columns, rows, len(posture.automations))

    def _people(self, posture: Posture) -> None:
        rows = [
            (one.name, one.status, f"{one.grants:,}", f"{one.ai_grants:,}")
            for one in posture.leavers[: self._top]
        ]
        self._table(
            "People who left and still have grants",
            ("person", "account", "grants", "to AI"),
            rows,
            len(posture.leavers),
        )
        stale = [
            (one.name, f"{one.grants:,}", str(one.last_used or "-")) for one in posture.stale[: self._top]
        ]
        self._table("Not used for 90 days", ("app", "grants", "last use of these"), stale, len(posture.stale))

    def _unknown(self, posture: Posture) -> None:
        rows = [
            (one.scope, one.provider, one.assumed, f"{one.apps:,}", f"{one.people:,}")
            for one in posture.unknown_scopes[: self._top]
        ]
        columns = ("permission", "provider", "taken as", "apps", "people")
        self._table("Permissions that are not known", columns, rows, len(posture.unknown_scopes))

    def _limits(self, posture: Posture) -> None:
        self._line("")
        self._line("What these files do not say", "bold")
        for limit in posture.limits:
            self._line(f"- {limit}")

    def _line(self, text: str, style: str | None = None) -> None:
        self._out.line(text, style)

    def _table(
        self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], total: int
    ) -> None:
        drawn = Table(
            title=title, title_justify="left", title_style="bold", box=None, pad_edge=False,
            header_style="bold",
        )  # fmt: skip
        for index, name in enumerate(columns):
            number = name in _NUMBERS or name in ACCESSES
            drawn.add_column(
                name,
                justify="right" if number else "left",
                overflow="fold",
                min_width=6 if index == 0 else None,
            )
        shown = 0
        for row in rows:
            shown += 1
            drawn.add_row(*(cell if isinstance(cell, Text) else Text(inert(cell, 400)) for cell in row))
        if not shown:
            return
        self._line("")
        self._out.console.print(drawn)
        if total > shown:
            self._line(f"… and {total - shown:,} more (--top, --json, --html)", "dim")


def _maybe(value: int | None) -> str:
    return "not known" if value is None else f"{value:,}"


def _name(app: AppPosture) -> str:
    """The app's own name, and the product behind it where that is another one."""
    if app.product and app.product.casefold() != app.name.casefold():
        return f"{inert(app.name, 60)} ({app.product})"
    return inert(app.name, 60)


def _risk(app: AppPosture) -> Text:
    filled = round(app.risk * _BAR / 100)
    bar = "█" * filled + "░" * (_BAR - filled)
    return Text.assemble((bar, STYLES[app.level]), f" {app.risk:>3}")


def _people(app: AppPosture) -> str:
    if app.whole_organisation:
        return "everyone"
    return f"{app.people:,}" + (f" + {app.groups} groups" if app.groups else "")


def _cell(cell: ReachCell | None) -> Text:
    if cell is None:
        return Text("·", "dim")
    who = "all" if cell.whole_organisation else f"{cell.people:,}"
    return Text(f"{who} ({cell.apps:,})", STYLES[cell.severity])
