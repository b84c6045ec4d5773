"""`audit verify`: every kind of tampering is named, from the table and from a file."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from lantern.domain.audit import AuditEvent
from scripts.admin_cli.target import Backend
from tests.unit.scripts.conftest import NOW, Admin, client

Rows = list[dict[str, Any]]


@pytest.fixture
def rows(backend: Backend, tenant: str) -> Rows:
    """Six entries, as an export has them."""
    store = backend.tenant(tenant)
    for number in range(5):
        store.transact(NOW).audit(AuditEvent("key_1", "app.decided", f"app_{number}", {"n": "1"})).commit()
    return [{**asdict(entry), "at": entry.at.isoformat()} for entry in store.audit.entries()]


def export(path: Path, rows: Rows) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def edited(rows: Rows) -> Rows:
    rows[2]["detail"] = {"n": "2"}
    return rows


def missing(rows: Rows) -> Rows:
    return rows[:2] + rows[3:]


def doubled(rows: Rows) -> Rows:
    return rows[:3] + rows[2:]


def swapped(rows: Rows) -> Rows:
    rows[2], rows[3] = rows[3], rows[2]
    return rows


def replaced(rows: Rows) -> Rows:
    rows[2]["prev_hash"] = "1" * 64
    return rows


@pytest.mark.parametrize("tamper", [edited, missing, doubled, swapped, replaced])
def test_a_file_that_was_tampered_with_names_the_first_bad_entry(
    admin: Admin, rows: Rows, tmp_path: Path, tamper: Callable[[Rows], Rows]
) -> None:
    ran = admin("audit", "verify", "--file", export(tmp_path / "export.jsonl", tamper(rows)), "--json")
    assert ran.code == 1
    assert ran.data["sound"] is False
    assert ran.data["first_bad_seq"] in (3, 4)
    assert ran.data["why"]


def test_an_edit_is_explained(admin: Admin, rows: Rows, tmp_path: Path) -> None:
    ran = admin("audit", "verify", "--file", export(tmp_path / "e.jsonl", edited(rows)))
    assert "breaks at entry 3: its content is not what was hashed (app.decided" in ran.out


def test_a_sound_file_is_sound_and_says_what_it_cannot_see(admin: Admin, rows: Rows, tmp_path: Path) -> None:
    ran = admin("audit", "verify", "--file", export(tmp_path / "e.jsonl", rows))
    assert ran.code == 0
    assert "sound: 6 entries" in ran.out
    assert "--head" in ran.err
    part = admin("audit", "verify", "--file", export(tmp_path / "p.jsonl", rows[3:]))
    assert part.code == 0
    assert "starts after entry 3" in part.err


def test_a_cut_end_is_seen_with_a_trusted_head(admin: Admin, rows: Rows, tmp_path: Path) -> None:
    head = f"{rows[-1]['seq']}:{rows[-1]['hash']}"
    path = export(tmp_path / "e.jsonl", rows[:-1])
    assert admin("audit", "verify", "--file", path).code == 0
    ran = admin("audit", "verify", "--file", path, "--head", head)
    assert ran.code == 1
    assert "entry 6: it is missing" in ran.out


def test_input_can_be_piped(admin: Admin, rows: Rows) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    assert admin("audit", "verify", "--file", "-", stdin=text).code == 0


@pytest.mark.parametrize("line", ["{", "[]", '{"seq": 1}', '{"seq": "1"}'])
def test_a_file_of_something_else_names_the_line(admin: Admin, tmp_path: Path, line: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(f"\n{line}\n")
    ran = admin("audit", "verify", "--file", str(path))
    assert ran.code == 1
    assert "Line 2 is no audit entry" in ran.err


def test_the_stored_chain_is_verified_and_tampering_is_seen(
    admin: Admin, backend: Backend, tenant: str, rows: Rows
) -> None:
    assert admin("audit", "verify", tenant, "--json").data["last_seq"] == 6
    key = {"pk": {"S": f"T#{tenant}#AUDIT"}, "sk": {"S": "E#000000000004"}}
    client("dynamodb").delete_item(TableName="tenant", Key=key)
    ran = admin("audit", "verify", tenant, "--json")
    assert ran.code == 1
    assert (ran.data["first_bad_seq"], ran.data["why"]) == (4, "it is missing.")


def test_the_stored_chain_must_pass_through_a_trusted_head(
    admin: Admin, backend: Backend, tenant: str, rows: Rows
) -> None:
    assert admin("audit", "verify", tenant, "--head", f"4:{rows[3]['hash']}").code == 0
    forked = admin("audit", "verify", tenant, "--head", f"4:{'f' * 64}", "--json")
    assert (forked.code, forked.data["first_bad_seq"]) == (1, 4)
    ahead = admin("audit", "verify", tenant, "--head", f"9:{'f' * 64}", "--json")
    assert (ahead.code, ahead.data["first_bad_seq"]) == (1, 7)


def test_it_must_be_clear_what_to_verify(admin: Admin, tmp_path: Path) -> None:
    assert admin("audit", "verify").code == 2
    assert "--head" in admin("audit", "verify", "--file", "-", "--head", "7").err
    gone = admin("audit", "verify", "--file", str(tmp_path / "gone"))
    assert (gone.code, "No such file" in gone.err) == (2, True)
