"""`python -m scripts.bench.first_day [--employees 250] [--json]`: how many messages a first day brings.

The demo's organisation is connected to a simulated Google Workspace, over tables in memory, and a day passes.
A channel of each kind of taste is set up: Slack as it comes, and e-mail with nothing at once but what is
critical. Exit code 1 if there are more than ten messages, or a channel lacks a critical finding.
"""

import json
import sys
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from scripts.bench.tenant import knowledge
from tests.support.first_day import HOURS, first_day

MOST: Final = 10


def main(
    employees: Annotated[int, typer.Option(help="People of the organisation; the demo has 250.")] = 250,
    seed: Annotated[int, typer.Option(help="Of the organisation.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Measure how many messages reach people on the first day."""
    err = Console(stderr=True)
    with err.status("a first day") as status:
        day = first_day(
            knowledge(), seed, lambda hour: status.update(f"a first day: hour {hour} of {HOURS}"),
            employees=employees, machines=4,
        )  # fmt: skip
    missing = sum(len(titles) for titles in day.missing.values())
    figures = {
        "employees": employees,
        "findings": day.findings,
        "critical findings": day.critical,
        **{f"messages by {name}": count for name, count in day.by_channel.items()},
        "messages": len(day.messages),
        "critical findings that a channel lacks": missing,
    }
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        table = Table("first day", "figure")
        for name, figure in figures.items():
            table.add_row(name, f"{figure:,}")
        Console().print(table)
    raise typer.Exit(1 if missing or len(day.messages) > MOST else 0)


if __name__ == "__main__":
    typer.run(main)
