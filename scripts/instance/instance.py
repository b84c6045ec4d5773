"""Bring one Lantern up and down: local cloud, Google simulator, template, OAuth client."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3

from scripts.build.deploy import LOCAL_STAGE, deploy, local_clients
from scripts.build.targets import HOST
from scripts.instance import simulator as simulators
from scripts.instance.progress import Progress
from scripts.instance.simulator import Simulator
from scripts.local_cloud import cloud as local_cloud

ROOT: Final = local_cloud.ROOT
STACK: Final = f"lantern-{LOCAL_STAGE}"
CLIENT_ID: Final = "407400000001-lantern.apps.googleusercontent.com"
EMPLOYEES: Final = 250
_NOT_CONFIGURED: Final = "not-configured"


@dataclass(frozen=True, slots=True)
class Instance:
    """A Lantern that is running."""

    cloud: local_cloud.LocalCloud
    google: Simulator
    outputs: dict[str, str]

    @property
    def api_url(self) -> str:
        """Where the API is reached."""
        return self.cloud.rest_api_url(self.outputs["ApiId"], LOCAL_STAGE)

    @property
    def logs(self) -> tuple[Path, ...]:
        """Where to look when something goes wrong."""
        return (self.cloud.log, self.google.log)

    def client(self, service: str) -> Any:
        """An AWS client of the local cloud's root."""
        return _client(self.cloud, service)


def up(directory: Path, progress: Progress, *, cloud_port: int = 0, google_port: int = 0) -> Instance:
    """Start everything of a directory and bring it to this checkout's template; what runs is kept running.

    Args:
        directory: holds all state.
        progress: told about every step.
        cloud_port: of the local cloud; 0 takes the last one, or any.
        google_port: of the Google simulator; 0 takes the last one, or any.

    Raises:
        LocalCloudError: the local cloud did not start.
        SimulatorError: the simulator did not start.
        DeploymentError: the template could not be deployed.
        RuntimeError: the artifacts could not be built.
    """
    with progress.step("local cloud"):
        cloud = local_cloud.start(directory, port=cloud_port)
    with progress.step("Google simulator"):
        simulator = simulators.start(directory, "google", "--employees", str(EMPLOYEES), port=google_port)
    with progress.step("build and deploy template.yaml") as report:
        deployment = deploy(
            local_clients(cloud),
            HOST,
            template=ROOT / "template.yaml",
            stack=STACK,
            parameters={
                "Stage": LOCAL_STAGE,
                "WorkerConcurrency": "2",
                "InsecureCookies": "true",
                "ProviderEndpoints": json.dumps({"google": simulator.base_url}),
            },
            report=report,
        )
    instance = Instance(cloud, simulator, deployment.outputs)
    with progress.step("OAuth client at the simulated Google"):
        _register(instance)
    return instance


def down(directory: Path) -> tuple[bool, bool]:
    """Stop everything of a directory; its state stays. Returns whether cloud and simulator were running."""
    return local_cloud.stop(directory), simulators.stop(directory, "google")


def running(directory: Path) -> Instance | None:
    """What is running in a directory; None unless all of it is, template included."""
    cloud, simulator = local_cloud.status(directory), simulators.status(directory, "google")
    if cloud is None or simulator is None:
        return None
    stacks = _client(cloud, "cloudformation").list_stacks()["StackSummaries"]
    if not any(s["StackName"] == STACK and s["StackStatus"].endswith("E_COMPLETE") for s in stacks):
        return None
    described = _client(cloud, "cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    outputs = {item["OutputKey"]: item["OutputValue"] for item in described.get("Outputs", [])}
    return Instance(cloud, simulator, outputs)


def _register(instance: Instance) -> None:
    """Make Lantern's OAuth client known on both sides, with the address that Google sends people back to."""
    store, name = instance.client("secretsmanager"), instance.outputs["GoogleOAuthSecret"]
    client = json.loads(store.get_secret_value(SecretId=name)["SecretString"])
    if client["client_id"] == _NOT_CONFIGURED:
        client = {"client_id": CLIENT_ID, "client_secret": f"GOCSPX-{secrets.token_urlsafe(21)}"}
        store.put_secret_value(SecretId=name, SecretString=json.dumps(client))
    instance.google.control(
        "register_client",
        client_id=client["client_id"],
        client_secret=client["client_secret"],
        redirect_uris=[f"{instance.api_url}/connect/google/callback"],
    )


def _client(cloud: local_cloud.LocalCloud, service: str) -> Any:
    env = cloud.env
    session = boto3.Session(
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        region_name=env["AWS_REGION"],
    )
    return session.client(service, endpoint_url=cloud.endpoint)
