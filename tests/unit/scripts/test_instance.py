"""The Google simulator in the background, and the verbs of `scripts.local`."""

from pathlib import Path

import pytest

from scripts import local
from scripts.instance import instance as instances
from scripts.instance import simulator as simulators


@pytest.fixture
def directory(tmp_path: Path):
    yield tmp_path / "local"
    simulators.stop(tmp_path / "local", "google")


def test_the_simulator_keeps_its_state_over_a_stop(directory: Path) -> None:
    first = simulators.start(directory, "google", "--employees", "12")
    assert simulators.start(directory, "google").pid == first.pid, "what runs is kept running"
    first.control("grant", user=first.admin, app="Manus")
    first.control(
        "register_client", client_id="c", client_secret="s", redirect_uris=["http://127.0.0.1:9/cb"]
    )
    assert simulators.stop(directory, "google") is True
    assert simulators.status(directory, "google") is None
    assert simulators.stop(directory, "google") is False
    again = simulators.start(directory, "google")
    assert again.base_url == first.base_url, "the same port"
    assert again.ready["customer_id"] == first.ready["customer_id"]
    assert "Manus" in [grant["name"] for grant in again.control("grants_of", user=again.admin)]


def test_what_the_simulator_refuses_is_said(directory: Path) -> None:
    simulator = simulators.start(directory, "google", "--employees", "12")
    with pytest.raises(simulators.SimulatorError, match="refused nonsense"):
        simulator.control("nonsense")
    simulators.stop(directory, "google")
    with pytest.raises(simulators.SimulatorError, match="did not answer users"):
        simulator.control("users")


def test_a_busy_port_is_said(directory: Path, tmp_path: Path) -> None:
    simulator = simulators.start(directory, "google", "--employees", "12")
    port = int(simulator.base_url.rpartition(":")[2])
    with pytest.raises(simulators.SimulatorError, match=f"port {port} is in use"):
        simulators.start(tmp_path / "other", "google", port=port)


def test_a_stranger_with_our_process_id_is_left_alone(directory: Path) -> None:
    directory.mkdir()
    (directory / "google.json").write_text(
        '{"pid": 1, "base_url": "http://127.0.0.1:1", "customer_id": "C", "admin": "a@b"}'
    )
    assert simulators.status(directory, "google") is None
    assert simulators.stop(directory, "google") is False


def test_status_and_down_say_that_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCAL_CLOUD_DIR", str(tmp_path))
    assert local.main(["status"]) == 1
    assert "make up starts" in capsys.readouterr().out
    assert local.main(["down"]) == 0
    assert "Nothing was running" in capsys.readouterr().out
    assert local.main(["sideways"]) == 2


def test_a_bad_port_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCAL_CLOUD_DIR", str(tmp_path))
    monkeypatch.setenv("LOCAL_CLOUD_PORT", "http")
    monkeypatch.setattr(instances, "up", lambda *_, **__: pytest.fail("nothing may start"))
    assert local.main(["up"]) == 1
    assert "LOCAL_CLOUD_PORT must be a port number" in capsys.readouterr().err
