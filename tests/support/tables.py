"""The two tables on an emulated DynamoDB, shaped as the template shapes them."""

from typing import Any

from botocore.config import Config
from botocore.session import Session

from tests.support import rendered

REGION = "eu-central-1"


def dynamodb_client(endpoint: str | None = None) -> Any:
    """A client with credentials that mean nothing."""
    session = Session()
    session.set_credentials("AKIDEXAMPLE", "secret")
    config = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1})
    return session.create_client("dynamodb", region_name=REGION, endpoint_url=endpoint, config=config)


def create_tables(client: Any) -> tuple[str, str]:
    """Create TenantTable and PlatformTable from the template; returns their names."""
    for logical in ("TenantTable", "PlatformTable"):
        properties = rendered.rendered()[logical]["Properties"]
        kept = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        request = {key: properties[key] for key in kept if key in properties}
        client.create_table(TableName=logical, **request)
    return "TenantTable", "PlatformTable"
