"""Bring one Lantern up and down: local cloud, simulated providers, template, registrations."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3

from scripts.build.deploy import LOCAL_STAGE, deploy, local_clients
from scripts.build.targets import HOST
from scripts.instance import simulator as simulators
from scripts.instance.progress import Progress
from scripts.instance.providers import PROVIDERS, Provider, register
from scripts.instance.simulator import Simulator
from scripts.local_cloud import cloud as local_cloud

ROOT: Final = local_cloud.ROOT
MAIL_DOMAIN: Final = "mail.lantern.example"
"""From which the local cloud's SES sends; it keeps the e-mails and delivers none."""
STACK: Final = f"lantern-{LOCAL_STAGE}"
WORKERS: Final = 6
"""Messages worked on at once: workers mostly wait for a provider's pace, each connection for its own."""
_CLOUD: Final = "local cloud"


@dataclass(frozen=True, slots=True)
class Instance:
    """A Lantern that is running, and the simulator of each provider by its key."""

    cloud: local_cloud.LocalCloud
    simulators: Mapping[str, Simulator]
    outputs: dict[str, str]

    @property
    def api_url(self) -> str:
        """Where the API is reached."""
        return self.cloud.rest_api_url(self.outputs["ApiId"], LOCAL_STAGE)

    def client(self, service: str) -> Any:
        """An AWS client of the local cloud's root."""
        return _client(self.cloud, service)


def logs(directory: Path) -> tuple[Path, ...]:
    """Where to look when something goes wrong, most telling first."""
    return (directory / "ministack.log", *(directory / f"{one.key}.log" for one in PROVIDERS))


def up(
    directory: Path,
    progress: Progress,
    *,
    cloud_port: int = 0,
    ports: Mapping[str, int] | None = None,
    providers: tuple[Provider, ...] = PROVIDERS,
    webhooks: str = "",
) -> Instance:
    """Start everything of a directory and bring it to this checkout's template; what runs is kept running.

    Args:
        directory: holds all state.
        progress: told about every step.
        cloud_port: of the local cloud; 0 takes the last one, or any.
        ports: of the simulators by provider; one that is left out takes the last one, or any.
        providers: which are simulated.
        webhooks: who takes outgoing webhooks in place of the addresses they are for; empty: those themselves.

    Raises:
        LocalCloudError: the local cloud did not start.
        SimulatorError: a simulator did not start.
        DeploymentError: the template could not be deployed.
        RuntimeError: the artifacts could not be built.
    """
    fixed = ports or {}

    def starter(one: Provider) -> Callable[[], Simulator]:
        return lambda: simulators.start(directory, one.key, *one.options, port=fixed.get(one.key, 0))

    cloud, *started = progress.together(
        {
            _CLOUD: lambda: local_cloud.start(directory, port=cloud_port),
            **{f"simulated {one.title}": starter(one) for one in providers},
        }
    )
    running = {one.key: simulator for one, simulator in zip(providers, started, strict=True)}
    endpoints = {key: one.base_url for key, one in running.items()}
    with progress.step("build and deploy template.yaml") as report:
        deployment = deploy(
            local_clients(cloud),
            HOST,
            template=ROOT / "template.yaml",
            stack=STACK,
            parameters={
                "Stage": LOCAL_STAGE,
                "WorkerConcurrency": str(WORKERS),
                "InsecureCookies": "true",
                "ProviderEndpoints": json.dumps(endpoints | ({"webhooks": webhooks} if webhooks else {})),
                "AlertDomain": MAIL_DOMAIN,
            },
            report=report,
        )
    instance = Instance(cloud, running, deployment.outputs)
    _verify_mail_domain(instance.client("sesv2"))
    with progress.step("Lantern's registrations at the simulated providers"):
        store = instance.client("secretsmanager")
        for one in providers:
            register(one, running[one.key], store, instance.outputs, instance.api_url)
    return instance


def _verify_mail_domain(ses: Any) -> None:
    """What an operator does once, with three DNS records: the local cloud takes the word for it."""
    known = {one["IdentityName"] for one in ses.list_email_identities()["EmailIdentities"]}
    if MAIL_DOMAIN not in known:
        ses.create_email_identity(EmailIdentity=MAIL_DOMAIN)


def down(directory: Path) -> tuple[str, ...]:
    """Stop everything of a directory; its state stays. Returns what was running, by its name."""
    stops: dict[str, Callable[[], bool]] = {_CLOUD: lambda: local_cloud.stop(directory)}
    for one in PROVIDERS:
        stops[f"simulated {one.title}"] = lambda key=one.key: simulators.stop(directory, key)  # type: ignore[misc]
    with ThreadPoolExecutor(len(stops)) as pool:
        was = list(pool.map(lambda stop: stop(), stops.values()))
    return tuple(name for name, running in zip(stops, was, strict=True) if running)


def running(directory: Path) -> Instance | None:
    """What is running in a directory; None unless all of it is, template included."""
    cloud = local_cloud.status(directory)
    found = {one.key: simulators.status(directory, one.key) for one in PROVIDERS}
    alive = {key: simulator for key, simulator in found.items() if simulator is not None}
    if cloud is None or len(alive) < len(found):
        return None
    stacks = _client(cloud, "cloudformation").list_stacks()["StackSummaries"]
    if not any(s["StackName"] == STACK and s["StackStatus"].endswith("E_COMPLETE") for s in stacks):
        return None
    described = _client(cloud, "cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    outputs = {item["OutputKey"]: item["OutputValue"] for item in described.get("Outputs", [])}
    return Instance(cloud, alive, outputs)


def _client(cloud: local_cloud.LocalCloud, service: str) -> Any:
    env = cloud.env
    session = boto3.Session(
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        region_name=env["AWS_REGION"],
    )
    return session.client(service, endpoint_url=cloud.endpoint)
