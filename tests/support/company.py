"""A tenant of four: somebody with tools, a leaver, a shared mailbox, a service account."""

from dataclasses import dataclass

from lantern.domain import ids
from lantern.services.scoring.knowledge import Knowledge
from tests.support.memory_table import MemoryDynamo
from tests.support.tables import create_tables
from tests.support.tenant import Bench, make_bench

DRIVE = "https://www.googleapis.com/auth/drive"


@dataclass
class Company:
    """The bench, with the names of what is in it."""

    bench: Bench

    def principal(self, native: str) -> str:
        """The account's id."""
        return self.bench.world.principal_id(native)

    def person(self, native: str) -> str:
        """The person's id."""
        return ids.person_id(self.principal(native))

    @staticmethod
    def app(client: str) -> str:
        """The app's id."""
        return ids.app_id("google", client)


def make_company(knowledge: Knowledge, dynamo: MemoryDynamo) -> Company:
    """Everybody holds everything; it has been read once."""
    bench = make_bench(dynamo.client, create_tables(dynamo.client()), knowledge)
    world = bench.world
    world.names.update({"otter": "Otter.ai", "notion": "Notion <img onerror=alert(1)>"})
    world.add("alice", "otter", "notion", "third", "fourth", email="alice@example.com", name="Alice")
    world.add("bob", "otter", email="bob@example.com", name="Bob")
    world.add("gone", "otter", status="suspended")
    world.add("desk", "otter", kind="shared")
    world.add("robot", "otter", kind="service")
    bench.full()
    return Company(bench)
