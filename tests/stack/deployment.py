"""The real template on a local cloud of its own, simulated providers beside it, and customers of both."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import boto3
import requests

from scripts.build.deploy import deploy, local_clients
from scripts.build.targets import HOST
from scripts.demo import browser as people
from scripts.instance.providers import PROVIDERS, register
from scripts.local_cloud import cloud as local_cloud
from tests.simulators import okta as okta_simulated
from tests.simulators import slack as slack_simulated
from tests.simulators.google import GoogleSimulator, OrgSpec
from tests.simulators.google.receiver import Receiver
from tests.simulators.okta import OktaSimulator
from tests.simulators.slack import SlackSimulator

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
STACK = "lantern-local"
CLIENT_ID, CLIENT_SECRET = "1234-lantern.apps.googleusercontent.com", "GOCSPX-stack-client-secret"
_KEY = re.compile(r"lnt_[a-z0-9]+_[0-9a-z]+_[0-9A-Za-z]+")
T = TypeVar("T")


def wait_for(look: Callable[[], T | None], what: str, seconds: float = 180) -> T:
    """Ask until there is an answer.

    Raises:
        AssertionError: there is none after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what}: not after {seconds} s"
        time.sleep(0.25)
    return found


class InProcess:
    """A simulator of this process, told things as one that runs by itself."""

    def __init__(self, control: Any) -> None:
        self._control = control
        self.ready: dict[str, Any] = {}

    def control(self, name: str, **arguments: Any) -> Any:
        """Tell it something."""
        return getattr(self._control, name)(**arguments)


@dataclass
class Deployment:
    """A cloud with the stack on it, and the providers it talks to.

    Everybody is a customer of Google; Okta and Slack have one organisation, brightwater.example. `taken`
    stands for every address that customers name.
    """

    directory: Path
    google: GoogleSimulator
    okta: OktaSimulator
    slack: SlackSimulator
    taken: Receiver
    cloud: local_cloud.LocalCloud = field(init=False)
    outputs: dict[str, str] = field(default_factory=dict)
    base: str = ""

    def start(self) -> None:
        """Start the cloud, or start it again where it was stopped."""
        self.cloud = local_cloud.start(self.directory)

    def stop(self) -> None:
        """Stop it cleanly."""
        local_cloud.stop(self.directory)

    def deploy(self) -> None:
        """Deploy twice, as an operator does whose API has no name yet, and register at Google."""
        parameters = {
            "Stage": "local",
            "WorkerConcurrency": "2",
            "InsecureCookies": "true",
            "ProviderEndpoints": json.dumps(
                {
                    "google": self.google.base_url,
                    "okta": self.okta.base_url,
                    "slack": self.slack.base_url,
                    "webhooks": self.taken.address.removesuffix("/webhooks/google"),
                }
            ),
        }
        self._apply(parameters)
        self.base = self.cloud.rest_api_url(self.outputs["ApiId"], "local")
        self._apply({**parameters, "PublicBaseUrl": self.base})
        registration = json.dumps({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET})
        self.aws("secretsmanager").put_secret_value(
            SecretId=self.outputs["GoogleOAuthSecret"], SecretString=registration
        )
        redirect = f"{self.base}/connect/google/callback"
        self.google.control.register_client(CLIENT_ID, CLIENT_SECRET, [redirect])
        slack = next(one for one in PROVIDERS if one.key == "slack")
        told: Any = InProcess(self.slack.control)
        register(slack, told, self.aws("secretsmanager"), self.outputs, self.base)

    def _apply(self, parameters: Mapping[str, str]) -> None:
        done = deploy(
            local_clients(self.cloud),
            HOST,
            template=TEMPLATE,
            stack=STACK,
            parameters=parameters,
            report=lambda _step: None,
        )
        self.outputs = done.outputs

    def aws(self, service: str, credentials: Mapping[str, str] | None = None) -> Any:
        """A client with the operator's credentials, or with those of an assumed role."""
        env, given = self.cloud.env, credentials or {}
        return boto3.client(
            service,
            endpoint_url=self.cloud.endpoint,
            region_name=env["AWS_REGION"],
            aws_access_key_id=given.get("AccessKeyId", env["AWS_ACCESS_KEY_ID"]),
            aws_secret_access_key=given.get("SecretAccessKey", env["AWS_SECRET_ACCESS_KEY"]),
            aws_session_token=given.get("SessionToken"),
        )

    def role_of(self, function: str) -> str:
        """The ARN of the role that a function of the template runs as."""
        found = self.aws("cloudformation").describe_stack_resource(
            StackName=STACK, LogicalResourceId=f"{function}FunctionRole"
        )
        name = found["StackResourceDetail"]["PhysicalResourceId"]
        return str(self.aws("iam").get_role(RoleName=name)["Role"]["Arn"])

    def schedules(self) -> set[str]:
        """Names of the schedules in the stack's group."""
        group = self.outputs["ScheduleGroup"]
        listed = self.aws("scheduler").list_schedules(GroupName=group)["Schedules"]
        return {item["Name"] for item in listed}

    def quiet(self) -> None:
        """Wait until nobody works: what is in hand at a stop is delivered again only after hours."""
        sqs, counts = (
            self.aws("sqs"),
            ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )

        def done() -> bool:
            waiting = 0
            for queue in ("HintsQueue", "RunsQueue"):
                asked = sqs.get_queue_attributes(QueueUrl=self.outputs[queue], AttributeNames=counts)
                waiting += sum(int(value) for value in asked["Attributes"].values())
            return waiting == 0

        wait_for(done, "empty queues")

    def items(self) -> Iterator[dict[str, Any]]:
        """Every item of both tables."""
        client = self.aws("dynamodb")
        for table in ("TenantTable", "PlatformTable"):
            for page in client.get_paginator("scan").paginate(TableName=self.outputs[table]):
                yield from page["Items"]

    def consent(self, admin: str) -> requests.Response:
        """Go through the consent flow in a fresh browser, as `admin`; the page at its end."""
        self.google.control.auto_consent(admin)
        with requests.Session() as browser:
            browser.trust_env = False
            return browser.get(f"{self.base}/connect/google", timeout=60)

    def customer(self, **spec: Any) -> "Customer":
        """A new organisation that has just given consent."""
        organisation = self.google.control.add_organisation(**spec)
        return self.connect(organisation["customer_id"], organisation["admin"])

    def connect(self, customer_id: str, admin: str) -> "Customer":
        """Consent for an organisation that Lantern does not know; its first key is on the page."""
        page = self.consent(admin)
        key = _KEY.search(page.text)
        assert key is not None, f"{page.status_code} {page.url}\n{page.text}"
        assert page.headers["Cache-Control"] == "no-store"
        found = Customer(self, key[0], customer_id, admin)
        (connection,) = found.get("/v1/connections")["data"]
        found.connection_id = connection["id"]
        return found


@dataclass
class Customer:
    """Somebody with an API key, and their organisation at Google."""

    deployment: Deployment
    key: str
    customer_id: str
    admin: str
    connection_id: str = ""

    def add(self, provider: str, entered: Mapping[str, str] | None = None) -> "Customer":
        """Connect one more provider by a link, page by page; the same customer at the new connection."""
        link = self.do("POST", "/v1/connections", {"provider": provider})["url"]
        opened = people.connect(link, entered)
        assert opened.key is None, "a customer that is known gets no key"
        (made,) = [c for c in self.get("/v1/connections")["data"] if c["provider"] == provider]
        return replace(self, customer_id=made["organisation_id"], connection_id=made["id"])

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """One request to the API."""
        sent = {"Authorization": f"Bearer {self.key}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        with requests.Session() as session:
            session.trust_env = False
            return session.request(
                method, f"{self.deployment.base}{path}", json=body, headers=sent, timeout=60
            )

    def get(self, path: str) -> Any:
        """The JSON of a read that works."""
        answer = self.send("GET", path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def every(self, path: str) -> list[dict[str, Any]]:
        """All items of a list, page after page."""
        joint = "&" if "?" in path else "?"
        page = self.get(f"{path}{joint}limit=100")
        found = list(page["data"])
        while page["next_cursor"]:
            page = self.get(f"{path}{joint}limit=100&cursor={page['next_cursor']}")
            found += page["data"]
        return found

    def do(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The JSON of a write that works."""
        answer = self.send(method, path, body, **headers)
        assert answer.status_code in (200, 201, 202), f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def etag(self, path: str) -> str:
        """The revision of what is at `path`, as `If-Match` wants it."""
        return self.send("GET", path).headers["ETag"]

    # --- questions that tests ask ---------------------------------------------------------------
    @property
    def tenant_id(self) -> str:
        """The tenant's id."""
        return str(self.get("/v1/tenant")["id"])

    @property
    def connection(self) -> dict[str, Any]:
        """The connection as the API shows it."""
        return dict(self.get(f"/v1/connections/{self.connection_id}"))

    def runs(self) -> list[dict[str, Any]]:
        """The runs of the connection, newest first."""
        return self.every(f"/v1/connections/{self.connection_id}/runs")

    def read(self, seconds: float = 90) -> "Customer":
        """Wait for the end of the first full run."""
        path = f"/v1/connections/{self.connection_id}"
        wait_for(lambda: self.get(path)["last_full_run"], "the first full run", seconds)
        return self

    def app(self, name: str, seconds: float = 60) -> dict[str, Any]:
        """The app of a name, once it is judged."""

        def look() -> dict[str, Any] | None:
            found = [a for a in self.every("/v1/apps") if a["name"] == name]
            return found[0] if found and found[0]["verdict"] else None

        return wait_for(look, f"the app {name}", seconds)

    def finding(self, rule: str, app: str, seconds: float = 60) -> dict[str, Any]:
        """The open finding of a rule on an app, by its name in the title."""

        def look() -> dict[str, Any] | None:
            for found in self.every("/v1/findings?status=open"):
                if found["rule_id"] == rule and app in found["title"]:
                    return found
            return None

        return wait_for(look, f"finding {rule} of {app}", seconds)

    def grants(self, app_id: str) -> list[dict[str, Any]]:
        """Who holds an app."""
        return self.every(f"/v1/grants?app_id={app_id}&connection_id={self.connection_id}")

    def job(self, job_id: str, state: str, seconds: float = 60) -> dict[str, Any]:
        """A job, once it is in a state."""

        def look() -> dict[str, Any] | None:
            found = self.get(f"/v1/jobs/{job_id}")
            return found if found["state"] == state else None

        return wait_for(look, f"job {job_id} {state}", seconds)

    def colleague(self, *scopes: str) -> "Customer":
        """Somebody else of the same tenant, with a key of their own."""
        issued = self.do("POST", "/v1/keys", {"name": "colleague", "scopes": list(scopes)})
        return Customer(self.deployment, issued["key"], self.customer_id, self.admin, self.connection_id)


def make(directory: Path) -> Iterator[Deployment]:
    """A deployment for as long as somebody holds the iterator."""
    with (
        GoogleSimulator(OrgSpec(employees=10)) as google,
        OktaSimulator(
            okta_simulated.OrgSpec(8, domain="brightwater.example", subdomain="brightwater")
        ) as okta,
        SlackSimulator(slack_simulated.OrgSpec(6, domain="brightwater", name="Brightwater")) as slack,
        Receiver() as taken,
    ):
        deployment = Deployment(directory, google, okta, slack, taken)
        deployment.start()
        try:
            deployment.deploy()
            yield deployment
        finally:
            deployment.stop()
