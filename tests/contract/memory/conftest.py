"""The store contract once more, on the table in memory that the proofs run on."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.store import conftest as contract
from tests.contract.store.conftest import meter, new_store, platform, store, table  # noqa: F401 - fixtures
from tests.support.memory_table import MemoryDynamo


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Tables of this process."""
    dynamo = MemoryDynamo()
    clients: list[Any] = []

    def make_client(*_: object) -> Any:
        clients.append(dynamo.client())
        return clients[-1]

    monkeypatch.setattr(contract, "make_client", make_client)
    yield "memory"
    assert clients
