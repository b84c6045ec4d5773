"""What the directory's audit log tells, in the strings that were seen in the wild."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lantern.connectors.entra import audit, cursor
from lantern.connectors.entra.normalize import MalformedError

AT = "2026-11-20T10:11:12.1234567Z"
ROW = (
    "[Id: abc, ClientId: c1, PrincipalId: u1, ResourceId: r1, ConsentType: Principal, "
    "Scope:  User.Read Mail.Read, "
    "CreatedDateTime: , LastModifiedDateTime: ]"
)
ALL = "[Id: x, ClientId: c1, PrincipalId: , ResourceId: r1, ConsentType: AllPrincipals, Scope:  openid]"


def event(
    what: str,
    properties: dict[str, Any],
    *targets: dict[str, Any],
    by: str | None = "admin",
    old: bool = False,
):
    key = "oldValue" if old else "newValue"
    rows = [{"displayName": k, key: v} for k, v in properties.items()]
    first, *rest = targets or ({"id": "c1", "type": "ServicePrincipal"},)
    return audit.audit(
        {
            "id": "e1",
            "activityDateTime": AT,
            "activityDisplayName": what,
            "initiatedBy": {"user": {"id": by}} if by else {"app": {"servicePrincipalId": "s"}},
            "targetResources": [{**first, "modifiedProperties": rows}, *rest],
        }
    )


def consent(text: str, **more: Any) -> audit.Audit:
    return event("Consent to application", {"ConsentAction.Permissions": json.dumps(text), **more})


def test_a_consent_names_the_person_the_app_and_the_permissions():
    (found,) = audit.given(consent(f"[] => [{ROW}]; "))
    assert found == audit.Given("c1", "u1", frozenset({"User.Read", "Mail.Read"}))
    (everybody,) = audit.given(consent(f"[] => [{ALL}]; "))
    assert everybody.principal is None


def test_what_stood_before_is_not_given_anew():
    before = ROW.replace("c1", "c0")
    found = audit.given(consent(f"[{before}] => [{before}, {ROW}]; "))
    assert [one.client for one in found] == ["c1"]


@pytest.mark.parametrize(
    "value", ["", '""', '"[] => []; "', "[[[", "7", '"[] => [[Id: only]]"', '"\\ud800 => [[[["']
)
def test_a_text_of_another_shape_leaves_the_person_who_did_it(value: str):
    found = event(
        "Consent to application",
        {"ConsentAction.Permissions": value, "ConsentContext.OnBehalfOfAll": '"False"'},
    )
    assert audit.given(found) == (audit.Given("c1", "admin", frozenset()),)
    wide = event(
        "Consent to application",
        {"ConsentAction.Permissions": value, "ConsentContext.OnBehalfOfAll": '"True"'},
    )
    assert audit.given(wide) == (audit.Given("c1", None, frozenset()),)


@given(st.text())
def test_no_text_breaks_the_parser(text: str):
    assert isinstance(audit.permissions(text), tuple)
    assert isinstance(audit.plain(text), str)


def test_the_other_feeds_full_stop_makes_no_difference():
    assert audit.given(
        event("Consent to application.", {"ConsentAction.Permissions": json.dumps(f"[] => [{ALL}]")})
    )


def test_delegated_grants_name_the_api_first_and_the_app_second():
    api, app = ({"id": name, "type": "ServicePrincipal"} for name in ("r1", "c1"))
    added = event("Add delegated permission grant", {"DelegatedPermissionGrant.Scope": '" a b"'}, api, app)
    assert audit.given(added) == (audit.Given("c1", None, frozenset({"a", "b"})),)
    own = {"DelegatedPermissionGrant.ConsentType": '"Principal"'}
    removed = event("Remove delegated permission grant", own, api, app, by="u7", old=True)
    assert audit.given(removed)[0].principal == "u7"
    assert audit.gives(added)
    assert not audit.gives(removed)


def test_a_role_is_told_of_the_api_and_belongs_to_the_app():
    target = {"id": "r1", "type": "ServicePrincipal"}
    added = event(
        "Add app role assignment to service principal", {"ServicePrincipal.ObjectID": '"c9"'}, target
    )
    (hint,) = audit.hints([added], {"c9": "app-9"})
    assert (hint.native_id, list(hint.granted_at)) == ("Applications", ["app-9"])
    assert audit.clients([added]) == {"c9"}


def test_people_are_read_again_when_they_are_assigned_or_made_administrators():
    user = {"id": "u3", "type": "User"}
    for what in ("Add app role assignment grant to user", "Add member to role"):
        assert [one.native_id for one in audit.hints([event(what, {}, user)], {})] == ["u3"]
    assert audit.hints([event("Update policy", {}, user)], {}) == ()


def test_hints_are_folded_by_account_and_dated_by_what_gave_access():
    first = consent(f"[] => [{ROW}]; ")
    targets = [{"id": one, "type": "ServicePrincipal"} for one in ("r1", "c1")]
    kind = {"DelegatedPermissionGrant.ConsentType": '"Principal"'}
    later = event("Remove delegated permission grant", kind, *targets, by="u1")
    (hint,) = audit.hints([later, first], {"c1": "app-1"})
    assert hint.native_id == "u1"
    assert hint.granted_at == {"app-1": datetime(2026, 11, 20, 10, 11, 12, 123456, tzinfo=UTC)}


def test_rows_that_are_no_events_are_counted_and_block_nothing():
    good = {"id": "e", "activityDateTime": AT, "activityDisplayName": "Add user", "targetResources": None}
    found, odd = audit.readable(
        [good, {}, {"id": "x", "activityDateTime": "soon", "activityDisplayName": "y"}]
    )
    assert ([one.id for one in found], odd) == (["e"], 2)
    with pytest.raises(MalformedError):
        audit.audit({})


def test_a_cursor_survives_and_forgets_what_is_settled():
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    begun = cursor.follow(
        cursor.start(now), "/users/delta", "https://graph.microsoft.com/v1.0/users/delta?x=1"
    )
    told = [("old", now - timedelta(hours=3)), ("young", now - timedelta(minutes=1))]
    settled = cursor.settle(begun, now, now, told)
    assert settled.settled == now - cursor.OVERLAP
    assert set(settled.seen) == {cursor.digest("young")}
    assert cursor.load(cursor.dump(settled)) == settled
    # After a week of silence it goes forward a day at a time.
    start, end = cursor.window(settled, now + timedelta(days=7))
    assert end - start == cursor.SLICE
    with pytest.raises(ValueError, match="cursor"):
        cursor.load('{"v": 9}')
