"""`catalog scopes`: what permissions reach, many at once, one JSON object a line.

Stands alone: no cloud, no deployment, nothing that is slow to import. The table is compiled from this
checkout's YAML in memory.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, cast, get_args

import typer

from lantern.domain.scopes import Counts, Grant, Kind, ScopeTable, classify
from lantern.services.scopes import load_table
from scripts.build.compile_scopes import SOURCES, compile_table

_OK: Final = 0
_FAULTS: Final = 1
_USAGE: Final = 2
_MAX_LINE: Final = 64 * 1024

# `Role` and `Scope` are what app manifests of Microsoft say.
_KINDS: Final[dict[str, Kind]] = {
    **{kind: kind for kind in get_args(Kind)}, "role": "application", "scope": "delegated",
}  # fmt: skip
_EVERYONE: Final = {"allprincipals": True, "principal": False}


app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False, rich_markup_mode=None)


class LineError(Exception):
    """A line that cannot be classified; the message says why."""


@app.command("scopes")
def scopes(
    provider: Annotated[str, typer.Option("--provider", metavar="P", help="Whose permissions they are.")],
    *,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line, in and out.")] = False,
) -> None:
    """Classify permissions: reads one JSON object a line from standard input, answers one a line.

    In: {"scope": …}, and where it matters "type" (application or delegated) and "consent" (AllPrincipals or
    Principal). A bad line is answered with "error" and its number and does not stop the rest; the exit code
    is then 1.
    """
    if not jsonl:
        _fail(
            "This verb speaks JSON lines only.", 'Add --jsonl and give {"scope": …} lines on standard input.'
        )
    table = _table(provider)
    faults = 0
    for answer in answers(sys.stdin.buffer, table):
        faults += "error" in answer
        sys.stdout.write(json.dumps(answer, ensure_ascii=True) + "\n")
    if faults:
        sys.stderr.write(f'{faults} of the lines could not be read; they are marked with "error".\n')
        raise typer.Exit(_FAULTS)


def answers(lines: BinaryIO, table: ScopeTable) -> Iterator[dict[str, Any]]:
    """Yield one answer for each line that is not blank."""
    for number, line in enumerate(_lines(lines), start=1):
        if not line.strip():
            continue
        try:
            yield _answer(line, table)
        except LineError as error:
            yield {"line": number, "error": str(error)}


def providers() -> list[str]:
    """The providers whose permissions are known."""
    return sorted(path.stem for path in SOURCES.glob("*.yaml"))


def _answer(line: bytes, table: ScopeTable) -> dict[str, Any]:
    asked = _object(line)
    scope = asked.get("scope")
    if not isinstance(scope, str) or not scope.strip():
        raise LineError("scope: must be a text that is not empty")
    grant = Grant(_kind(asked.get("type"), table.counts), _tenant_wide(asked))
    found = asdict(classify(table.provider, scope, table=table, grant=grant))
    return {"scope": scope, "type": grant.kind, **{key: found[key] for key in found if key != "scope"}}


def _object(line: bytes) -> dict[str, Any]:
    if len(line) > _MAX_LINE:
        raise LineError(f"the line is longer than {_MAX_LINE} bytes")
    try:
        asked = json.loads(line)
    except UnicodeDecodeError:
        raise LineError("the line is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise LineError(f"the line is not JSON: {error}") from None
    if not isinstance(asked, dict):
        raise LineError("the line is not a JSON object")
    return cast("dict[str, Any]", asked)


def _kind(given: object, counts: Counts) -> Kind | None:
    """The kind of a grant; providers that do not tell the two apart have words of their own (bot, user)."""
    if given is None:
        return None
    kind = _KINDS.get(given.strip().casefold()) if isinstance(given, str) else None
    if kind is None and not (isinstance(given, str) and counts == "either"):
        raise LineError("type: must be application or delegated")
    return kind


def _tenant_wide(asked: dict[str, Any]) -> bool:
    given = asked.get("consent")
    if given is None:
        return False
    everyone = _EVERYONE.get(given.casefold()) if isinstance(given, str) else None
    if everyone is None:
        raise LineError("consent: must be AllPrincipals or Principal")
    return everyone


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines of a stream; of one that is too long, the beginning."""
    while line := stream.readline(_MAX_LINE + 1):
        rest = line
        while not rest.endswith(b"\n") and (rest := stream.readline(_MAX_LINE)):
            pass
        yield line


def _table(provider: str) -> ScopeTable:
    known = providers()
    if provider not in known:
        _fail(f"--provider: there is no table for {provider[:40]!r}.", f"Known are {', '.join(known)}.")
    return load_table(json.loads(json.dumps(compile_table(Path(SOURCES) / f"{provider}.yaml"))))


def _fail(message: str, remedy: str) -> None:
    sys.stderr.write(f"{message}\n{remedy}\n")
    raise typer.Exit(_USAGE)
