"""The client wall: no request that names, or could name, another tenant's key leaves the process."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lantern.store.guard import ForeignKeyError, TenantGuard, install

OWN, FOREIGN = "a" * 20, "b" * 20
TABLE = "tenants"
guard = TenantGuard(OWN, TABLE)


def key(tenant: str = OWN, **more: str) -> dict[str, Any]:
    return {"pk": {"S": f"T#{tenant}#JOB"}, "sk": {"S": "x"}, **{k: {"S": v} for k, v in more.items()}}


def query(tenant: str = OWN, *, name: str = "pk", expression: str = "#k = :v", **more: Any) -> dict[str, Any]:
    return {
        "TableName": TABLE,
        "KeyConditionExpression": expression,
        "ExpressionAttributeNames": {"#k": name},
        "ExpressionAttributeValues": {":v": {"S": f"T#{tenant}#JOB"}, ":w": {"S": f"T#{OWN}#JOB"}},
        **more,
    }


def update(expression: str, value: str = f"T#{OWN}#F", tenant: str = OWN, **names: str) -> dict[str, Any]:
    return {
        "TableName": TABLE,
        "Key": key(tenant),
        "UpdateExpression": expression,
        "ExpressionAttributeNames": {f"#{k}": v for k, v in names.items()},
        "ExpressionAttributeValues": {":v": {"S": value}, ":n": {"N": "1"}},
    }


ALLOWED: list[tuple[str, dict[str, Any]]] = [
    ("GetItem", {"TableName": TABLE, "Key": key()}),
    ("DeleteItem", {"TableName": TABLE, "Key": key()}),
    ("PutItem", {"TableName": TABLE, "Item": key(gsi1pk=f"T#{OWN}#F", body="T#other")}),
    ("UpdateItem", update("SET gsi1pk = :v, n = if_not_exists(n, :n) REMOVE x")),
    ("UpdateItem", update("SET #g = :v", g="gsi1pk")),
    ("UpdateItem", update("REMOVE gsi1pk, gsi1sk")),
    ("UpdateItem", update("ADD #g :n", g="hits")),
    ("Query", query()),
    ("Query", query(expression="pk = :v AND begins_with(sk, :w)")),
    ("Query", query(name="gsi1pk", IndexName="gsi1")),
    ("Query", query(ExclusiveStartKey=key(gsi1pk=f"T#{OWN}#F"))),
    ("BatchGetItem", {"RequestItems": {TABLE: {"Keys": [key(), key()]}}}),
    (
        "BatchWriteItem",
        {"RequestItems": {TABLE: [{"PutRequest": {"Item": key()}}, {"DeleteRequest": {"Key": key()}}]}},
    ),
    (
        "TransactWriteItems",
        {
            "TransactItems": [
                {"Put": {"TableName": TABLE, "Item": key()}},
                {"Update": update("SET a = :v")},
                {"Delete": {"TableName": TABLE, "Key": key()}},
                {"ConditionCheck": {"TableName": TABLE, "Key": key()}},
            ]
        },
    ),
    ("TransactGetItems", {"TransactItems": [{"Get": {"TableName": TABLE, "Key": key()}}]}),
]

REFUSED: list[tuple[str, dict[str, Any]]] = [
    *[
        (operation, {"TableName": TABLE})
        for operation in (
            "Scan",
            "ExecuteStatement",
            "BatchExecuteStatement",
            "ExecuteTransaction",
            "DescribeTable",
            "DeleteTable",
            "ExportTableToPointInTime",
            "AnythingNew",
        )
    ],
    ("GetItem", {"TableName": TABLE, "Key": key(FOREIGN)}),
    ("GetItem", {"TableName": "platform", "Key": key()}),
    ("GetItem", {"TableName": f"arn:aws:dynamodb:eu-central-1:1:table/{TABLE}", "Key": key()}),
    ("GetItem", {"TableName": TABLE}),
    ("GetItem", {"TableName": TABLE, "Key": {"pk": {"S": f"T#{OWN}"}, "sk": {"S": "x"}}}),
    ("GetItem", {"TableName": TABLE, "Key": {"pk": {"B": f"T#{OWN}#".encode()}, "sk": {"S": "x"}}}),
    ("GetItem", {"TableName": TABLE, "Key": {"pk": {"S": f"T#{OWN}#", "N": "1"}}}),
    ("GetItem", {"TableName": TABLE, "Key": {"pk": {"S": f"xT#{OWN}#"}}}),
    ("GetItem", {"TableName": TABLE, "Key": {"sk": {"S": f"T#{OWN}#"}}}),
    ("DeleteItem", {"TableName": TABLE, "Key": key(FOREIGN)}),
    ("DeleteItem", {"TableName": TABLE, "Key": key(), "Expected": {}}),
    ("PutItem", {"TableName": TABLE, "Item": key(FOREIGN)}),
    ("PutItem", {"TableName": TABLE, "Item": key(gsi1pk=f"T#{FOREIGN}#F")}),
    ("PutItem", {"TableName": TABLE, "Item": {**key(), "gsi1pk": {"B": b"x"}}}),
    ("UpdateItem", update("SET a = :v", tenant=FOREIGN)),
    ("UpdateItem", update("SET gsi1pk = :v", f"T#{FOREIGN}#F")),
    ("UpdateItem", update("SET a = :n, #g = :v", f"T#{FOREIGN}#F", g="gsi1pk")),
    ("UpdateItem", update("set #g=:v", f"T#{FOREIGN}#F", g="gsi1pk")),
    ("UpdateItem", update("REMOVE a SET #g = :v", f"T#{FOREIGN}#F", g="gsi1pk")),
    ("UpdateItem", update("SET gsi1pk = other")),
    ("UpdateItem", update("SET gsi1pk = if_not_exists(gsi1pk, :v)", f"T#{FOREIGN}#F")),
    ("UpdateItem", update("ADD gsi1pk :v")),
    ("UpdateItem", update("DELETE gsi1pk :v")),
    ("UpdateItem", {"TableName": TABLE, "Key": key(), "AttributeUpdates": {}}),
    ("UpdateItem", {**update(""), "UpdateExpression": 7}),
    ("UpdateItem", update("gsi1pk = :v")),
    ("Query", query(FOREIGN)),
    ("Query", query(FOREIGN, expression="#k = :v AND pk = :w")),
    ("Query", query(name="sk")),
    ("Query", query(expression="begins_with(#k, :v)")),
    ("Query", query(IndexName="gsi1")),
    ("Query", query(FOREIGN, name="gsi1pk", IndexName="gsi1")),
    ("Query", query(name="gsi1pk")),
    ("Query", query(ExclusiveStartKey=key(FOREIGN))),
    ("Query", query(ExclusiveStartKey=key(gsi1pk=f"T#{FOREIGN}#F"))),
    ("Query", {"TableName": TABLE, "KeyConditions": {}}),
    ("Query", {"TableName": TABLE}),
    ("Query", {**query(), "TableName": "platform"}),
    ("BatchGetItem", {"RequestItems": {TABLE: {"Keys": [key(), key(FOREIGN)]}}}),
    ("BatchGetItem", {"RequestItems": {"platform": {"Keys": [key()]}}}),
    ("BatchGetItem", {}),
    ("BatchWriteItem", {"RequestItems": {TABLE: [{"PutRequest": {"Item": key(FOREIGN)}}]}}),
    ("BatchWriteItem", {"RequestItems": {TABLE: [{"DeleteRequest": {"Key": key(FOREIGN)}}]}}),
    ("BatchWriteItem", {"RequestItems": {TABLE: [{"NewRequest": {"Key": key()}}]}}),
    ("TransactWriteItems", {"TransactItems": [{"Put": {"TableName": TABLE, "Item": key(FOREIGN)}}]}),
    ("TransactWriteItems", {"TransactItems": [{"Update": update("SET gsi1pk = :v", f"T#{FOREIGN}#")}]}),
    ("TransactWriteItems", {"TransactItems": [{"Delete": {"TableName": TABLE, "Key": key(FOREIGN)}}]}),
    (
        "TransactWriteItems",
        {"TransactItems": [{"ConditionCheck": {"TableName": TABLE, "Key": key(FOREIGN)}}]},
    ),
    ("TransactWriteItems", {"TransactItems": [{"New": {"TableName": TABLE, "Key": key()}}]}),
    ("TransactWriteItems", {}),
    ("TransactGetItems", {"TransactItems": [{"Get": {"TableName": TABLE, "Key": key(FOREIGN)}}]}),
]


@pytest.mark.parametrize(("operation", "params"), ALLOWED)
def test_a_request_inside_the_tenant_passes(operation: str, params: dict[str, Any]) -> None:
    assert guard.check(operation, params) is None


@pytest.mark.parametrize(("operation", "params"), REFUSED)
def test_anything_else_is_refused(operation: str, params: dict[str, Any]) -> None:
    with pytest.raises(ForeignKeyError):
        guard.check(operation, params)


@given(st.text(max_size=60))
def test_only_the_own_prefix_is_own(pk: str) -> None:
    request = {"TableName": TABLE, "Key": {"pk": {"S": pk}, "sk": {"S": "x"}}}
    if pk.startswith(f"T#{OWN}#"):
        guard.check("GetItem", request)
    else:
        with pytest.raises(ForeignKeyError):
            guard.check("GetItem", request)


def test_the_refusal_names_no_key() -> None:
    with pytest.raises(ForeignKeyError) as refused:
        guard.check("GetItem", {"TableName": TABLE, "Key": key(FOREIGN)})

    assert FOREIGN not in str(refused.value)


def test_a_client_belongs_to_one_tenant_for_good() -> None:
    class Events:
        registered = 0

        def register_last(self, name: str, handler: Any) -> None:
            assert name == "before-parameter-build.dynamodb"
            self.registered += 1

    class Client:
        def __init__(self) -> None:
            self.meta = type("Meta", (), {"events": Events()})()

    client = Client()
    install(client, OWN, TABLE)
    install(client, OWN, TABLE)

    assert client.meta.events.registered == 1
    with pytest.raises(ForeignKeyError):
        install(client, FOREIGN, TABLE)
    with pytest.raises(ForeignKeyError):
        install(client, OWN, "another-table")


@pytest.mark.parametrize("tenant_id", ["", "a" * 19, "A" * 20, "a" * 21, "a" * 19 + "#", "*" * 20])
def test_what_is_no_tenant_id_gets_no_guard(tenant_id: str) -> None:
    with pytest.raises(ValueError, match="not a tenant id"):
        TenantGuard(tenant_id, TABLE)
