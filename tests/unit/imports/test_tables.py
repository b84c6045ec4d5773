"""Delimited formats: good, bad and hostile lines."""

from datetime import date

import pytest

from lantern.connectors.imports.formats import Options
from lantern.connectors.imports.table import MAX_LINE
from lantern.domain.exports.rows import AccountRow, GrantRow, Permission
from tests.unit.imports.samples import DRIVE, GAM, MAIL, bad, everything, rows

HEAD = "user,clientId,displayText,anonymous,nativeApp,userKey,scopes\n"


def grant(text: str, options: Options | None = None) -> GrantRow:
    (row,) = [one for one in rows(text, options) if isinstance(one, GrantRow)]
    return row


def names(row: GrantRow) -> set[str] | None:
    return None if row.permissions is None else {one.scope for one in row.permissions}


def test_gam_tokens() -> None:
    first, second = rows(GAM)
    assert isinstance(first, GrantRow)
    assert isinstance(second, GrantRow)
    assert (first.account, first.account_alias, first.client_id) == (
        "ada@x.example",
        "101",
        "1.apps.googleusercontent.com",
    )
    assert first.permissions == {Permission(DRIVE), Permission("openid")}
    assert (first.kind, second.kind) == ("oauth", "native")
    assert first.granted_on is first.last_used is None


def test_gam_tokens_of_older_versions_number_their_scopes() -> None:
    head = "user,userKey,clientId,displayText,anonymous,nativeApp,scopes,scopes.0,scopes.1,scopes.2\n"
    row = grant(head + f"a@x.example,1,c,Tool,False,False,2,{DRIVE},{MAIL},\n")
    assert names(row) == {DRIVE, MAIL}
    assert names(grant(head + "a@x.example,1,c,Tool,False,False,0,,,\n")) == set()
    unnumbered = HEAD + f'a@x.example,c,Tool,False,False,1,"{DRIVE}\n{MAIL}"\n'
    assert names(grant(unnumbered)) == {DRIVE, MAIL}


def test_people_without_apps_are_no_fault_and_lines_without_people_are() -> None:
    assert everything(HEAD + "a@x.example,,,,,,\n") == []
    faults = bad(HEAD + "a@x.example,c,Tool,,,1,openid\n,c,Tool,,,,openid\n")
    assert [(one.line, one.reason) for one in faults] == [(3, "the column user is empty")]


def test_a_broken_quote_costs_one_line() -> None:
    text = (
        HEAD
        + 'a@x.example,c1,"Broken,,,1,openid\n'
        + "".join(f"b{n}@x.example,c2,Tool,,,2,openid\n" for n in range(400))
    )
    found = everything(text)
    assert len(found) == 401
    assert [one.line for one in bad(text)] == [2]


def test_quoted_line_ends_and_delimiters_belong_to_the_value() -> None:
    row = grant(HEAD + 'a@x.example,c,"Tool, ""the"" one\r\nSet-Cookie: x",,,1,openid\r\n')
    assert row.app_name == 'Tool, "the" one\nSet-Cookie: x'
    assert grant(HEAD + 'a@x.example,c,5" disk,,,1,openid\n').app_name == '5" disk'


def test_lines_that_are_too_wide_or_too_long_are_said() -> None:
    faults = bad(
        HEAD
        + "a@x.example,c,Tool,,,1,openid,extra\n"
        + "x" * (MAX_LINE + 10)
        + "\nb@x.example,c,T,,,1,openid\n"
    )
    assert [one.line for one in faults] == [2, 3]
    assert "8 values" in faults[0].reason
    assert "longer" in faults[1].reason
    assert len(everything(HEAD + "a@x.example,c,Tool,,,1,openid,,\n")) == 1


def test_short_lines_lack_values_only() -> None:
    assert names(grant(HEAD + "a@x.example,c,Tool\n")) == set()


def test_hostile_names_stay_text_and_are_cut() -> None:
    for name in ("<img src=x onerror=alert(1)>", '=HYPERLINK("http://x")', "a\u202eb\u200b", "\x00\x1b[31m"):
        quoted = name.replace('"', '""')
        assert grant(HEAD + f'a@x.example,c,"{quoted}",,,1,openid\n').app_name == name
    assert len(str(grant(HEAD + f"a@x.example,c,{'x' * 10_000},,,1,openid\n").app_name)) == 1_000


def test_google_users() -> None:
    head = "primaryEmail,id,name.fullName,suspended,archived,isAdmin\n"
    found = rows(
        head
        + "a@x.example,1,Ada,True,False,False\nb@x.example,2,Ben,False,True,True\n"
        + "c@x.example,3,C,False,False,\n"
    )
    assert found == [
        AccountRow("google", "1", "a@x.example", "Ada", "suspended", False),
        AccountRow("google", "2", "b@x.example", "Ben", "archived", True),
        AccountRow("google", "3", "c@x.example", "C", "active", None),
    ]
    (only,) = rows("primaryEmail,isAdmin\na@x.example,True\n")
    assert isinstance(only, AccountRow)
    assert only.status is None
    assert [one.line for one in bad(head + ",1,,,,\n")] == [2]


def test_inventory_with_everything() -> None:
    found = rows(
        "Employee;Application Name;Client ID;URL;Permissions;Granted on;Last used;Vendor;"
        "User status;Is admin\n"
        f"a@x.example;ChatGPT;c1;https://chatgpt.com/x;{DRIVE}, {MAIL};31.12.2025;2026/01/02;OpenAI;Left;no\n"
    )
    row, account = found
    assert isinstance(row, GrantRow)
    assert (row.account, row.app_name, row.client_id, row.publisher) == (
        "a@x.example",
        "ChatGPT",
        "c1",
        "OpenAI",
    )
    assert row.domains == ("https://chatgpt.com/x",)
    assert (row.granted_on, row.last_used) == (date(2025, 12, 31), date(2026, 1, 2))
    assert names(row) == {DRIVE, MAIL}
    assert account == AccountRow("google", "a@x.example", "a@x.example", status="deleted", admin=False)


def test_inventory_with_little() -> None:
    row = grant("user,domain\na@x.example,otter.ai\n")
    assert (row.app_name, row.app, row.permissions) == ("otter.ai", "otter.ai", None)
    assert names(grant("user,app,scopes\na@x.example,Tool,\n")) == set()


@pytest.mark.parametrize(
    ("line", "provider"),
    [
        ("Tool,,Mail.Read Files.ReadWrite.All,", "entra"),
        ("Tool,,channels:history,", "slack"),
        ("Tool,,okta.users.read,", "okta"),
        ("Tool,,repo,", "github"),
        ("Tool,1.apps.googleusercontent.com,,", "google"),
        ("Tool,,whatever,", "salesforce"),
        ("Tool,,whatever,Microsoft 365", "entra"),
        ("Tool,,whatever,Google Workspace", "google"),
    ],
)
def test_whose_permissions_they_are_is_found_out(line: str, provider: str) -> None:
    text = f"user,app,client_id,scopes,provider\na@x.example,{line}\n"
    assert grant(text, Options("salesforce")).provider == provider


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2026-03-31", date(2026, 3, 31)), ("2026-03-31T10:00:00Z", date(2026, 3, 31)),
        ("2026-03-31 10:00", date(2026, 3, 31)), ("2026/3/1", date(2026, 3, 1)),
        ("31/12/2025", date(2025, 12, 31)),
        ("12/31/2025", date(2025, 12, 31)), ("01.02.2026", date(2026, 2, 1)),
        ("1774958400", date(2026, 3, 31)),
        ("1774958400000", date(2026, 3, 31)), ("never", None), ("", None), ("N/A", None),
    ],
)  # fmt: skip
def test_days_are_read_as_people_and_programs_write_them(written: str, day: date | None) -> None:
    assert grant(f"user,app,last_used\na@x.example,Tool,{written}\n").last_used == day


@pytest.mark.parametrize(
    "written", ["yesterday", "2026-13-01", "2026-02-30", "1/2/2026", "99999999999999", "0000-00-00"]
)
def test_days_that_are_none_or_ambiguous_are_said(written: str) -> None:
    (fault,) = bad(f"user,app,last_used\nb@x.example,Tool,2026-01-01\na@x.example,Tool,{written}\n")
    assert fault.line == 3
    assert written.split("/", maxsplit=1)[0][:4] in fault.reason


def test_lines_that_name_nobody_or_nothing_are_said() -> None:
    faults = bad("user,app,domain\n,Tool,\na@x.example,,\n")
    assert [(one.line, one.reason.split(":")[0]) for one in faults] == [
        (2, "the user is empty"),
        (3, "the line names no app"),
    ]
