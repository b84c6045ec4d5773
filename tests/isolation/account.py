"""Every function of the template in one process, tables in memory, moto: real handlers, events and wiring.

Each call that a function makes to AWS is written down with the credentials it was made on: the function's own
role, or a tenant role with its session tag. The environment of each function is the template's.
"""

import importlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.loaders import create_loader
from botocore.response import StreamingBody
from botocore.session import Session
from moto import mock_aws

from tests.simulators.google import GoogleSimulator
from tests.simulators.google.receiver import Receiver
from tests.support import rendered
from tests.support.memory_stream import StreamedDynamo

BASE = rendered.PARAMETERS["PublicBaseUrl"]
CLIENT_ID, CLIENT_SECRET = "1234-lantern.apps.googleusercontent.com", "GOCSPX-canary-client-secret"
RESOURCES = rendered.rendered()
FUNCTIONS = {
    name.removesuffix("Function"): resource["Properties"]
    for name, resource in RESOURCES.items()
    if resource["Type"] == "AWS::Lambda::Function"
}
BUCKETS = ("AnchorsBucket", "DropsBucket")
REGISTERED = ("google", "entra", "slack", "github", "salesforce")
"""Providers at which Lantern has an app of its own."""
SIGNING = ("slack", "github")
"""Those that sign what they send to it."""
SIGNING_SECRET = "p" * 64
_KEY = re.compile(r"lnt_[a-z0-9]+_[0-9a-z]+_[0-9A-Za-z]+")
_KEPT_CACHES = {"logging_once", "document", "_compact", "_docs", "_style"}
_CALL = BaseClient._make_api_call


@dataclass(frozen=True)
class Call:
    """One request to AWS. `role` is the logical id of the role; `tenant` its session tag."""

    function: str
    role: str
    tenant: str | None
    service: str
    operation: str
    params: Mapping[str, Any]


@dataclass
class Account:
    """An AWS account with Lantern in it, and a Google beside it.

    `endpoints` are further addresses in place of the public ones: `slack`, and `webhooks` for what customers
    name. `asked` are the requests to the API and to pages, `replies` what was told to Slack's own address.
    """

    google: GoogleSimulator
    content: str
    endpoints: dict[str, str] = field(default_factory=dict)
    asked: set[tuple[str, str]] = field(default_factory=set)
    replies: list[str] = field(default_factory=list)
    _failed: list[tuple[str, str]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    answers: list[tuple[str, Any]] = field(default_factory=list)
    errors: list[tuple[str, BaseException]] = field(default_factory=list)
    faults: dict[str, Callable[[], BaseException]] = field(default_factory=dict)
    dynamo: StreamedDynamo = field(
        default_factory=lambda: StreamedDynamo(rendered.physical_name("TenantTable"))
    )
    _running: list[str] = field(default_factory=list)
    _own: dict[str, Any] = field(default_factory=dict)
    _sessions: dict[str, Session] = field(default_factory=dict)
    _assumed: dict[str, tuple[str, str | None]] = field(default_factory=dict)

    # --- resources ------------------------------------------------------------------------------
    def create(self) -> None:
        """What CloudFormation would make."""
        for table in ("TenantTable", "PlatformTable"):
            properties = RESOURCES[table]["Properties"]
            kept = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
            request = {key: properties[key] for key in kept if key in properties}
            self.aws("dynamodb").create_table(TableName=rendered.physical_name(table), **request)
        self.queues = {
            name: self.aws("sqs").create_queue(QueueName=rendered.physical_name(name))["QueueUrl"]
            for name, resource in RESOURCES.items()
            if resource["Type"] == "AWS::SQS::Queue"
        }
        self.key_id = self.aws("kms").create_key()["KeyMetadata"]["KeyId"]
        known = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "slug": "lantern", "app_id": "1"}
        registration = json.dumps(known)
        secrets = self.aws("secretsmanager")
        self.secrets = {
            **{
                f"{provider.upper()}_OAUTH_SECRET_ARN": secrets.create_secret(
                    Name=f"oauth/{provider}", SecretString=registration
                )["ARN"]
                for provider in REGISTERED
            },
            **{
                f"{provider.upper()}_PUSH_SECRET_ARN": secrets.create_secret(
                    Name=f"push/{provider}", SecretString=SIGNING_SECRET
                )["ARN"]
                for provider in SIGNING
            },
            "GOOGLE_MAIL_OAUTH_SECRET_ARN": secrets.create_secret(
                Name="mail/google", SecretString=registration
            )["ARN"],
            "CURSOR_SECRET_ID": secrets.create_secret(Name="signing", SecretString="s" * 64)["ARN"],
        }
        self.aws("sesv2").create_email_identity(EmailIdentity=rendered.PARAMETERS["AlertDomain"])
        self.aws("scheduler").create_schedule_group(Name=rendered.physical_name("ScheduleGroup"))
        for bucket in BUCKETS:
            self.aws("s3").create_bucket(
                Bucket=rendered.physical_name(bucket).lower(),
                CreateBucketConfiguration={"LocationConstraint": rendered.REGION},
            )

    def aws(self, service: str) -> Any:
        """The operator's own client; its calls are not written down."""
        if service not in self._own:
            session = Session()
            session.set_credentials("OPERATOR", "secret")
            self._own[service] = session.create_client(service, region_name=rendered.REGION)
        return self._own[service]

    def items(self, table: str) -> list[dict[str, Any]]:
        """Everything in a table of the template."""
        return list(self.dynamo.items(rendered.physical_name(table)))

    def environment(self, function: str) -> dict[str, str]:
        """A function's environment as the template has it, with this account's addresses."""
        variables = dict(FUNCTIONS[function]["Environment"]["Variables"])
        for name, value in variables.items():
            if name.endswith("_QUEUE_URL"):
                variables[name] = next(
                    u for q, u in self.queues.items() if rendered.physical_name(q) == value
                )
        mine = {**self.secrets, "SECRETS_KEY_ID": self.key_id}
        variables |= {name: value for name, value in mine.items() if name in variables}
        variables |= {name: value.lower() for name, value in variables.items() if name.endswith("_BUCKET")}
        return {
            **variables,
            "PROVIDER_ENDPOINTS": json.dumps({"google": self.google.base_url, **self.endpoints}),
            "CONTENT_DIR": self.content,
            "AWS_REGION": rendered.REGION,
            "AWS_ACCESS_KEY_ID": f"OWN{function}",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "PATH": os.environ["PATH"],
        }

    # --- running functions ----------------------------------------------------------------------
    def run(self, function: str, event: Mapping[str, Any], tenant: str | None = None) -> Any:
        """Invoke a function as Lambda would: its environment, its handler, nothing left of others."""
        module = "dispatcher" if function.endswith("Dispatcher") else function.lower()
        seconds = FUNCTIONS[function]["Timeout"] * 1000
        context = SimpleNamespace(tenant_id=tenant, get_remaining_time_in_millis=lambda: seconds)
        self._running.append(function)
        with mock.patch.dict(os.environ, self.environment(function), clear=True):
            _forget()
            try:
                answer = importlib.import_module(f"functions.{module}.app").handler(event, context)
            except Exception as error:
                self.errors.append((function, error))
                raise
            finally:
                self._running.pop()
                _forget()
        self.answers.append((function, answer))
        return answer

    def record(self, client: BaseClient, operation: str, params: Mapping[str, Any]) -> Any:
        """What botocore's clients call: write it down and go on to the tables, or to moto."""
        if not self._running:
            return self._answer(client, operation, params)
        function, service = self._running[-1], client.meta.service_model.service_name
        access_key = client._request_signer._credentials.get_frozen_credentials().access_key
        role, tenant = self._assumed.get(access_key, (f"{function}FunctionRole", None))
        self.calls.append(Call(function, role, tenant, service, operation, dict(params)))
        if operation in self.faults:
            raise self.faults[operation]()
        if operation == "Invoke":
            return self._invoke(params)
        answer = self._answer(client, operation, params)
        if operation == "AssumeRole":
            tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())}
            name = params["RoleArn"].rsplit("/", 1)[1].split("-")[-2]
            self._assumed[answer["Credentials"]["AccessKeyId"]] = (name, tags.get("tenant"))
        return answer

    def _answer(self, client: BaseClient, operation: str, params: Mapping[str, Any]) -> Any:
        if client.meta.service_model.service_name == "dynamodb":
            return self.dynamo.answer(client, operation, params)
        if operation == "GetSuppressedDestination":  # moto knows no such list: nobody is on it
            raise ClientError({"Error": {"Code": "NotFoundException", "Message": "No."}}, operation)
        return _CALL(client, operation, params)

    def session(self) -> Session:
        """The session of the function that runs: its credentials, read from its environment.

        Making one costs more than most functions' work, and another start of a function would make the same.
        """
        function = self._running[-1]
        if function not in self._sessions:
            self._sessions[function] = Session()
        return self._sessions[function]

    def _invoke(self, params: Mapping[str, Any]) -> Any:
        function = params["FunctionName"].split("-")[-2].removesuffix("Function")
        saved = dict(os.environ)
        try:
            body, error = self.run(function, json.loads(params["Payload"]), params["TenantId"]), None
        except Exception as raised:
            body, error = {"errorType": type(raised).__name__, "errorMessage": str(raised)}, "Unhandled"
        assert dict(os.environ) == saved
        payload = json.dumps(body).encode()
        answer = {"StatusCode": 200, "Payload": StreamingBody(_Bytes(payload), len(payload))}
        return answer | ({"FunctionError": error} if error else {})

    # --- what moves messages --------------------------------------------------------------------
    def settle(self, rounds: int = 400) -> None:
        """Streams to the router and queues to the dispatchers, until there is nothing left."""
        for _ in range(rounds):
            if not self._stream() + self._queue("Hints") + self._queue("Runs"):
                return
        raise AssertionError("messages beget messages")

    def again(self) -> None:
        """What failed is delivered again now, not when its time is over; until there is nothing left."""
        failed, self._failed = self._failed, []
        sqs = self.aws("sqs")
        for url, handle in failed:
            # It may have come again by itself meanwhile.
            with suppress(sqs.exceptions.MessageNotInflight, sqs.exceptions.ReceiptHandleIsInvalid):
                sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
        self.settle()

    def _stream(self) -> int:
        wanted = [record for record in self.dynamo.take(1000) if _filtered(record)]
        if wanted:
            assert self.run("Router", {"Records": wanted}) == {"batchItemFailures": []}
        return len(wanted)

    def _queue(self, name: str) -> int:
        sqs, url = self.aws("sqs"), self.queues[f"{name}Queue"]
        received = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["ApproximateReceiveCount"]
        ).get("Messages", [])
        for message in received:
            record = {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "eventSourceARN": rendered.arn(f"{name}Queue", "AWS::SQS::Queue"),
            }
            failed = self.run(f"{name}Dispatcher", {"Records": [record]})["batchItemFailures"]
            if not failed or int(message["Attributes"]["ApproximateReceiveCount"]) >= 6:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            else:
                self._failed.append((url, message["ReceiptHandle"]))
        return len(received)

    def send(self, queue: str, **work: Any) -> None:
        """Put a work message on a queue, as a schedule does."""
        self.aws("sqs").send_message(QueueUrl=self.queues[f"{queue}Queue"], MessageBody=json.dumps(work))

    def pushes(self, hooks: Receiver) -> None:
        """Hand what providers pushed to the webhooks function."""
        while hooks.posted:
            posted = hooks.posted.pop(0)
            self.posted("POST", posted.path, posted.headers, posted.body.decode())

    def posted(self, method: str, path: str, headers: Mapping[str, str], body: str = "") -> Any:
        """A request to `/webhooks/{source}/{id}`."""
        source, channel = path.split("/")[-2:]
        return self.run(
            "Webhooks",
            {
                "path": f"/webhooks/{source}/{channel}",
                "httpMethod": method,
                "pathParameters": {"source": source, "id": channel},
                "multiValueHeaders": {k: [v] for k, v in headers.items()},
                "body": body,
                "requestContext": {"requestId": "push"},
            },
        )

    def tell(self, _url: str, text: str, _replace: bool, **_more: Any) -> bool:
        """What outreach answers to the address that a press or a command brought."""
        self.replies.append(text)
        return True

    def upload(self, opened: Mapping[str, Any], content: bytes, tenant: str) -> None:
        """Send a file to the address that the API gave, and tell the router as the bucket does."""
        with requests.Session() as session:
            session.trust_env = False
            sent = session.put(opened["url"], data=content, headers=opened["headers"], timeout=5)
        assert sent.status_code == 200, sent.text
        key = f"{tenant}/{opened['upload_id']}"
        bucket = rendered.physical_name("DropsBucket").lower()
        # The address was signed with the tenant's session, so that is whose request it is.
        asked = Call("Api", "TenantDataRole", tenant, "s3", "PutObject", {"Bucket": bucket, "Key": key})
        self.calls.append(asked)
        record = {"eventSource": "aws:s3", "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}
        assert self.run("Router", {"Records": [record]}) == {"announced": 1}

    # --- people ---------------------------------------------------------------------------------
    def page(self, address: str, answer: Mapping[str, str] | None = None) -> Any:
        """A person's browser opens the address of a page of theirs and, with `answer`, sends its form."""
        kind, token = address.split("/")[-2:]
        route = f"/{kind}/{{token}}"
        event: dict[str, Any] = {
            "resource": route,
            "path": f"/{kind}/{token}",
            "httpMethod": "GET",
            "pathParameters": {"token": token},
            "requestContext": {"requestId": "page", "domainName": "api.example", "stage": "test"},
        }
        self.asked.add(("GET", route))
        opened = self.run("People", event)
        if answer is None:
            return opened
        check = re.search(r'name="check" value="([0-9a-f]+)"', opened["body"])
        assert check is not None, opened["body"]
        cookie = opened["headers"]["Set-Cookie"].partition(";")[0]
        self.asked.add(("POST", route))
        return self.run(
            "People",
            {
                **event,
                "httpMethod": "POST",
                "multiValueHeaders": {
                    "Cookie": [cookie],
                    "Content-Type": ["application/x-www-form-urlencoded"],
                },
                "body": urlencode({**answer, "check": check[1]}),
            },
        )

    def browse(
        self, resource: str, parameters: Mapping[str, str], cookies: dict[str, str], query: Any
    ) -> Any:
        """A browser's GET on the consent flow; keeps its cookies."""
        cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
        page = self.run(
            "Onboarding",
            {
                "resource": resource,
                "path": resource.format(**parameters),
                "pathParameters": dict(parameters),
                "multiValueQueryStringParameters": query,
                "multiValueHeaders": {"Cookie": [cookie]} if cookie else {},
                "requestContext": {"requestId": "browser", "domainName": "api.example", "stage": "test"},
            },
        )
        name, _, rest = page["headers"].get("Set-Cookie", "").partition("=")
        if name:
            cookies[name] = rest.partition(";")[0]
        return page

    def consent(self, admin: str, link: str | None = None) -> Any:
        """The whole consent of an administrator; the last page."""
        self.google.control.auto_consent(admin)
        cookies: dict[str, str] = {}
        start = (
            self.browse("/connect/link/{token}", {"token": link.rpartition("/")[2]}, cookies, None)
            if link
            else self.browse("/connect/{provider}", {"provider": "google"}, cookies, None)
        )
        with requests.Session() as session:
            session.trust_env = False
            back = session.get(start["headers"]["Location"], allow_redirects=False, timeout=5)
        query = parse_qs(urlsplit(back.headers["Location"]).query)
        return self.browse("/connect/{provider}/callback", {"provider": "google"}, cookies, query)

    def customer(self, admin: str) -> "Customer":
        """A new customer after consent, with the key of the page."""
        page = self.consent(admin)
        key = _KEY.search(page["body"])
        assert key is not None, page["body"]
        return Customer(self, key[0], admin)


@dataclass
class Customer:
    """Somebody with an API key."""

    account: Account
    key: str
    admin: str

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """One request through authorizer and API, text as it is; the proxy answer with its body parsed."""
        where, _, query = path.partition("?")
        self.account.asked.add((method, where))
        arn = f"arn:aws:execute-api:{rendered.REGION}:{rendered.ACCOUNT}:api/test/{method}{where}"
        allowed = self.account.run(
            "Authorizer", {"methodArn": arn, "headers": {"Authorization": f"Bearer {self.key}"}}
        )
        assert allowed["policyDocument"]["Statement"][0]["Effect"] == "Allow"
        sent = {"Content-Type": "application/json"} if body is not None else {}
        raw = body if isinstance(body, str | None) else json.dumps(body)
        many = parse_qs(query)
        answer = self.account.run(
            "Api",
            {
                "resource": "/v1/{proxy+}",
                "path": where,
                "httpMethod": method,
                "headers": {**sent, **{k.replace("_", "-"): v for k, v in headers.items()}},
                "queryStringParameters": {k: v[-1] for k, v in many.items()} or None,
                "multiValueQueryStringParameters": many or None,
                "pathParameters": {"proxy": where.removeprefix("/v1/")},
                "requestContext": {"requestId": "r", "stage": "test", "authorizer": allowed["context"]},
                "body": raw,
                "isBase64Encoded": False,
            },
        )
        return SimpleNamespace(
            status=answer["statusCode"], headers=answer["headers"], json=_json(answer), text=answer["body"]
        )

    def get(self, path: str) -> Any:
        """A read that works."""
        answer = self("GET", path)
        assert answer.status == 200, (path, answer.json)
        return answer.json

    def decide(self, method: str, path: str, of: str, body: Any = None, **headers: str) -> Any:
        """A write on the revision of `of`."""
        return self(method, path, body, If_Match=self("GET", of).headers["ETag"], **headers)


def _json(answer: Mapping[str, Any]) -> Any:
    """The body of an answer; None where it has none, or is a page."""
    return json.loads(answer["body"]) if "json" in answer["headers"].get("Content-Type", "") else None


class _Bytes:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, _amount: int | None = None) -> bytes:
        content, self._content = self._content, b""
        return content


def _filtered(record: Mapping[str, Any]) -> bool:
    """The filter of the router's event source mapping."""
    image = record["dynamodb"].get("NewImage", {})
    kind, cause = image.get("kind", {}).get("S"), image.get("cause", {}).get("S")
    if record["eventName"] == "INSERT" and kind == "outbox":
        return True
    return record["eventName"] != "REMOVE" and kind in ("bundle", "bundle_cut") and cause in ("hint", "act")


def _forget() -> None:
    """Empty every cache of the runtime: the next function starts cold."""
    for name, module in list(sys.modules.items()):
        if name.startswith("lantern.runtime"):
            for attribute, value in list(vars(module).items()):
                if hasattr(value, "cache_clear") and attribute not in _KEPT_CACHES:
                    value.cache_clear()


@contextmanager
def account(google: GoogleSimulator, content: str, *, logs: bool = False) -> Iterator[Account]:
    """An account for as long as the context lasts; `logs` attaches the functions' own log formatter."""
    made = Account(google, content)

    def call(client: BaseClient, operation: str, params: Mapping[str, Any]) -> Any:
        return made.record(client, operation, params)

    # Every function starts cold; that service models are read from disk once for all changes nothing else.
    models = create_loader()
    shared = mock.patch("botocore.session.create_loader", return_value=models)
    quiet = mock.patch("lantern.runtime.wiring_platform.logging_once", return_value=None)
    sessions = mock.patch("lantern.runtime.wiring_platform._session", made.session)
    # The address in a press is Slack's own host; nothing here is that.
    back = mock.patch("lantern.channels.slack_reply.tell", made.tell)
    with mock_aws(), shared, sessions, back, mock.patch.object(BaseClient, "_make_api_call", call):
        made.create()
        redirect = f"{BASE}/connect/google/callback"
        google.control.register_client(CLIENT_ID, CLIENT_SECRET, [redirect])
        if logs:
            yield made
        else:
            with quiet:
                yield made


def wait_until(look: Callable[[], Any], seconds: float = 10) -> None:
    """Wait for something the simulator does in a thread of its own."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.02)
