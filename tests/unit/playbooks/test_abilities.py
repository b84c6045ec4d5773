"""What no API of a provider does is left to an administrator with the steps, never asked of the connector."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lantern.domain.tenancy import Connection
from lantern.services.remediation import abilities


def at(provider: Any) -> Connection:
    since = datetime(2026, 3, 1, tzinfo=UTC)
    return Connection("con_1", provider, "O1", "Harbourline", "active", frozenset(), frozenset(), since)


@pytest.mark.parametrize("provider", ["slack", "github", "salesforce"])
def test_sessions_that_no_api_ends_have_steps(provider: str) -> None:
    steps = abilities.unable("end_sessions", None, at(provider), "ann@harbourline.example")
    assert "Harbourline" in steps[0]
    assert "ann@harbourline.example" in steps[1]
    assert abilities.expected("end_sessions", at(provider), of="user") == "manual"


@pytest.mark.parametrize("provider", ["google", "entra", "okta"])
def test_sessions_that_an_api_ends_are_ended(provider: str) -> None:
    assert abilities.unable("end_sessions", None, at(provider), None) == ()
    assert abilities.expected("end_sessions", at(provider), of="user") == "applied"
    assert abilities.unable("revoke_grants", None, at("slack"), None) == ()
