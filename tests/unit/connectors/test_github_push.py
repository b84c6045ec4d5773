"""Signatures and hints of GitHub's web hooks."""

from typing import Any

import pytest

from lantern.connectors.github.push import hint_of, organisation_of, signature

ACCOUNT = {"login": "harbourline", "id": 9001, "type": "Organization"}
PERSON = {"login": "ada", "id": 7, "type": "User"}


def test_the_signature_is_githubs() -> None:
    """The vector that GitHub publishes in "Validating webhook deliveries"."""
    expected = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert signature("It's a Secret to Everybody", b"Hello, World!") == f"sha256={expected}"


@pytest.mark.parametrize(
    ("event", "body", "native_id"),
    [
        ("organization", {"action": "member_added", "membership": {"user": PERSON}}, "7"),
        ("organization", {"action": "member_removed", "membership": {"user": PERSON}}, "7"),
        ("organization", {"action": "member_invited", "user": PERSON}, None),
        ("organization", {"action": "renamed"}, "organisation"),
        ("organization", {"action": "member_added", "membership": None}, None),
        ("installation", {"action": "suspend"}, "organisation"),
        ("installation_repositories", {"action": "added"}, "organisation"),
        ("member", {"action": "edited", "member": PERSON}, "7"),
        ("member", {"action": "edited", "member": {"id": True}}, None),
        (
            "personal_access_token_request",
            {"action": "created", "personal_access_token_request": {"owner": PERSON}},
            "7",
        ),
        ("github_app_authorization", {"action": "revoked", "sender": PERSON}, None),
        ("repository", {"action": "created"}, None),
        ("a_new_event", {"action": ["odd"]}, None),
    ],
)
def test_an_event_hints_at_one_account(event: str, body: dict[str, Any], native_id: str | None) -> None:
    hint = hint_of(event, body, "guid-0001")
    assert (hint.native_id if hint else None) == native_id
    if hint:
        assert hint.event_id == "guid-0001"
        assert hint.event == f"{event}.{body['action']}"


def test_the_organisation_is_the_body_s() -> None:
    assert organisation_of({"organization": {"id": 5}, "installation": {"account": ACCOUNT}}) == "5"
    assert organisation_of({"installation": {"account": ACCOUNT}}) == "9001"
    assert organisation_of({"account": ACCOUNT}) == "9001"
    assert organisation_of({"installation": {"account": PERSON}}) is None
    assert organisation_of({"sender": PERSON}) is None
