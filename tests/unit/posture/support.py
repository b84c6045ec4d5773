"""Rows in, posture out."""

from collections.abc import Iterable
from datetime import date

from lantern.domain.exports.census import Census
from lantern.domain.exports.posture import AppPosture, Posture, Source, posture_of
from lantern.domain.exports.rows import AccountRow, AppRow, GrantRow, Permission, Row
from scripts.admin_cli.assess.knowledge import ExportKnowledge

TODAY = date(2026, 3, 31)
DRIVE = "https://www.googleapis.com/auth/drive"
READ = "https://www.googleapis.com/auth/drive.readonly"


def held(account: str | None, app: str, *scopes: str, **facts: object) -> GrantRow:
    """A grant at Google."""
    row = GrantRow("google", account, app, frozenset(map(Permission, scopes)), client_id=app, app_name=app)
    return row._replace(**facts)


def census_of(rows: Iterable[Row]) -> Census:
    census = Census()
    for row in rows:
        census.add(row)
    census.close()
    return census


def posture(known: ExportKnowledge, *rows: Row) -> Posture:
    source = Source("test.csv", "gam-tokens", "GAM tokens CSV", len(rows), 0)
    return posture_of(census_of(rows), [source], known, known.rules, TODAY)


def app_of(found: Posture, name: str) -> AppPosture:
    return next(app for app in found.apps if app.name == name)


__all__ = ["DRIVE", "READ", "TODAY", "AccountRow", "AppRow", "app_of", "census_of", "held", "posture"]
