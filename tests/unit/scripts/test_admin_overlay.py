"""`catalog publish` and `catalog overlay`: what operators say of products without a deploy."""

from pathlib import Path
from typing import Any

import pytest

from lantern.store.platform_catalog import OperatorCatalogStore
from scripts.admin_cli.target import Backend
from tests.unit.scripts.conftest import Admin

GOOD = """
note: Seen this week
entries:
  harbour-notes: {name: Harbour Notes, category: ai_meeting, kind: ai, domains: [harbour-notes.com]}
  zoom-2026: {replaces: zoom, name: Zoom, category: collaboration, kind: ai, domains: [zoom.us]}
retractions: [grammarly]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "update.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_published_listed_and_published_once(admin: Admin, backend: Backend, file: Path) -> None:
    shown = admin("catalog", "publish", str(file), "--dry-run")
    assert (shown.code, backend.platform.catalog.version()) == (0, 0)
    assert "add harbour-notes: harbour-notes · ai · Harbour Notes" in shown.out
    assert "add zoom-2026: zoom · ai (correction) · Zoom" in shown.out
    assert "add grammarly: grammarly · retracted" in shown.out
    assert "Nothing was published." in shown.err

    done = admin("catalog", "publish", str(file), "--json").data
    assert (done["published"], done["version"], done["by"]) == (True, 1, backend.operator)
    assert done["added"] == ["grammarly", "harbour-notes", "zoom-2026"]
    again = admin("catalog", "publish", str(file))
    assert "Nothing changes" in again.out
    assert backend.platform.catalog.version() == 1

    listed = admin("catalog", "overlay", "list", "--json").data
    assert listed["version"] == 1
    assert [(e["id"], e["product"], e["says"]) for e in listed["data"]] == [
        ("grammarly", "grammarly", "retracted"),
        ("harbour-notes", "harbour-notes", "ai"),
        ("zoom-2026", "zoom", "ai (correction)"),
    ]
    assert [(h["version"], h["note"]) for h in listed["history"]] == [(1, "Seen this week")]
    table = admin("catalog", "overlay", "list")
    assert "Harbour Notes" in table.out
    assert "Seen this week" in table.out


def test_what_a_file_does_not_name_stays_and_what_changed_is_told(
    admin: Admin, backend: Backend, file: Path
) -> None:
    admin("catalog", "publish", str(file))
    one = (
        "note: Better\nentries:\n  harbour-notes: {name: Harbour Notes, category: ai_meeting, kind: not_ai}\n"
    )
    told = admin("catalog", "publish", str(write(file, one)))
    assert "change harbour-notes: harbour-notes · not_ai · Harbour Notes" in told.out
    assert "Published as version 2." in told.out
    assert "15 minutes" in told.err
    current = backend.platform.catalog.current()
    assert [(e.id, e.rev) for e in current.entries] == [
        ("grammarly", 1),
        ("harbour-notes", 2),
        ("zoom-2026", 1),
    ]


def test_an_entry_is_retracted_with_a_reason(admin: Admin, backend: Backend, file: Path) -> None:
    admin("catalog", "publish", str(file))
    assert admin("catalog", "overlay", "retract", "zoom-2026").code == 2
    assert admin("catalog", "overlay", "retract", "zoom-2026", "--note", " ").code == 2
    dry = admin("catalog", "overlay", "retract", "zoom-2026", "--note", "shipped", "--dry-run", "--json").data
    assert (dry["published"], dry["removed"]) == (False, ["zoom-2026"])
    done = admin("catalog", "overlay", "retract", "zoom-2026", "--note", "shipped by now")
    assert "remove zoom-2026" in done.out
    assert [line.removed for line in backend.platform.catalog.history(1)] == [("zoom-2026",)]
    missing = admin("catalog", "overlay", "retract", "zoom-2026", "--note", "again")
    assert missing.code == 1
    assert "no entry zoom-2026" in missing.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("entries: {}", "note: Field required"),
        ("note: n\nentries:\n  a: {name: A1, kind: ai}", "a: category: Field required"),
        ("note: n\nentries:\n  a: {name: A1, category: ai_x, kind: ai, tenant: x}", "a: tenant: Extra"),
        ("note: n\nentries:\n  A_b: {name: A1, category: ai_x, kind: ai}", "A_b"),
        ("note: n\nentries: [", "update.yaml"),
        ("note: n\nnote: m", "note: is there twice"),
        ("note: n\nentries:\n  zoom: {name: Zoom, category: x_y, kind: ai}", "say replaces to correct it"),
        ("note: n\nretractions: [no-such-product]", "the catalog has no product no-such-product"),
        (
            "note: n\nentries:\n  a: {replaces: nothing-at-all, name: A1, category: ai_x, kind: ai}",
            "has no product nothing-at-all",
        ),
        (
            "note: n\nentries:\n  a: {name: Same, category: ai_x, kind: ai}\n"
            "  b: {name: sa-me, category: ai_x, kind: ai}",
            "b: name: same is also a",
        ),
        (
            "note: n\nentries:\n  a: {replaces: zoom, name: Zoom, category: ai_x, kind: ai}\n"
            "retractions: [zoom]",
            "several entries are about zoom",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_named(
    admin: Admin, backend: Backend, file: Path, text: str, said: str
) -> None:
    ran = admin("catalog", "publish", str(write(file, text)))
    assert ran.code == 2
    assert said in ran.err, ran.err
    assert backend.platform.catalog.version() == 0


def test_a_file_that_is_not_there_is_named(
    admin: Admin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = admin("catalog", "publish", "nothing.yaml")
    assert ran.code == 2
    assert "nothing.yaml is not there" in ran.err


def test_of_two_operators_the_second_looks_again(
    admin: Admin, backend: Backend, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale: Any = backend.platform.catalog.current()
    admin("catalog", "publish", str(file))
    other = write(file, GOOD.replace("harbour-notes:", "harbour-books:"))
    monkeypatch.setattr(OperatorCatalogStore, "current", lambda self: stale)
    ran = admin("catalog", "publish", str(other))
    assert ran.code == 1
    assert "Somebody published meanwhile" in ran.err
    assert backend.platform.catalog.version() == 1


def test_too_many_entries_are_refused(admin: Admin, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lantern.services.catalog_publishing.MAX_ENTRIES", 2)
    ran = admin("catalog", "publish", str(file))
    assert ran.code == 2
    assert "3 entries are too many" in ran.err
