"""Google's JSON as records: hostile, odd and missing parts included."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lantern.connectors.google import normalize
from lantern.connectors.google.normalize import MalformedError
from lantern.connectors.protocol import Sent
from lantern.domain import ids

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)


def token(**changes: Any) -> dict[str, Any]:
    return {"clientId": "1.apps", "displayText": "Notes", "scopes": ["b", "a"], **changes}


def person(**changes: Any) -> Any:
    user = {"id": "42", "primaryEmail": "Jo@Example.com", "name": {"fullName": "Jo Doe"}, **changes}
    return normalize.principal(user, connection_id="con_1", organisation_id="C1")


def test_items_absent_means_none() -> None:
    assert normalize.grants({"kind": "admin#directory#tokenList"}) == ()


def test_the_order_of_a_listing_changes_nothing() -> None:
    rows = [token(clientId=str(n)) for n in range(5)]
    assert normalize.grants({"items": rows}) == normalize.grants({"items": rows[::-1]})


def test_two_rows_of_one_client_are_one_grant_with_all_scopes() -> None:
    (grant,) = normalize.grants({"items": [token(scopes=["a"]), token(scopes=["b"])]})
    assert grant.scopes == {"a", "b"}
    assert grant.app.id == ids.app_id("google", "1.apps")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [({}, "oauth"), ({"nativeApp": True}, "native"), ({"anonymous": True, "nativeApp": True}, "anonymous")],
)
def test_kinds_of_app(changes: dict[str, Any], kind: str) -> None:
    (grant,) = normalize.grants({"items": [token(**changes)]})
    assert grant.app.kind == kind


@pytest.mark.parametrize(
    "answer",
    [
        {"items": {}},
        {"items": None},
        {"items": ["text"]},
        {"items": [token(clientId=None)]},
        {"items": [token(clientId="")]},
        {"items": [token(scopes="a b")]},
        {"items": [token(scopes=[1])]},
        {"items": [token(), {}]},
    ],
)
def test_one_odd_row_makes_the_bundle_unknown(answer: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        normalize.grants(answer)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("x" * 10_000, "x" * normalize.NAME_LIMIT),
        ("a\r\nSet-Cookie: b\x00\x1b[31m", "a  Set-Cookie: b  [31m"),
        ("=HYPERLINK(1)", "=HYPERLINK(1)"),
        ("  \n ", "1.apps"),
        (None, "1.apps"),
        ("half \ud800", "half"),
    ],
)
def test_names_have_an_end_and_no_control_characters(name: str | None, shown: str) -> None:
    (grant,) = normalize.grants({"items": [token(displayText=name)]})
    assert grant.app.name == shown


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "active"),
        ({"suspended": True}, "suspended"),
        ({"suspended": True, "archived": True}, "archived"),
        ({"suspended": "true"}, "active"),
    ],
)
def test_states_of_accounts(changes: dict[str, Any], status: str) -> None:
    assert person(**changes).status == status


def test_what_was_not_said_is_unknown() -> None:
    bare = normalize.principal({"id": "42"}, connection_id="con_1", organisation_id="C1")
    assert (bare.email, bare.name, bare.admin, bare.last_login, bare.org_unit) == (None,) * 5
    assert person(isAdmin=False).admin is False
    assert person(isAdmin=False, isDelegatedAdmin=True).admin is True
    assert person(lastLoginTime="1970-01-01T00:00:00.000Z").last_login is None
    assert person(lastLoginTime="2026-03-01T23:30:00.000Z").last_login == date(2026, 3, 1)
    with pytest.raises(MalformedError):
        normalize.principal({}, connection_id="con_1", organisation_id="C1")


def test_every_address_the_directory_lists_is_the_accounts() -> None:
    listed = person(
        aliases=["A.Two@Example.com", 7], nonEditableAliases=["one@example.com.test-google-a.com"]
    )
    assert listed.aliases == ("a.two@example.com", "one@example.com.test-google-a.com")
    assert person(aliases="one@example.com").aliases == ()


def event(
    name: str, minute: int = 0, *, app: str = "token", who: str | None = "42", **parameters: Any
) -> Any:
    rows = [
        {"name": k, **({"multiValue": v} if isinstance(v, list) else {"value": v})}
        for k, v in parameters.items()
    ]
    actor = {"email": "Jo@Example.com"} | ({"profileId": who} if who else {})
    return normalize.events(
        {
            "id": {
                "time": f"2026-11-23T10:{minute:02d}:00.000Z",
                "uniqueQualifier": str(-minute),
                "applicationName": app,
            },
            "actor": actor,
            "events": [{"name": name, "parameters": rows}],
        }
    )[0]


def test_hints_are_folded_per_account_with_the_latest_dates() -> None:
    events = [
        event("authorize", 5, client_id="a"),
        event("authorize", 1, client_id="a"),
        event("revoke", 7, client_id="b"),
        event("authorize", 2, client_id="c", who="43"),
        event("activity", 9, client_id="a"),
    ]
    hints = {h.native_id: h for h in normalize.hints(events)}
    assert set(hints) == {"42", "43"}
    assert hints["42"].granted_at == {"a": AT.replace(minute=5)}
    assert hints["42"].event == "revoke"


def test_the_placeholder_profile_names_nobody() -> None:
    (hint,) = normalize.hints([event("authorize", client_id="a", who="105250506097979753968")])
    assert (hint.native_id, hint.email) == (None, "jo@example.com")


def test_uses_are_counted_per_account_and_client() -> None:
    events = [event("activity", m, client_id="a") for m in (3, 9, 1)] + [event("activity", 2, client_id="b")]
    count = normalize.UseCount()
    count.add(events[:2])
    count.add(events[2:])
    count.add([event("activity", who=None, client_id="a"), event("activity"), event("revoke", client_id="a")])
    uses = {u.client_id: (u.events, u.last_at) for u in count.all()}
    assert uses == {"a": (3, AT.replace(minute=9)), "b": (1, AT.replace(minute=2))}


def test_bytes_and_places_are_counted_per_client_and_odd_ones_left_out() -> None:
    count = normalize.UseCount()
    for size in ("1000", "24", "-5", "many", "٣", "9" * 16):
        count.add([event("activity", client_id="a", num_response_bytes=size)])
    count.add([event("activity", client_id="b"), event("authorize", client_id="b", num_response_bytes="7")])
    assert count.traffic.sent() == (Sent("a", AT.date(), 1024),)
    assert count.traffic.places() == ()


@pytest.mark.parametrize(
    ("told", "network", "country"),
    [
        ({"ipAddress": "20.190.128.7"}, "20.190.128.0/24", None),
        ({"ipAddress": "20.190.128.7", "networkInfo": {"ipAsn": [8075], "regionCode": "IE"}}, "AS8075", "IE"),
        ({"ipAddress": "20.190.128.7", "networkInfo": {"ipAsn": []}}, "20.190.128.0/24", None),
        ({"ipAddress": 7, "networkInfo": {"ipAsn": 8075, "regionCode": 4}}, None, None),
        ({"networkInfo": "odd"}, None, None),
    ],
)
def test_events_tell_the_network_and_never_the_address(told: Any, network: str | None, country: str) -> None:
    head = {"time": "2026-11-23T10:00:00.000Z", "uniqueQualifier": "1", "applicationName": "token"}
    row = {"name": "activity", "parameters": [{"name": "client_id", "value": "a"}]}
    found = normalize.events({"id": head, "actor": {"profileId": "1"}, "events": [row]} | told)
    assert (found[0].network, found[0].country) == (network, country)
    assert "20.190.128.7" not in repr(found)


@pytest.mark.parametrize("scopes", [["s1", "s2"], "s1,s2", "s1 s2"])
def test_delegations_given_and_taken_back(scopes: Any) -> None:
    given, taken = normalize.delegations(
        [
            event("REMOVE_API_CLIENT_ACCESS", 5, app="admin", API_CLIENT_NAME="robot"),
            event("AUTHORIZE_API_CLIENT_ACCESS", 1, app="admin", API_CLIENT_NAME="robot", API_SCOPES=scopes),
        ]
    )
    assert (given.client_id, given.scopes, given.removed) == ("robot", {"s1", "s2"}, False)
    assert (taken.removed, taken.by) == (True, "jo@example.com")


def test_account_changes_by_administrators_are_hints() -> None:
    (hint,) = normalize.hints([event("SUSPEND_USER", app="admin", USER_EMAIL="Al@Example.com")])
    assert (hint.email, hint.native_id, hint.event) == ("al@example.com", None, "suspend_user")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "time", "events", "name", "parameters", "items", "clientId", "scopes", "actor"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_anything_is_either_understood_or_refused(value: Any) -> None:
    for read in (normalize.events, lambda v: normalize.grants(v if isinstance(v, dict) else {"items": v})):
        try:
            read(value)
        except MalformedError:
            continue


@pytest.mark.parametrize(
    ("relations", "manager"),
    [
        (None, ""),
        ([], ""),
        ([{"type": "assistant", "value": "a@example.com"}], ""),
        ([{"type": "manager", "value": " Boss@Example.com"}], "boss@example.com"),
        ([{"type": "manager", "value": "The Boss"}], None),
        (["x", {"type": "manager"}], None),
    ],
)
def test_whom_somebody_reports_to(relations: Any, manager: str | None) -> None:
    """An address; nobody; or something that names nobody for certain."""
    assert person(relations=relations).manager == manager
