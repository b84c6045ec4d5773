"""The verb `assess FILE…`."""

import json
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Final, cast, get_args

import typer

from lantern.connectors.imports.formats import Options
from lantern.domain.exports.posture import Posture, posture_of
from lantern.domain.inventory import ConsentProvider, Provider
from scripts.admin_cli.assess.knowledge import knowledge
from scripts.admin_cli.assess.reading import BadLine, Intake, take_in
from scripts.admin_cli.terminal import Output, inert

OK: Final = 0
SOME_BAD: Final = 1
NOTHING: Final = 2
_FIRST: Final = 10

app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False, rich_markup_mode=None)


@app.command("assess")
def assess(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…", help="Exports, also gzipped; - is standard input.", show_default=False
        ),
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole posture as JSON.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a report that stands alone.")
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option("--provider", metavar="P", help="Whose permissions a CSV inventory lists, if unclear."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DATE", help="The day of the export; today unless given."),
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, max=1000, help="How many rows a table shows.")] = 10,
) -> None:
    """Show the posture that exports tell: which AI is in use, what it reaches, how risky it is, and why.

    Reads GAM tokens and users CSV, Google tokens JSON, Microsoft Graph, Okta and Slack JSON, CSV lists, and
    web logs of Zscaler, Netskope, Umbrella, Squid and Cloudflare; what a file is, is found out. Needs no
    cloud, no network and no consent, and writes nothing but --html.

    Exit codes: 0 everything was read; 1 some rows could not be used; 2 nothing could be read.
    """
    out = Output(as_json=as_json)
    chosen = _provider(out, provider)
    day = _day(out, as_of)
    intake = take_in(files, Options(chosen), day, progress=None if as_json else out.errors)
    if not intake.readable:
        _nothing(out, intake)
        raise typer.Exit(NOTHING)
    known = knowledge()
    posture = posture_of(intake.census, intake.sources, known, known.rules, day)
    if html is not None:
        _write_report(out, html, posture, intake.bad)
    if as_json:
        _print_json(posture, intake)
    else:
        from scripts.admin_cli.assess.screen import Screen

        screen = Screen(out, top)
        screen.show(posture)
        if intake.visits is not None:
            screen.visits(intake.visits)
        _report_bad(out, intake)
        if html is not None:
            out.remark(f"report written to {html}")
    raise typer.Exit(OK if intake.faultless else SOME_BAD)


def _print_json(posture: Posture, intake: Intake) -> None:
    document = posture.document()
    document["bad_rows"] = intake.bad
    if intake.visits is not None:
        document["visits"] = intake.visits.counts
        document["candidates"] = intake.visits.candidates()
    for part in json.JSONEncoder(indent=2, default=_plain).iterencode(document):
        sys.stdout.write(part)
    sys.stdout.write("\n")


def _plain(value: object) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value):
        # One level at a time: a copy of everything would be the largest thing in memory.
        return {part.name: getattr(value, part.name) for part in fields(value)}
    raise TypeError(type(value).__name__)


def _write_report(out: Output, path: Path, posture: Posture, bad: list[BadLine]) -> None:
    from scripts.admin_cli.assess.report import render

    try:
        path.write_text(render(posture, bad), encoding="utf-8")
    except OSError as error:
        _stop(
            out, f"--html: {path} cannot be written: {error.strerror}.", "Name a file in a folder of yours."
        )


def _report_bad(out: Output, intake: Intake) -> None:
    total = sum(source.bad for source in intake.sources)
    if total:
        out.errors.print(f"{total:,} rows could not be used; the others were. The first:", style="bold")
        for one in intake.bad[:_FIRST]:
            out.errors.print(f"  {inert(one.file, 60)}, line {one.line}: {inert(one.reason)}", soft_wrap=True)
        if total > _FIRST:
            out.errors.print(f"  … and {total - _FIRST:,} more: --json lists them", style="dim")
    _problems(out.errors.print, intake)


def _problems(say: Callable[..., None], intake: Intake) -> None:
    for source in intake.sources:
        if source.problem is not None:
            say(f"{inert(source.name, 60)}: {inert(source.problem, 2_000)}", style="bold red", soft_wrap=True)


def _nothing(out: Output, intake: Intake) -> None:
    if out.as_json:
        sources = [
            {"name": one.name, "format": one.format, "rows": one.rows, "bad": one.bad, "problem": one.problem}
            for one in intake.sources
        ]
        bad = [{"file": one.file, "line": one.line, "reason": one.reason} for one in intake.bad]
        error = {"message": "Nothing could be read.", "exit_code": NOTHING}
        print(json.dumps({"error": error, "sources": sources, "bad_rows": bad}, indent=2))
        return
    out.errors.print("Nothing could be read.", style="bold red")
    _report_bad(out, intake)
    out.errors.print("docs/assess.md says how to make each of these files.", style="dim")


def _provider(out: Output, given: str | None) -> Provider | None:
    if given is not None and given not in get_args(ConsentProvider):
        remedy = f"Known are {', '.join(get_args(ConsentProvider))}."
        _stop(out, f"--provider: {inert(given, 40)!r} is not known.", remedy)
    return cast("Provider | None", given)


def _day(out: Output, given: str | None) -> date:
    if given is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(given)
    except ValueError:
        _stop(out, f"--as-of: {inert(given, 40)!r} is no date.", "Write it as 2026-03-31.")
        raise


def _stop(out: Output, message: str, remedy: str) -> None:
    out.failure(message, remedy, NOTHING)
    raise typer.Exit(NOTHING)
