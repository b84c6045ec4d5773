"""`catalog publish` and `catalog overlay list|retract`: entries of ours that need no deploy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import BaseModel, ConfigDict, Field

from lantern.domain.catalog_schema import Label, ProductEntry, Slug, listing_of
from lantern.domain.overlay import OverlayEntry
from lantern.services.catalog import Catalog
from lantern.services.catalog_publishing import Plan, plan
from scripts.admin_cli.errors import USAGE, CliError, bad_input
from scripts.admin_cli.terminal import ago, inert
from scripts.admin_cli.verbs import Desk, verb
from scripts.build.checkout import shipped_catalog
from scripts.build.sources import SourceError, read_source

app = typer.Typer(no_args_is_help=True, help="Entries of the operators, laid over the shipped catalog.")

_FOLLOW: Final = "Tenants follow with their next poll, within 15 minutes; look-ups within 5."
Note = Annotated[str, typer.Option("--note", help="Why, for whoever asks later.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change and change nothing.")]


class FileEntry(ProductEntry):
    """An entry as operators write it: the fields of shipped entries, and what it corrects."""

    replaces: Slug | None = Field(default=None, description="the shipped product it corrects")


class OverlayFile(BaseModel):
    """A publication: why, entries by id, and shipped products that are taken back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    note: Annotated[Label, Field(max_length=500)]
    entries: dict[Slug, FileEntry] = {}
    retractions: tuple[Slug, ...] = ()


def publish(
    desk: Desk,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML; docs/catalog.md shows how it looks.")],
    dry_run: DryRun = False,
) -> None:
    """Add or change the entries of FILE for every tenant. What FILE does not name stays as it is."""
    if not file.is_file():
        raise bad_input("FILE", f"{inert(file, 80)} is not there.", "Name a YAML file.")
    try:
        content = read_source(file, OverlayFile)
    except SourceError as error:
        raise CliError(f"{error}", "Mend the file; docs/catalog.md shows how it looks.", USAGE) from None
    _carry_out(desk, content.note, dry_run, content=content)


@verb(app, "list")
def listing(desk: Desk) -> None:
    """List the operators' entries and the last publications."""
    store = desk.backend.platform.catalog
    current, history = store.current(), store.history()

    def show() -> None:
        shown = [_shown(entry) for entry in current.entries]
        rows = [(*list(one.values())[:-1], ago(one["at"], desk.now())) for one in shown]
        desk.out.table(("id", "product", "says", "name", "written"), rows, empty="No entries.")
        lines = [
            (
                one.version,
                ago(one.at, desk.now()),
                one.by,
                *map(" ".join, (one.added, one.changed, one.removed)),
                " ".join(f"{said.vendor_id}/{said.what}" for said in one.vendors),
                one.note,
            )
            for one in history
        ]
        desk.out.line("")
        columns = ("version", "published", "by", "added", "changed", "removed", "vendors", "note")
        desk.out.table(columns, lines, empty="Nothing was published yet.")

    data = {
        "version": current.version,
        "data": [_shown(entry) for entry in current.entries],
        "history": [_line(one) for one in history],
    }
    desk.out.result(data, show)


@verb(app, "retract")
def retract(
    desk: Desk,
    entry: Annotated[
        str, typer.Argument(metavar="ID", help="The entry, as `catalog overlay list` shows it.")
    ],
    note: Note,
    dry_run: DryRun = False,
) -> None:
    """Take one of the operators' entries away: what is shipped holds again."""
    if not note.strip():
        raise bad_input("--note", "is empty.", "Say why, in a few words.")
    _carry_out(desk, " ".join(note.split())[:500], dry_run, removed=entry)


def _carry_out(
    desk: Desk, note: str, dry_run: bool, *, content: OverlayFile | None = None, removed: str | None = None
) -> None:
    store, by, at = desk.backend.platform.catalog, desk.backend.operator, desk.now()
    before = store.current()
    if removed is not None and removed not in {e.id for e in before.entries}:
        raise CliError(
            f"There is no entry {inert(removed, 60)} of ours.",
            "`catalog overlay list` shows them; to take back a shipped product, publish a retraction.",
        )
    entries = list(_entries(content, note, by, at)) if content else []
    with Catalog(shipped_catalog()) as shipped:
        made = plan(
            before,
            shipped,
            entries=entries,
            removed=() if removed is None else (removed,),
            note=note,
            by=by,
            at=at,
        )
    if made.faults:
        raise CliError("; ".join(made.faults), "Nothing was published. Mend the entries.", USAGE)
    if not made.is_empty and not dry_run:
        store.publish(made.published, made.line)
    _tell(desk, made, dry_run)


def _tell(desk: Desk, made: Plan, dry_run: bool) -> None:
    line = made.line
    published = not (made.is_empty or dry_run)

    def show() -> None:
        if made.is_empty:
            desk.out.line("Nothing changes: the entries say so already.")
            return
        by_id = {e.id: e for e in made.published.entries}
        for word, names in (("add", line.added), ("change", line.changed), ("remove", line.removed)):
            for name in names:
                entry = by_id.get(name)
                said = f": {' · '.join(str(v) for v in list(_shown(entry).values())[1:4])}" if entry else ""
                desk.out.line(f"{word} {inert(name)}{inert(said)}")
        if published:
            desk.out.line(f"Published as version {line.version}.", "bold")
            desk.out.remark(_FOLLOW)
        else:
            desk.out.remark("Nothing was published.")

    desk.out.result({"published": published, **_line(line)}, show)


def _entries(content: OverlayFile, note: str, by: str, at: Any) -> Iterator[OverlayEntry]:
    for name, said in content.entries.items():
        facts = ProductEntry.model_validate(said.model_dump(exclude={"replaces"}))
        yield OverlayEntry(name, listing_of(said.replaces or name, facts), said.replaces, note, by, at)
    for product_id in content.retractions:
        yield OverlayEntry(product_id, None, product_id, note, by, at)


def _shown(entry: OverlayEntry) -> dict[str, Any]:
    product = entry.listing.product if entry.listing else None
    says: str = product.kind if product else "retracted"
    if product and entry.replaces:
        says = f"{says} (correction)"
    return {
        "id": entry.id,
        "product": entry.product_id,
        "says": says,
        "name": product.name if product else None,
        "at": entry.at,
    }


def _line(line: Any) -> dict[str, Any]:
    names = ("version", "note", "by", "at", "added", "changed", "removed")
    return {name: getattr(line, name) for name in names}
