"""The posture as one HTML file: no script, nothing from elsewhere, charts drawn inside, fit for paper.

Names are chosen by strangers. They are shown as one line without control or direction characters, isolated
from the text around them, and never begin like a spreadsheet formula, so that a copied table stays harmless.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lantern.domain.exports.posture import AppPosture, Posture
from lantern.domain.exports.reach import ACCESSES, DATA_CLASSES, ReachCell
from scripts.admin_cli.assess.reading import BadLine
from scripts.admin_cli.terminal import inert

_HERE: Final = Path(__file__).parent
_FORMULA: Final = ("=", "+", "-", "@", "\t")
MOST: Final = 100
FEW: Final = 25
"""Rows of a table; what is more is counted and stands in --json."""
LEVELS: Final = ("critical", "high", "medium", "low")
VERDICTS: Final = (
    ("ai", "AI"), ("embedded_ai", "AI inside"), ("unknown", "not identified"), ("not_ai", "not AI"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a stacked bar: where it begins and how wide it is, of 100."""

    name: str
    style: str
    count: int
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart."""

    name: str
    style: str
    count: int
    apps: int
    everyone: bool
    width: float


def render(posture: Posture, bad: Sequence[BadLine]) -> str:
    """The report as HTML."""
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"shown": shown, "number": number, "maybe": maybe, "people": people}
    style = (_HERE / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    apps = posture.ai_apps
    levels = [(level, level, sum(app.level == level for app in apps)) for level in LEVELS]
    kinds = [
        (name, verdict, sum(app.verdict == verdict for app in posture.apps)) for verdict, name in VERDICTS
    ]
    return environment.get_template("report.html.j2").render(
        posture=posture,
        counts=posture.counts,
        style=style,
        style_hash=f"sha256-{digest}",
        ai=[app for app in apps if app.verdict == "ai"],
        inside=[app for app in apps if app.verdict == "embedded_ai"],
        others=posture.risky_others,
        levels=stacked(levels),
        kinds=stacked(kinds),
        data=data_bars(posture.reach),
        matrix=matrix(posture.reach),
        accesses=accesses(posture.reach),
        bad=bad,
        most=MOST,
        few=FEW,
    )


def shown(value: object, limit: int = 120) -> str:
    """A text from outside as one harmless line."""
    line = inert(value, limit)
    return f"'{line}" if line.startswith(_FORMULA) else line


def number(value: int) -> str:
    """A number as people write it."""
    return f"{value:,}"


def maybe(value: int | None) -> str:
    """A number, or that it is not known."""
    return "not known" if value is None else f"{value:,}"


def people(app: AppPosture) -> str:
    """Who holds an app."""
    if app.whole_organisation:
        return "everyone"
    return f"{app.people:,}" + (f" + {app.groups:,} groups" if app.groups else "")


def stacked(parts: Iterable[tuple[str, str, int]]) -> list[Segment]:
    """The parts of a stacked bar; parts of nothing are left out."""
    given = [part for part in parts if part[2]]
    total = sum(count for _, _, count in given)
    segments: list[Segment] = []
    start = 0.0
    for name, style, count in given:
        width = 100 * count / total
        segments.append(Segment(name, style, count, round(start, 3), round(width, 3)))
        start += width
    return segments


def data_bars(cells: Sequence[ReachCell]) -> list[Bar]:
    """For each kind of data how many people's AI can reach, by the widest access; worst first."""
    bars = []
    for data_class in DATA_CLASSES:
        of_class = [cell for cell in cells if cell.data_class == data_class]
        if of_class:
            worst = of_class[0]
            widest = max(of_class, key=lambda cell: cell.people)
            everyone = any(cell.whole_organisation for cell in of_class)
            bars.append((data_class, worst.severity, widest.people, widest.apps, everyone))
    most = max((bar[2] for bar in bars), default=0) or 1
    return [
        Bar(
            name.replace("_", " "),
            style,
            count,
            apps,
            everyone,
            100.0 if everyone else round(100 * count / most, 2),
        )
        for name, style, count, apps, everyone in bars
    ]


def accesses(cells: Sequence[ReachCell]) -> list[str]:
    """The columns of the matrix."""
    return [access for access in ACCESSES if any(cell.access == access for cell in cells)]


def matrix(cells: Sequence[ReachCell]) -> list[tuple[str, list[ReachCell | None]]]:
    """The rows of the matrix."""
    placed = {(cell.data_class, cell.access): cell for cell in cells}
    columns = [access for access in ACCESSES if any(cell.access == access for cell in cells)]
    return [
        (data_class.replace("_", " "), [placed.get((data_class, access)) for access in columns])
        for data_class in DATA_CLASSES
        if any(cell.data_class == data_class for cell in cells)
    ]
