"""Sessions: each tenant signs with its own credentials, through its own guarded connection, for ever."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.session import Session
from pynamodb.exceptions import GetError

from lantern.store.guard import ForeignKeyError
from lantern.store.model import Document
from lantern.store.session import ROLE_SESSION_S, TenantSession, TenantSessions

A, B = "a" * 20, "b" * 20
TABLE, REGION, ROLE = "tenants", "eu-central-1", "arn:aws:iam::123456789012:role/tenant"


class Sts:
    """Hands out credentials named after the tenant and a counter; notes what it was asked."""

    def __init__(self, lifetime_s: int = ROLE_SESSION_S) -> None:
        self.lifetime_s = lifetime_s
        self.asked: list[Mapping[str, Any]] = []

    def assume_role(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        tenant = request["Tags"][0]["Value"]
        return {
            "Credentials": {
                "AccessKeyId": f"AKID{tenant[0].upper()}{len(self.asked)}",
                "SecretAccessKey": "secret",
                "SessionToken": f"token-{tenant[0]}-{len(self.asked)}",
                "Expiration": datetime.now(UTC) + timedelta(seconds=self.lifetime_s),
            }
        }


class Wire:
    """Stands in for the network: keeps each signed request and answers with an empty item."""

    def __init__(self) -> None:
        self.requests: list[Any] = []

    def attach(self, session: TenantSession) -> "Wire":
        session.client.meta.events.register_first("before-send.dynamodb", self._send)
        return self

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        self.requests.append(request)

        class Raw:
            def stream(self, **_: Any) -> Any:
                yield b"{}"

        return AWSResponse(request.url, 200, {}, Raw())

    def signed_by(self) -> list[tuple[str, str]]:
        return [
            (
                request.headers["Authorization"].decode().split("Credential=")[1].split("/")[0],
                request.headers["X-Amz-Security-Token"].decode(),
            )
            for request in self.requests
        ]


def assumed(sts: Sts, tenant: str) -> TenantSession:
    return TenantSession.assumed(sts, ROLE, tenant, TABLE, REGION)


def read(session: TenantSession, tenant: str) -> None:
    with pytest.raises(session.model.DoesNotExist):
        session.model.get(f"T#{tenant}#TENANT", "TENANT")


def test_the_role_is_assumed_with_the_tenant_as_tag_and_not_before_it_is_needed() -> None:
    sts, wire = Sts(), Wire()
    session = assumed(sts, A)
    wire.attach(session)
    assert sts.asked == []

    read(session, A)
    read(session, A)

    assert sts.asked == [
        {
            "RoleArn": ROLE,
            "RoleSessionName": f"lantern-{A}",
            "DurationSeconds": ROLE_SESSION_S,
            "Tags": [{"Key": "tenant", "Value": A}],
        }
    ]
    assert wire.signed_by() == [("AKIDA1", "token-a-1")] * 2


def test_two_tenants_never_share_a_connection_nor_a_signature() -> None:
    sts, wire = Sts(), Wire()
    sessions = {tenant: assumed(sts, tenant) for tenant in (A, B)}
    for session in sessions.values():
        wire.attach(session)

    for tenant in (A, B, A, B):
        read(sessions[tenant], tenant)

    one, other = sessions[A].model._get_connection(), sessions[B].model._get_connection()
    assert one is not other
    assert one.connection is not other.connection
    assert one.connection.client is sessions[A].client
    assert other.connection.client is sessions[B].client
    assert sessions[A].client is not sessions[B].client
    # Tenant A was first, but B's requests carry B's credentials (PynamoDB issue 877).
    assert [key for key, _ in wire.signed_by()] == ["AKIDA1", "AKIDB2", "AKIDA1", "AKIDB2"]
    assert Document._connection is None


def test_requests_after_a_refresh_carry_the_new_credentials() -> None:
    # Credentials this short are due for renewal as soon as they arrive.
    sts, wire = Sts(lifetime_s=30), Wire()
    session = assumed(sts, A)
    wire.attach(session)

    read(session, A)
    read(session, A)

    first, second = wire.signed_by()
    assert first != second
    assert all(token.startswith("token-a-") for _, token in (first, second))
    assert {request["Tags"][0]["Value"] for request in sts.asked} == {A}


def test_the_guard_is_on_the_client_that_the_model_uses() -> None:
    wire = Wire()
    session = assumed(Sts(), A)
    wire.attach(session)

    with pytest.raises(ForeignKeyError):
        session.model.get(f"T#{B}#TENANT", "TENANT")
    with pytest.raises(ForeignKeyError):
        session.model(f"T#{A}#X", "x", kind="k", rev=1, body=b"", gsi1pk=f"T#{B}#Y", gsi1sk="z").save()
    with pytest.raises(ForeignKeyError):
        list(session.model.scan())
    with pytest.raises(ForeignKeyError):
        session.model.exists()
    with pytest.raises(ForeignKeyError):
        session.client.get_item(TableName=TABLE, Key={"pk": {"S": f"T#{B}#T"}, "sk": {"S": "T"}})
    assert wire.requests == []


def test_a_client_that_loses_its_credentials_is_not_replaced_by_an_unguarded_one() -> None:
    session = assumed(Sts(), A)
    session.client._request_signer._credentials = None

    with pytest.raises(GetError):
        session.model.get(f"T#{A}#TENANT", "TENANT")
    assert session.model._get_connection().connection.client is session.client


def test_a_client_cannot_be_opened_for_a_second_tenant() -> None:
    botocore_session = Session()
    botocore_session.set_credentials("AKIDEXAMPLE", "secret")
    client = botocore_session.create_client("dynamodb", region_name=REGION)
    TenantSession.open(A, TABLE, client)

    with pytest.raises(ForeignKeyError):
        TenantSession.open(B, TABLE, client)


def test_what_is_no_tenant_id_is_refused_before_sts_is_asked() -> None:
    sts = Sts()
    with pytest.raises(ValueError, match="not a tenant id"):
        assumed(sts, "*")
    assert sts.asked == []


def test_sessions_are_kept_per_tenant_and_the_least_used_forgotten() -> None:
    sessions = TenantSessions(Sts(), ROLE, TABLE, REGION, capacity=2)
    first = sessions.get(A)

    assert sessions.get(A) is first
    assert sessions.get(B) is not first
    assert sessions.get(A) is first
    sessions.get("c" * 20)
    assert sessions.get(A) is first
    assert set(sessions._sessions) == {A, "c" * 20}


def test_the_client_fails_soon_and_tries_again() -> None:
    config = assumed(Sts(), A).client.meta.config

    assert (config.connect_timeout, config.read_timeout) == (2, 8)
    assert config.retries["mode"] == "standard"
    assert config.retries["total_max_attempts"] == 5
