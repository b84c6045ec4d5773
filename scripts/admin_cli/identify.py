"""`catalog identify`: is an app AI, and which one? One app, or one a line from standard input."""

import sys
from collections.abc import Iterator
from typing import Annotated, Any, BinaryIO

import msgspec
import typer

from lantern.domain.identification import AppFacts, identify
from lantern.services.catalog import Catalog
from lantern.services.domains import registrable_domain
from scripts.admin_cli.app_lines import MAX_LINE, Line, LineError, answer, read_line
from scripts.admin_cli.errors import FOUND, CliError, bad_input
from scripts.admin_cli.verbs import Desk, verb
from scripts.build.checkout import shipped_catalog
from scripts.build.sources import SourceError

_FIELDS = (
    "id, provider, client_id, name, publisher, domains, homepage, redirect_uris, reply_urls, "
    "extension_id, scopes"
)


def register(app: typer.Typer) -> None:
    """Add the verb to the noun."""
    verb(app, "identify")(identify_apps)


def identify_apps(
    desk: Desk,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The display name.")] = "",
    *,
    jsonl: Annotated[
        bool,
        typer.Option(
            "--jsonl",
            help=f"Read one JSON object a line from standard input ({_FIELDS}; all optional) and write one "
            "answer a line. A bad line is answered with `error` and makes the exit code 1.",
        ),
    ] = False,
    domain: Annotated[
        list[str] | None, typer.Option("--domain", help="Domain or URL; may be repeated.")
    ] = None,
    publisher: Annotated[str | None, typer.Option("--publisher", help="The publisher's name.")] = None,
    client_id: Annotated[str, typer.Option("--client-id", help="The provider's id of the app.")] = "",
) -> None:
    """Say whether an app is AI, which product it is, how sure that is and why, by this checkout's catalog."""
    try:
        path = shipped_catalog()
    except SourceError as error:
        raise CliError(
            f"The catalog's sources are wrong: {error}", "Mend shared/lantern/content/catalog."
        ) from error
    with Catalog(path) as catalog:
        if jsonl:
            if not stream(sys.stdin.buffer, sys.stdout.buffer, catalog):
                raise typer.Exit(FOUND)
            return
        if not (name or domain or publisher or client_id):
            raise bad_input("NAME", "there is nothing to identify.", "Give a name, --domain, or --jsonl.")
        facts = AppFacts("", client_id, name, publisher=publisher, domains=tuple(domain or ()))
        found = answer(Line(facts), 1, identify(facts, catalog, registrable_domain))
    del found["line"]
    shown = {**found, "evidence": "\n".join(found["evidence"])}
    desk.out.result(found, lambda: desk.out.facts(shown.items()))


def stream(source: BinaryIO, sink: BinaryIO, catalog: Catalog) -> bool:
    """Answer every line as it comes, and say whether all of them could be read."""
    encode = msgspec.json.Encoder().encode
    well = True
    for number, raw in _lines(source):
        try:
            line = read_line(raw)
        except LineError as error:
            well = False
            reply: dict[str, Any] = {"line": number, "error": f"line {number}: {error}"}
        else:
            reply = answer(line, number, identify(line.facts, catalog, registrable_domain))
        try:
            sink.write(encode(reply) + b"\n")
            sink.flush()
        except BrokenPipeError:  # the reader has enough
            return well
    return well


def _lines(source: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank with their numbers; of one that is too long only the beginning."""
    number = 0
    while raw := source.readline(MAX_LINE + 2):
        number += 1
        rest = raw
        while not rest.endswith(b"\n") and (rest := source.readline(MAX_LINE + 2)):
            pass
        if raw.strip():
            yield number, raw.strip()
