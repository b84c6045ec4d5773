"""`python -m scripts.bench [--principals 1000 --principals 10000] [--json] [--write-docs]`."""

import json
import subprocess
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console

from scripts.bench.cost import bill
from scripts.bench.report import show, write_docs

BILLED = 10_000


def measured(what: str, principals: int, scale: float) -> Any:
    """One measurement in a process of its own."""
    command = [sys.executable, "-m", "scripts.bench.measure", what]
    command += ["--principals", str(principals), "--scale", str(scale)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def size(principals: int, scale: float, console: Console) -> dict[str, Any]:
    """Everything about one size of organisation."""
    found: dict[str, Any] = {}
    steps = {
        "life": "first load, unchanged, 1 % changed",
        "paces": "the fetch alone, and Google's own client",
    }
    if principals >= BILLED:
        steps["poll"] = "a poll of a quarter hour among a million events a day"
        steps["use"] = "a day of use"
    for what, text in steps.items():
        with console.status(f"{principals:,} principals: {text}"):
            found[what] = measured(what, principals, scale)
    if "poll" in found:
        found["bill"] = [asdict(line) for line in bill(found["life"], found["poll"], found["use"])]
    return found


def main(
    principals: Annotated[list[int] | None, typer.Option(help="Sizes; 1,000 when left out.")] = None,
    scale: Annotated[float, typer.Option(help="How much faster time runs, for all alike.")] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    docs: Annotated[bool, typer.Option("--write-docs", help="Write docs/benchmarks.md.")] = False,
) -> None:
    """Measure discovery of organisations with 70 grants a head against a simulated Google with its quotas."""
    console = Console(stderr=True)
    result = {"scale": scale, "sizes": [size(n, scale, console) for n in principals or [1000]]}
    if docs:
        console.print(f"written: {write_docs(result)}")
    if as_json:
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
    else:
        show(result, Console())


if __name__ == "__main__":
    typer.run(main)
