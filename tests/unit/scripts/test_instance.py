"""Simulators in the background, registrations on both sides, and the verbs of `scripts.local`."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from scripts import local
from scripts.instance import instance as instances
from scripts.instance import simulator as simulators
from scripts.instance.providers import PROVIDERS, register
from scripts.instance.simulator import SimulatorError

NAMES = ("Google", "Entra", "Slack", "GitHub", "Salesforce")


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


class Secrets:
    """Secrets Manager, as far as registering needs it; as `template.yaml` makes new secrets."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803 - AWS's name
        new = "signed" if "Push" in SecretId else '{"client_id": "not-configured", "client_secret": "x"}'
        return {"SecretString": self.kept.get(SecretId, new)}

    def put_secret_value(self, *, SecretId: str, SecretString: str) -> None:  # noqa: N803 - AWS's name
        self.kept[SecretId] = SecretString


class Listener:
    """A simulator that remembers what it is told, and refuses as often as it should."""

    def __init__(self, ready: dict[str, Any], refusals: int = 0) -> None:
        self.ready = ready
        self.told: dict[str, dict[str, Any]] = {}
        self.refusals = refusals

    def control(self, name: str, **arguments: Any) -> None:
        if name == "subscribe" and self.refusals:
            self.refusals -= 1
            raise SimulatorError("no answer to the challenge")
        self.told[name] = arguments


def test_every_provider_and_lantern_come_to_know_each_other() -> None:
    store, outputs = Secrets(), {f"{n}{k}Secret": f"{n}{k}" for n in NAMES for k in ("OAuth", "Push")}
    app = {"client_id": "Iv23", "client_secret": "s", "app_id": "1", "slug": "lantern", "private_key": "PEM"}
    heard = {one.key: Listener({"registration": app} if one.key == "github" else {}) for one in PROVIDERS}
    heard["slack"].refusals = 2
    for _ in range(2):
        kept = dict(store.kept)
        for one in PROVIDERS:
            register(one, heard[one.key], store, outputs, "http://api")  # type: ignore[arg-type]
    assert store.kept == kept, "what is registered stays"
    assert set(kept) == {"GoogleOAuth", "EntraOAuth", "SlackOAuth", "GitHubOAuth", "SalesforceOAuth"}
    assert json.loads(kept["GitHubOAuth"]) == app
    for key in ("google", "entra", "salesforce"):
        told, ours = heard[key].told["register_client"], {k.lower(): v for k, v in kept.items()}
        assert told["redirect_uris"] == [f"http://api/connect/{key}/callback"]
        assert told["client_secret"] == json.loads(ours[f"{key}oauth"])["client_secret"]
    assert heard["slack"].told["register_client"]["signing_secret"] == "signed"
    assert heard["slack"].told["subscribe"] == {"address": "http://api/webhooks/slack/events"}
    assert heard["github"].told == {
        "redirect": {"uri": "http://api/connect/github/callback"},
        "webhook": {"address": "http://api/webhooks/github/events", "secret": "signed"},
    }
    assert heard["okta"].told == {}, "customers bring their own client"


def test_a_provider_that_never_takes_its_registration_is_said() -> None:
    slack = next(one for one in PROVIDERS if one.key == "slack")
    outputs = {"SlackOAuthSecret": "SlackOAuth", "SlackPushSecret": "SlackPush"}
    with pytest.raises(SimulatorError, match="challenge"):
        register(slack, Listener({}, refusals=99), Secrets(), outputs, "http://api")  # type: ignore[arg-type]


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda one: one.key)
def test_the_simulators_know_the_options_they_are_started_with(provider: Any) -> None:
    parsed = import_module(f"tests.simulators.{provider.key}.__main__").parse(list(provider.options))
    assert parsed.employees in (60, 250)
    assert getattr(parsed, "people", "shared") == "shared"
