"""DynamoDB Local is up, every test has its own database, and capacity follows size."""

import boto3
import pytest

from tests.local_cloud.engine import dynamodb_engine  # noqa: F401 - a fixture

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(("size", "units"), [(10, 1.0), (1024, 1.0), (1025, 2.0), (4000, 4.0)])
def test_write_units_follow_item_size(dynamodb_engine, size, units):  # noqa: F811 - the fixture
    client = boto3.client("dynamodb", **dynamodb_engine)
    assert client.list_tables()["TableNames"] == []
    client.create_table(
        TableName="items",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    item = {"pk": {"S": "k"}, "v": {"S": "x" * (size - 4)}}
    put = client.put_item(TableName="items", Item=item, ReturnConsumedCapacity="TOTAL")
    assert put["ConsumedCapacity"]["CapacityUnits"] == units
    client.close()
