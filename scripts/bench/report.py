"""The benchmark as tables for people, and as Markdown for the documentation."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

DOCS: Final = Path(__file__).parents[2] / "docs" / "benchmarks.md"
Rows = Sequence[Sequence[str]]

PHASE_HEAD: Final = (
    "phase", "wall s", "÷ bound", "CPU s", "write units", "per principal", "per changed", "read units",
    "calls", "refused", "peak MB",
)  # fmt: skip
PACE_HEAD: Final = ("fetch", "accounts", "wall s", "÷ bound", "calls", "refused", "refused %", "failed")
BILL_HEAD: Final = ("item", "counted", "$ a month")


def phase_rows(life: Mapping[str, Any]) -> Rows:
    """A size's phases."""
    quiet = next(p["write_units"] for p in life["phases"] if p["name"] == "unchanged")
    rows = []
    for p in life["phases"]:
        reads_provider = p["provider_calls"] > 0
        changed = (p["write_units"] - quiet) / p["changed"] if p["changed"] else None
        rows.append(
            (
                p["name"],
                f"{p['wall_s']:.1f}" if reads_provider else "",
                f"{p['wall_s'] / life['bound_s']:.3f}" if reads_provider else "",
                f"{p['cpu_s']:.1f}",
                f"{p['write_units']:,}",
                f"{p['write_units'] / life['principals']:.2f}",
                f"{changed:.1f}" if changed is not None else "",
                f"{p['read_units']:,.0f}",
                f"{p['provider_calls']:,}",
                f"{p['refused']}",
                f"{p['peak_mb']}",
            )
        )
    return rows


def pace_rows(paces: Sequence[Mapping[str, Any]]) -> Rows:
    """Ways of fetching beside one another."""
    return [
        (
            p["name"], f"{p['accounts']:,}", f"{p['wall_s']:,.1f}", f"{p['ratio']:.3f}", f"{p['calls']:,}",
            f"{p['refused']:,}", f"{100 * p['refused'] / p['calls']:.1f}", f"{p['failed']:,}",
        )
        for p in paces
    ]  # fmt: skip


def bill_rows(bill: Sequence[Mapping[str, Any]]) -> Rows:
    """A month's bill with its total."""
    lines = [(line["what"], line["how"], f"{line['dollars']:.3f}") for line in bill]
    return [*lines, ("total", "", f"{sum(line['dollars'] for line in bill):.3f}")]


def sections(result: Mapping[str, Any]) -> list[tuple[str, Sequence[str], Rows]]:
    """Title, head and rows of every table."""
    found: list[tuple[str, Sequence[str], Rows]] = []
    for size in result["sizes"]:
        life = size["life"]
        people = f"{life['principals']:,} principals"
        title = f"{people} × 70 grants: bound {life['bound_s']:.0f} s (time × {life['scale']:g})"
        found.append((title, PHASE_HEAD, phase_rows(life)))
        paces = size["paces"]
        found.append(
            (f"{people}: the fetch alone (time × {paces[0]['scale']:g})", PACE_HEAD, pace_rows(paces))
        )
        if size.get("bill"):
            poll = size["poll"]
            title = (
                f"A month of {life['principals']:,} employees: nightly reconcile and 15-minute polls of "
                f"{poll['events_a_day']:,.0f} token events a day ({poll['provider_calls']} calls and "
                f"{poll['cpu_s']} CPU s a poll; {size['use']['provider_calls']:,} calls, "
                f"{size['use']['cpu_s']} CPU s and {size['use']['peak_mb']} MB a day of use)"
            )
            found.append((title, BILL_HEAD, bill_rows(size["bill"])))
    return found


def show(result: Mapping[str, Any], console: Console) -> None:
    """Print all tables."""
    for title, head, rows in sections(result):
        table = Table(title=title, title_justify="left")
        for number, name in enumerate(head):
            table.add_column(name, justify="left" if number == 0 else "right")
        for row in rows:
            table.add_row(*row)
        console.print(table)


def write_docs(result: Mapping[str, Any]) -> Path:
    """Replace the measured part of `docs/benchmarks.md`."""
    mark = "<!-- measured -->"
    kept = DOCS.read_text().split(mark)[0] if DOCS.exists() else "# Benchmarks\n\n"
    lines = [
        kept + mark,
        "",
        f"Measured on {datetime.now(UTC):%Y-%m-%d}.",
        "",
    ]
    for title, head, rows in sections(result):
        lines += [f"## {title}", "", "| " + " | ".join(head) + " |"]
        lines += ["|" + "|".join("---" if n == 0 else "---:" for n in range(len(head))) + "|"]
        lines += ["| " + " | ".join(row) + " |" for row in rows]
        lines.append("")
    DOCS.write_text("\n".join(lines))
    return DOCS
