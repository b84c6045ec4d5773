"""The one PynamoDB model, and how it is bound to one tenant's client.

A PynamoDB model class caches one connection and goes on signing with the credentials that one was made
with, whatever `Meta` says later (https://github.com/pynamodb/PynamoDB/issues/877). So the class below is
never used itself: every tenant gets a subclass of its own, whose connection is the tenant's own guarded
botocore client. That client's credentials refresh by themselves.
"""

from typing import Any, cast

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.connection import Connection, TableConnection
from pynamodb.connection.base import MetaTable
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model


class Worklist(GlobalSecondaryIndex["Document"]):  # type: ignore[no-untyped-call] # PynamoDB's hook
    """Sparse index: only items that are on a worklist have its keys."""

    class Meta:
        """Name and projection."""

        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class Document(Model):
    """An item of the TenantTable. Use the subclass that `bind` makes, never this class."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute()
    rev = NumberAttribute()
    body = BinaryAttribute(legacy_encoding=False)
    ttl = NumberAttribute(null=True)
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
    cause = UnicodeAttribute(null=True)
    due = NumberAttribute(null=True)
    seq = NumberAttribute(null=True)
    apps = UnicodeAttribute(null=True)
    digest = BinaryAttribute(legacy_encoding=False, null=True)
    worklist = Worklist()


class BoundConnection(Connection):
    """A PynamoDB connection that has exactly one client, given to it, and never makes another.

    PynamoDB replaces a client whose credentials look empty by one of its own, from the process's
    credentials and without our guard; this class cannot.
    """

    def __init__(self, client: Any) -> None:
        super().__init__(region=client.meta.region_name, host=client.meta.endpoint_url)
        self._bound = client

    @property
    def client(self) -> Any:
        """The tenant's client."""
        return self._bound


def bind(client: Any, table: str, tenant_id: str) -> type[Document]:
    """A model class of the tenant's own, on the tenant's own client."""
    schema = MetaTable(
        {
            "TableName": table,
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "gsi1pk", "gsi1sk")
            ],
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "gsi1",
                    "KeySchema": [
                        {"AttributeName": "gsi1pk", "KeyType": "HASH"},
                        {"AttributeName": "gsi1sk", "KeyType": "RANGE"},
                    ],
                }
            ],
        }
    )
    connection = TableConnection(table)
    connection.connection = BoundConnection(client)
    connection.connection.add_meta_table(schema)
    meta = type("Meta", (), {"table_name": table, "region": client.meta.region_name})
    model = type(f"Document_{tenant_id}", (Document,), {"Meta": meta, "_connection": connection})
    return cast("type[Document]", model)
