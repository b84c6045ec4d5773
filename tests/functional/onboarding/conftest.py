"""One simulated Google per module, one empty Lantern per test."""

from collections.abc import Iterator

import pytest

from tests.functional.onboarding.world import Browser, World, google, lantern
from tests.simulators.google.simulator import GoogleSimulator


@pytest.fixture(scope="module")
def server() -> Iterator[GoogleSimulator]:
    with google() as simulator:
        yield simulator


@pytest.fixture
def simulator(server: GoogleSimulator) -> GoogleSimulator:
    server.reset()
    server.control.add_consumer("somebody@gmail.example")
    server.control.auto_consent()
    return server


@pytest.fixture
def world(simulator: GoogleSimulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with lantern(simulator) as made:
        yield made


@pytest.fixture
def browser(world: World) -> Browser:
    return Browser(world)
