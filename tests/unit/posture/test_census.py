"""Rows of several exports add up to the same census in whatever order they come."""

import random
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from lantern.domain.exports.census import NOT_TOLD, Census
from lantern.domain.exports.rows import AccountRow, AppRow, GrantRow, Permission, Row
from tests.unit.posture.support import READ, census_of, held

ENTRA: list[Row] = [
    AppRow("entra", "sp-graph", "app-graph", "Microsoft Graph", roles={"r1": "Mail.Read"}, platform=True),
    AppRow("entra", "sp-1", "app-1", "ChatGPT", publisher="OpenAI", verified_publisher=True),
    AccountRow("entra", "u-1", "ada@x.example", status="active"),
    GrantRow("entra", "u-1", "sp-1", frozenset({Permission("Files.Read.All", "delegated")})),
    GrantRow("entra", None, "sp-1", frozenset({Permission("r1", "application", role_of="sp-graph")})),
    GrantRow(
        "google", "ada@x.example", "c", frozenset({Permission(READ)}), app_name="Tool", account_alias="101"
    ),
    GrantRow("google", "101", "d", frozenset({Permission("openid")}), app_name="Other"),
]


def seen(census: Census) -> set[tuple[str, str, frozenset[Permission] | None]]:
    return {
        (
            census.people[one.person].label,
            census.apps[one.app].name,
            None if one.permissions == NOT_TOLD else census.sets[one.permissions],
        )
        for one in census.grants()
    }


@settings(max_examples=200, deadline=None)
@given(st.permutations(ENTRA))
def test_the_order_of_files_does_not_matter(rows: list[Row]) -> None:
    census = census_of(rows)
    assert seen(census) == {
        ("ada@x.example", "ChatGPT", frozenset({Permission("Files.Read.All", "delegated")})),
        ("the whole organisation", "ChatGPT", frozenset({Permission("Mail.Read", "application")})),
        ("ada@x.example", "Tool", frozenset({Permission(READ)})),
        ("ada@x.example", "Other", frozenset({Permission("openid")})),
    }
    assert [person.label for person in census.people if person.kind == "user"] == ["ada@x.example"]
    assert {(app.client_id, app.publisher) for app in census.apps} >= {("app-1", "OpenAI")}
    assert census.unnamed_roles() == 0
    assert len(list(census.grants_by_app())) == census.grant_count


def test_the_same_rows_again_change_nothing() -> None:
    assert seen(census_of(ENTRA * 3)) == seen(census_of(ENTRA))


def test_grants_of_one_person_and_app_become_one() -> None:
    census = census_of(
        [
            held("a@x.example", "c", "openid", granted_on=date(2026, 1, 2), last_used=date(2026, 1, 3)),
            held("A@X.example", "c", READ, granted_on=date(2025, 1, 2), last_used=date(2026, 2, 3)),
            held("a@x.example", "c")._replace(permissions=None),
        ]
    )
    (one,) = census.grants()
    assert census.sets[one.permissions] == {Permission("openid"), Permission(READ)}
    assert (one.granted_on, one.last_used) == (date(2025, 1, 2), date(2026, 2, 3))


def test_ids_are_one_account_only_at_their_provider() -> None:
    census = census_of([GrantRow("google", "7", "c", None), GrantRow("slack", "7", "c", None)])
    assert len(census.people) == len(census.apps) == 2
    assert {one.permissions for one in census.grants()} == {NOT_TOLD}


def test_a_role_that_no_export_names_is_counted() -> None:
    census = census_of(
        [GrantRow("entra", None, "sp-1", frozenset({Permission("r9", "application", role_of="gone")}))]
    )
    assert census.unnamed_roles() == 1


def test_joining_many_accounts_keeps_every_grant() -> None:
    rng = random.Random(5)
    rows: list[Row] = [
        GrantRow("google", str(n), f"c{n % 7}", frozenset({Permission("openid")})) for n in range(300)
    ]
    rows += [AccountRow("google", str(n), f"p{n % 100}@x.example") for n in range(300)]
    rng.shuffle(rows)
    census = census_of(rows)
    assert len(census.people) == 100
    assert {person.label for person in census.people} == {f"p{n}@x.example" for n in range(100)}
    assert census.grant_count == len({(n % 100, n % 7) for n in range(300)})
