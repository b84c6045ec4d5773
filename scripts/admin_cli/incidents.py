"""`incident raise` and `incident list`: what operators tell all tenants about a vendor."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from lantern.domain import ids
from lantern.domain.incidents import Notice
from lantern.services.reference import Reference
from scripts.admin_cli.errors import bad_input
from scripts.admin_cli.terminal import ago, inert
from scripts.admin_cli.vendors import profile_of
from scripts.admin_cli.verbs import Desk, verb
from scripts.build.checkout import shipped_content

app = typer.Typer(no_args_is_help=True, help="Incidents of vendors, raised for every tenant at once.")


@verb(app, "raise")
def raise_(
    desk: Desk,
    vendor: Annotated[str, typer.Argument(metavar="VENDOR", help="A vendor's id or name, such as openai.")],
    summary: Annotated[str, typer.Option("--summary", help="What happened, for the customers.")],
    occurred: Annotated[
        str, typer.Option("--occurred", help="When, such as 2026-03-01T12:00:00Z; without a zone it is UTC.")
    ],
    url: Annotated[str, typer.Option("--url", help="Where the vendor or the press tells of it.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be told and tell nobody.")
    ] = False,
) -> None:
    """Tell every tenant that uses VENDOR who is exposed, with a plan that waits for approval."""
    profile = profile_of(Reference(shipped_content()), vendor)
    words = " ".join(summary.split())
    if not words or len(words) > 1_000:
        raise bad_input(
            "--summary", "is empty or too long.", "Say what happened in at most 1,000 characters."
        )
    if url and not url.startswith("https://"):
        raise bad_input("--url", "is no address.", "It starts with https://.")
    now = desk.now()
    notice = Notice(
        id=ids.time_id("inc", now, desk.wiring.random),
        vendor_id=profile.id,
        occurred_at=_time(occurred, now),
        summary=words,
        raised_at=now,
        raised_by=desk.backend.operator,
        url=url,
    )
    if not dry_run:
        desk.backend.platform.notices.add(notice)

    def show() -> None:
        verb_ = "Would raise" if dry_run else "Raised"
        desk.out.line(f"{verb_} {notice.id} about {profile.vendor}.", "green")
        desk.out.remark(
            "Tenants follow with their next poll, within 15 minutes; nothing is revoked unapproved."
        )

    desk.out.result({"id": notice.id, "vendor": profile.vendor, "raised": not dry_run}, show)


@verb(app, "list")
def listing(desk: Desk) -> None:
    """List what was raised, newest first."""
    notices = desk.backend.platform.notices.all()[::-1]

    def show() -> None:
        rows = [
            (one.id, one.vendor_id, ago(one.occurred_at, desk.now()), one.raised_by, inert(one.summary, 60))
            for one in notices
        ]
        desk.out.table(("id", "vendor", "occurred", "by", "summary"), rows, empty="No incidents.")

    data = [
        {
            "id": one.id,
            "vendor_id": one.vendor_id,
            "occurred_at": one.occurred_at.isoformat(),
            "raised_at": one.raised_at.isoformat(),
            "raised_by": one.raised_by,
            "summary": one.summary,
            "url": one.url,
        }
        for one in notices
    ]
    desk.out.result({"data": data}, show)


def _time(text: str, now: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise bad_input(
            "--occurred", f"{inert(text, 40)} is no time.", "Such as 2026-03-01T12:00:00Z."
        ) from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if at > now:
        raise bad_input("--occurred", "lies in the future.", "Give a time that has been.")
    return at
