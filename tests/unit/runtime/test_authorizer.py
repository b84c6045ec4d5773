"""The authorizer: who gets in, what it costs, what it says."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lantern.domain import apikeys
from lantern.runtime.authorizer import authorize
from lantern.store.platform import KeyEntry, TenantEntry

ARN = "arn:aws:execute-api:eu-west-1:123456789012:abc123/prod/GET/v1/apps"
TENANT = "t" * 20
KEY = apikeys.issue("prod", random.Random(1).randbytes)


class Registry:
    """Keys and tenants, and how often somebody looked."""

    def __init__(self, key: KeyEntry | None, tenant: TenantEntry | None) -> None:
        self.key, self.tenant, self.reads = key, tenant, 0

    def __call__(self) -> "Registry":
        return self

    def get_key(self, key_id: str) -> KeyEntry | None:
        self.reads += 1
        return self.key if self.key and self.key.key_id == key_id else None

    def get_tenant(self, tenant_id: str) -> TenantEntry | None:
        self.reads += 1
        return self.tenant if self.tenant and self.tenant.id == tenant_id else None


ENTRY = KeyEntry(KEY.id, TENANT, frozenset({"read", "write"}), KEY.hash)
LINE = TenantEntry(TENANT, "T", "active", datetime(2026, 1, 1, tzinfo=UTC))


def _ask(registry: Registry, headers: dict[str, str] | None, environment: str = "prod") -> dict[str, Any]:
    return authorize({"type": "REQUEST", "methodArn": ARN, "headers": headers}, registry, environment)


def _effect(answer: dict[str, Any]) -> str:
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement["Resource"] == "arn:aws:execute-api:eu-west-1:123456789012:abc123/prod/*"
    return statement["Effect"]


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
def test_a_good_key_is_a_tenant_and_scopes(name: str) -> None:
    answer = _ask(Registry(ENTRY, LINE), {name: f"Bearer {KEY.text}"})
    assert _effect(answer) == "Allow"
    assert answer["principalId"] == KEY.id
    assert answer["context"] == {
        "tenantId": TENANT,
        "keyId": KEY.id,
        "scopes": "read write",
        "tenantStatus": "active",
    }
    assert KEY.text not in repr(answer)
    assert KEY.hash not in repr(answer)


def test_a_suspended_tenant_is_let_through_to_be_told_so() -> None:
    answer = _ask(Registry(ENTRY, replace(LINE, status="suspended")), {"Authorization": f"Bearer {KEY.text}"})
    assert (_effect(answer), answer["context"]["tenantStatus"]) == ("Allow", "suspended")


@pytest.mark.parametrize(
    "headers",
    [
        None,
        {},
        {"Authorization": ""},
        {"Authorization": KEY.text},
        {"Authorization": f"Basic {KEY.text}"},
        {"Authorization": f"Bearer {KEY.text[:-1]}"},
        {"Authorization": f"Bearer {KEY.text[:-1]}!"},
        {"Authorization": f"Bearer {KEY.text} x"},
        {"X-Api-Key": KEY.text},
    ],
)
def test_what_is_no_key_costs_no_read(headers: dict[str, str] | None) -> None:
    registry = Registry(ENTRY, LINE)
    assert _effect(_ask(registry, headers)) == "Deny"
    assert registry.reads == 0


def test_a_key_of_another_stage_costs_no_read() -> None:
    registry = Registry(ENTRY, LINE)
    assert _effect(_ask(registry, {"Authorization": f"Bearer {KEY.text}"}, environment="dev")) == "Deny"
    assert registry.reads == 0


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (None, LINE),
        (replace(ENTRY, status="revoked"), LINE),
        (replace(ENTRY, hash=apikeys.issue("prod", random.Random(2).randbytes).hash), LINE),
        (replace(ENTRY, hash=""), LINE),
        (ENTRY, None),
    ],
)
def test_a_well_formed_key_that_is_not_good_is_refused(
    entry: KeyEntry | None, line: TenantEntry | None
) -> None:
    answer = _ask(Registry(entry, line), {"Authorization": f"Bearer {KEY.text}"})
    assert _effect(answer) == "Deny"
    assert answer["context"] == {}
