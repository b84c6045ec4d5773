"""One deployment a session, and the customer whose organisation most tests look at."""

from collections.abc import Iterator

import pytest

from tests.stack.deployment import Customer, Deployment, make

RISKY = "https://www.googleapis.com/auth/drive"


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The template, deployed."""
    yield from make(tmp_path_factory.mktemp("cloud"))


@pytest.fixture(scope="session")
def acme(deployment: Deployment) -> Customer:
    """A customer of 40 people, read; several of them use apps made for one test each."""
    control = deployment.google.control
    made = control.add_organisation(employees=40, seed=3, domain="acme.example")
    people = [row["email"] for row in control.truth(made["customer_id"]).values() if row["state"] == "active"]
    for name, holders in {"Humata": people[:2], "ChatPDF": people[2:5]}.items():
        client = control.add_app(name, ["openid", RISKY], made["customer_id"])
        for person in holders:
            control.grant(person, client_id=client)
    return deployment.connect(made["customer_id"], made["admin"]).read()
