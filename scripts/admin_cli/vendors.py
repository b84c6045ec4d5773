"""`catalog vendor set|list|retract`: what changed in the profile of a vendor, told without a deploy."""

from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

import typer

from lantern.domain.overlay import Publication
from lantern.domain.vendor_overlay import (
    FIELDS,
    VendorEdit,
    VendorNote,
    VendorValueError,
    read_date,
    read_field,
    read_source,
    read_value,
)
from lantern.domain.vendors import Told, VendorProfile
from lantern.services.reference import Reference
from lantern.services.vendor_publishing import Author, Saying, VendorPlan, plan_saying, plan_taking_back
from scripts.admin_cli.errors import USAGE, CliError, bad_input
from scripts.admin_cli.terminal import ago, inert
from scripts.admin_cli.verbs import Desk, verb
from scripts.build.checkout import shipped_content

app = typer.Typer(no_args_is_help=True, help="Changes in the profiles of vendors, for every tenant.")

_FOLLOW: Final = (
    "Tenants that use the vendor follow with their next poll, within 15 minutes; the API within 5."
)
_HELP: Final = "docs/catalog.md shows how fields and values look."

T = TypeVar("T")
Note = Annotated[str, typer.Option("--note", help="Why, for whoever asks later.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change and whom it concerns, and change nothing.")
]


@verb(app, "set")
def set_(
    desk: Desk,
    vendor: Annotated[str, typer.Argument(metavar="VENDOR", help="A vendor's id or name, such as openai.")],
    field: Annotated[str, typer.Argument(metavar="FIELD", help=f"One of {', '.join(FIELDS)}.")],
    value: Annotated[
        str,
        typer.Argument(
            metavar="VALUE",
            help="yes, no; '90 days'; 'EU, US'; 'subsidiary, US, Acme'; 'breach: What happened'; unknown.",
        ),
    ],
    source: Annotated[str, typer.Option("--source", help="The public page that says so: https://…")],
    date: Annotated[str, typer.Option("--date", help="Since when: 2026-03 or 2026-03-14.")],
    note: Note = "",
    dry_run: DryRun = False,
) -> None:
    """Say that FIELD of VENDOR is VALUE now. Tenants that use it are told old and new, page and date."""
    shipped = Reference(shipped_content())
    profile = profile_of(shipped, vendor)
    what = _read("FIELD", lambda: read_field(field))
    saying = Saying(
        what,
        _read("VALUE", lambda: read_value(what, value)),
        Told(
            _read("--source", lambda: read_source(source)),
            _read("--date", lambda: read_date(date, desk.now().date())),
        ),
    )
    before = desk.backend.platform.catalog.current()
    _carry_out(desk, profile, plan_saying(before, shipped, profile, saying, _author(desk, note)), dry_run)


@verb(app, "retract")
def retract(
    desk: Desk,
    entry: Annotated[
        str, typer.Argument(metavar="ID", help="What was said, as `catalog vendor list` shows it.")
    ],
    note: Note,
    dry_run: DryRun = False,
) -> None:
    """Take back what was said of a vendor: what is shipped holds again."""
    if not note.strip():
        raise bad_input("--note", "is empty.", "Say why, in a few words.")
    shipped, before = Reference(shipped_content()), desk.backend.platform.catalog.current()
    edit = next((one for one in before.vendors if one.id == entry), None)
    if edit is None:
        raise CliError(
            f"We say nothing under {inert(entry, 80)}.", "`catalog vendor list` shows what we say."
        )
    # One that is shipped no more can be taken back all the same.
    profile = shipped.vendor_by_id(edit.vendor_id) or VendorProfile(edit.vendor_id, edit.vendor_id, "")
    _carry_out(desk, profile, plan_taking_back(before, shipped, profile, edit, _author(desk, note)), dry_run)


@verb(app, "list")
def listing(desk: Desk) -> None:
    """List what we say of vendors beyond the shipped profiles, and the last publications about them."""
    store = desk.backend.platform.catalog
    current = store.current()
    history = [one for one in store.history(100) if one.vendors]

    def show() -> None:
        rows = [
            (one.id, inert(one.before or "-"), inert(one.after or "-"), one.date, inert(one.source, 80),
             ago(one.at, desk.now()))
            for one in current.vendors
        ]  # fmt: skip
        desk.out.table(("id", "before", "now", "since", "source", "written"), rows, empty="Nothing is said.")
        desk.out.line("")
        lines = [
            (line.version, ago(line.at, desk.now()), line.by, _told(one), inert(line.note))
            for line in history
            for one in line.vendors
        ]
        columns = ("version", "published", "by", "change", "note")
        desk.out.table(columns, lines, empty="Nothing was published yet.")

    data = {
        "version": current.version,
        "data": [_shown(one) for one in current.vendors],
        "history": [_line(one) for one in history],
    }
    desk.out.result(data, show)


def _carry_out(desk: Desk, profile: VendorProfile, made: VendorPlan, dry_run: bool) -> None:
    if made.fault:
        raise CliError(made.fault, "Nothing was published.", USAGE)
    published = made.line is not None and not dry_run
    concerned = _concerned(desk, profile.id) if made.line is not None and dry_run else None
    if made.line is not None and published:
        desk.backend.platform.catalog.publish(made.published, made.line)

    def show() -> None:
        if made.line is None:
            desk.out.line(f"Nothing changes: the profile of {inert(profile.vendor)} says so already.")
            return
        for one in made.line.vendors:
            desk.out.line(_told(one))
        if concerned is not None:
            using, of = concerned
            desk.out.remark(f"Used by {len(using)} of {of} tenants. Nothing was published.")
        else:
            desk.out.line(f"Published as version {made.line.version}.", "bold")
            desk.out.remark(_FOLLOW)

    data: dict[str, Any] = {"published": published, "vendor": profile.vendor}
    data |= _line(made.line) if made.line else {"changes": []}
    if concerned is not None:
        data["tenants"] = {"using": concerned[0], "of": concerned[1]}
    desk.out.result(data, show)


def _concerned(desk: Desk, vendor_id: str) -> tuple[list[str], int]:
    """Active tenants whose last reading found the vendor, and how many there are: one request a tenant."""
    using, count, cursor = list[str](), 0, None
    while True:
        page = desk.backend.platform.list_tenants(cursor)
        for entry in page.items:
            if entry.status == "active":
                count += 1
                if desk.backend.tenant(entry.id).reach.get(vendor_id)[0] is not None:
                    using.append(entry.id)
        cursor = page.cursor
        if cursor is None:
            return using, count


def profile_of(shipped: Reference, vendor: str) -> VendorProfile:
    """The profile of a vendor by its id or name; refuses what has none."""
    profile = shipped.vendor_by_id(vendor) or shipped.vendor(vendor)
    if profile is None:
        remedy = (
            "`catalog show PRODUCT` names a product's vendor; profiles are in shared/lantern/content/vendors."
        )
        raise bad_input("VENDOR", f"{inert(vendor, 60)!r} has no profile.", remedy)
    return profile


def _read(name: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except VendorValueError as error:
        raise bad_input(name, f"does not fit: {error}.", _HELP) from None


def _author(desk: Desk, note: str) -> Author:
    return Author(desk.backend.operator, desk.now(), " ".join(note.split())[:500])


def _told(one: VendorNote) -> str:
    page = ", ".join(filter(None, (one.date, one.source)))
    back = " (taken back)" if one.taken_back else ""
    words = f"{one.vendor_id} {one.what}: {one.before or 'not known'} → {one.after or 'not known'}{back}"
    return inert(f"{words} · {page}" if page else words)


def _shown(one: VendorEdit) -> dict[str, Any]:
    names = ("id", "vendor_id", "what", "value", "before", "after", "source", "date", "by", "at", "rev")
    return {name: getattr(one, name) for name in names}


def _line(line: Publication) -> dict[str, Any]:
    names = ("vendor_id", "what", "before", "after", "source", "date", "taken_back")
    return {
        **{name: getattr(line, name) for name in ("version", "note", "by", "at")},
        "changes": [{name: getattr(one, name) for name in names} for one in line.vendors],
    }
