"""A table per test: on moto, and with `-m engine` on DynamoDB Local at DYNAMODB_LOCAL_ENDPOINT."""

import os
import random
import secrets
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from botocore.config import Config
from botocore.session import Session
from moto import mock_aws

from lantern.domain import ids
from lantern.store.meter import Meter
from lantern.store.platform import PlatformStore
from lantern.store.session import TenantSession
from lantern.store.tenant import TenantStore
from tests.contract.store.factories import StoredFinding

REGION = "eu-central-1"


@cache
def session() -> Session:
    made = Session()
    made.set_credentials("AKIDEXAMPLE", "secret")
    return made


def make_client(engine: str) -> Any:
    config = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1})
    endpoint = os.environ["DYNAMODB_LOCAL_ENDPOINT"] if engine == "local" else None
    return session().create_client("dynamodb", region_name=REGION, endpoint_url=endpoint, config=config)


def create_table(client: Any, name: str, *, index: bool) -> None:
    names = ["pk", "sk", *(["gsi1pk", "gsi1sk"] if index else [])]
    extra: dict[str, Any] = {}
    if index:
        extra["GlobalSecondaryIndexes"] = [
            {
                "IndexName": "gsi1",
                "KeySchema": [
                    {"AttributeName": "gsi1pk", "KeyType": "HASH"},
                    {"AttributeName": "gsi1sk", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ]
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in names],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        **extra,
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What only a real engine can show (no isolation in moto, no sizes billed) runs on it alone."""
    needless = [
        item
        for item in items
        if item.get_closest_marker("engine") and "[local" not in item.name and "contract" in item.path.parts
    ]
    if needless:
        config.hook.pytest_deselected(items=needless)
        items[:] = [item for item in items if item not in needless]


@pytest.fixture(params=["moto", pytest.param("local", marks=pytest.mark.engine)])
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Which engine the test runs on; DynamoDB Local is started by whoever asks for it."""
    if request.param == "local":
        yield "local"
    else:
        with mock_aws():
            yield "moto"


@pytest.fixture
def table(engine: str) -> Iterator[str]:
    """A fresh TenantTable."""
    name = f"tenant-{secrets.token_hex(6)}"
    admin = make_client(engine)
    create_table(admin, name, index=True)
    yield name
    admin.delete_table(TableName=name)


@pytest.fixture
def platform(engine: str) -> Iterator[PlatformStore]:
    """A store on a fresh PlatformTable."""
    name = f"platform-{secrets.token_hex(6)}"
    client = make_client(engine)
    create_table(client, name, index=False)
    yield PlatformStore(client, name)
    client.delete_table(TableName=name)


@pytest.fixture
def meter() -> Meter:
    """Counts what the stores of the test use."""
    return Meter()


@pytest.fixture
def new_store(engine: str, table: str, meter: Meter) -> Callable[[], TenantStore]:
    """Makes the store of another fresh tenant in the same table."""
    seeded = random.Random(7)

    def make() -> TenantStore:
        client = make_client(engine)
        meter.attach(client)
        session = TenantSession.open(ids.new_tenant_id(seeded.randbytes), table, client)
        return TenantStore(session, finding_type=StoredFinding, random=seeded.randbytes, sleep=lambda _: None)

    return make


@pytest.fixture
def store(new_store: Callable[[], TenantStore]) -> TenantStore:
    """The store of a fresh tenant."""
    return new_store()
