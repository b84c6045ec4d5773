"""A customer's whole life with everything failing once, while every secret in it is written down.

The organisation's names are hostile and its provider is ill-behaved: refusals that quote tokens back, torn
bodies, outages, a key store that says no. What Lantern leaves behind of it is read by the tests.
"""

import json
import logging
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from io import StringIO
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import requests
from botocore.exceptions import ClientError

from lantern.connectors.halt import Halt
from lantern.domain.errors import LanternError
from tests.isolation.account import CLIENT_ID, CLIENT_SECRET, RESOURCES, Account, Customer, account
from tests.simulators.google import GoogleSimulator, OrgSpec
from tests.simulators.google.catalog import hostile_apps
from tests.simulators.google.identity import Signer
from tests.simulators.google.receiver import Receiver
from tests.simulators.google.tokens import TokenStore
from tests.support import rendered

DRIVE = "https://www.googleapis.com/auth/drive"
GONE = "tokens$"


@dataclass
class Story:
    """What happened: secrets by kind, and everything that could have kept one."""

    account: Account
    google: GoogleSimulator
    secrets: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    records: list[logging.LogRecord] = field(default_factory=list)
    raised: list[BaseException] = field(default_factory=list)
    pages: dict[str, Any] = field(default_factory=dict)
    hits: dict[str, int] = field(default_factory=dict)
    printed: StringIO = field(default_factory=StringIO)
    customer: Customer = None  # type: ignore[assignment] # there is one as soon as somebody consented
    connection: str = ""
    items: list[dict[str, Any]] = field(default_factory=list)
    anchors: dict[str, bytes] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)
    people: list[str] = field(default_factory=list)
    open_findings: list[dict[str, Any]] = field(default_factory=list)

    def learn(self, kind: str, value: str | None) -> None:
        """A secret came into being."""
        if value:
            self.secrets[kind].add(value)

    def logged(self) -> list[logging.LogRecord]:
        """What Lantern said."""
        return [r for r in self.records if f"{r.name}.".startswith("lantern.")]

    def exceptions(self) -> Iterator[str]:
        """Every way in which an exception of Lantern, or one that left a function, may be shown."""
        for error in [*self.raised, *(error for _, error in self.account.errors)]:
            yield str(error)
            yield repr(error)
            yield repr(vars(error))
            yield "".join(traceback.format_exception(error))

    @contextmanager
    def fault(self, kind: str, path: str, **more: Any) -> Iterator[None]:
        """A fault of the provider's for as long as the context; that it struck is asserted."""
        control = self.google.control
        number = control.fault(kind, path=path, **more)
        yield
        (rule,) = [rule for rule in control.faults() if rule["id"] == number]
        self.hits[f"{number} {kind} {more.get('status', '')} {path} {more.get('method', '')}".strip()] = rule[
            "hits"
        ]
        control.clear_faults(number)

    @contextmanager
    def refusing(self, operation: str, code: str) -> Iterator[None]:
        """An operation of AWS that says no for as long as the context."""
        self.account.faults[operation] = lambda: ClientError(
            {"Error": {"Code": code, "Message": "No."}}, operation
        )
        yield
        del self.account.faults[operation]

    def work(self, kind: str, queue: str = "Runs") -> None:
        """A message of the schedule, and all that follows from it."""
        tenant = self.customer.get("/v1/tenant")["id"]
        self.account.send(queue, tenant_id=tenant, kind=kind, connection_id=self.connection, cause="schedule")
        self.account.settle()


def organisation() -> OrgSpec:
    """Few people, hostile names."""
    return OrgSpec(employees=6, seed=5, domain="acme.example", grants_per_user=1, hostile=True)


def lived(content: str) -> Story:
    """The story, told; nothing of its account is left running."""
    with ExitStack() as stack:
        google = stack.enter_context(GoogleSimulator(organisation()))
        hooks = stack.enter_context(Receiver())
        story = Story(stack.enter_context(account(google, content)), google)
        with ExitStack() as ears, redirect_stdout(story.printed):
            for patch in _ears(story, hooks):
                ears.enter_context(patch)
            tell(story, hooks)
        _keep(story)
    return story


def _keep(story: Story) -> None:
    """What is left at the end, read before the account is gone."""
    client, s3 = story.account.aws("dynamodb"), story.account.aws("s3")
    for table in ("TenantTable", "PlatformTable"):
        for page in client.get_paginator("scan").paginate(TableName=rendered.physical_name(table)):
            story.items += page["Items"]
    bucket = rendered.physical_name("AnchorsBucket").lower()
    for row in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        story.anchors[row["Key"]] = s3.get_object(Bucket=bucket, Key=row["Key"])["Body"].read()
    for path in ("/v1/apps", "/v1/findings", "/v1/audit", "/v1/principals"):
        more = f"&connection_id={story.connection}" if path == "/v1/principals" else ""
        story.shown[path] = story.customer("GET", f"{path}?limit=100{more}")
    story.people = [person["email"] for person in story.google.control.users()]


def _ears(story: Story, hooks: Receiver) -> list[Any]:
    """What listens: to log records, errors, requests to the provider, tokens it gives; nobody waits long."""
    level, root = logging.DEBUG, logging.getLogger("lantern")
    factory = logging.getLogRecordFactory()
    send, sleep = requests.Session.send, Halt.sleep

    def record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        made = factory(*args, **kwargs)
        story.records.append(made)
        return made

    def new(cls: type[LanternError], *args: Any, **_: Any) -> LanternError:
        made = Exception.__new__(cls, *args)
        story.raised.append(made)
        return made

    def sent(session: requests.Session, request: requests.PreparedRequest, **more: Any) -> Any:
        _overhear(story, request)
        return send(session, request, **more)

    def issued(kind: str, original: Callable[..., str]) -> Callable[..., str]:
        def wrapped(*args: Any, **kwargs: Any) -> str:
            token = original(*args, **kwargs)
            story.learn(kind, token)
            return token

        return wrapped

    address = hooks.address.removesuffix("/webhooks/google")
    discovery = RESOURCES["DiscoveryFunction"]["Properties"]["Environment"]["Variables"]
    return [
        mock.patch.dict(discovery, {"PUBLIC_BASE_URL": address}),
        mock.patch.object(logging, "_logRecordFactory", record),
        mock.patch.object(root, "level", level),
        mock.patch.object(LanternError, "__new__", new),
        mock.patch.object(requests.Session, "send", sent),
        mock.patch.object(Halt, "sleep", lambda halt, seconds: sleep(halt, min(seconds, 0.02))),
        mock.patch.object(TokenStore, "issue_access", issued("access token", TokenStore.issue_access)),
        mock.patch.object(TokenStore, "issue_refresh", issued("refresh token", TokenStore.issue_refresh)),
        mock.patch.object(Signer, "id_token", issued("id token", Signer.id_token)),
    ]


def _overhear(story: Story, request: requests.PreparedRequest) -> None:
    """Secrets in what Lantern sends to the provider."""
    body = request.body or b""
    text = body.decode() if isinstance(body, bytes) else str(body)
    if text.startswith("{"):
        story.learn("channel token", json.loads(text).get("token"))
    else:
        form = parse_qs(text)
        story.learn("code", form.get("code", [""])[0])
        story.learn("verifier", form.get("code_verifier", [""])[0])
        story.learn("client secret", form.get("client_secret", [""])[0])


def tell(story: Story, hooks: Receiver) -> None:
    """The whole of it."""
    control = story.google.control
    (org,) = control.organisations()
    admin = org["admin"]
    people = [row["email"] for row in control.truth().values() if row["state"] == "active"]
    hostile = hostile_apps()
    for number, app in enumerate(hostile):
        control.grant(people[number % len(people)], client_id=app.client_id, scopes=[DRIVE])
    _consents(story, admin)
    _discovers(story)
    _hears(story, hooks, people[0], hostile[0].client_id)
    _decides(story)
    _asks_wrongly(story)
    _remediates(story)
    _loses_consent(story, admin)
    _leaves(story)


def _consents(story: Story, admin: str) -> None:
    control = story.google.control
    for name, fault in {
        "torn": {"kind": "truncate", "path": "/token$"},
        "half": {"kind": "cut", "path": "/token$"},
        "html": {"kind": "status", "path": "/token$", "status": 500, "html": True},
        "refused": {"kind": "status", "path": "/token$", "status": 401, "message": CLIENT_SECRET},
        "nobody": {"kind": "status", "path": "/users/", "status": 403},
    }.items():
        with story.fault(**fault):
            story.pages[name] = story.account.consent(admin)
    with story.refusing("Encrypt", "AccessDeniedException"):
        story.pages["unsealed"] = story.account.consent(admin)
    query = {"state": ["made-up"], "code": [next(iter(story.secrets["code"]))]}
    story.pages["forged"] = story.account.browse(
        "/connect/{provider}/callback", {"provider": "google"}, {}, query
    )
    story.customer = story.account.customer(admin)
    story.pages["key"] = story.account.answers[-1][1]
    story.learn("api key", story.customer.key)
    (connection,) = story.customer.get("/v1/connections")["data"]
    story.connection = connection["id"]
    control.auto_consent(admin)


def _discovers(story: Story) -> None:
    story.account.settle()
    refresh, access = (next(iter(story.secrets[kind])) for kind in ("refresh token", "access token"))
    quoted = f"Invalid credentials {access} of {refresh}"
    once = {"count": 1}
    with (
        story.fault("status", GONE, status=401, message=quoted, **once),
        story.fault("status", GONE, status=403, message=quoted, **once),
        story.fault("status", GONE, status=429, message=quoted, retry_after=0, **once),
        story.fault("status", GONE, status=503, message=quoted, **once),
        story.fault("truncate", GONE, **once),
        story.fault("cut", GONE, **once),
        story.fault("reset", GONE, **once),
    ):
        story.work("connection.full")
    with story.fault("status", "^/admin/", status=500, message=quoted):
        story.work("connection.changes")
    with story.refusing("Decrypt", "AccessDeniedException"):
        story.work("connection.changes")
    with story.refusing("Query", "InternalServerError"):
        story.work("connection.full")


def _hears(story: Story, hooks: Receiver, person: str, client: str) -> None:
    control = story.google.control
    control.grant(person, client_id=client, scopes=[DRIVE, "https://mail.google.com/"])
    control.settle()
    posted = [p for p in hooks.posted if p.body]
    assert posted
    forged = type(posted[0])(
        posted[0].path, {**posted[0].headers, "x-goog-channel-token": "forged"}, posted[0].body
    )
    hooks.posted.append(forged)
    story.account.pushes(hooks)
    story.account.settle()


def _decides(story: Story) -> None:
    acme = story.customer
    for app in acme.get("/v1/apps?limit=100")["data"]:
        if app["name"] in {hostile.name for hostile in hostile_apps()[:6]}:
            path = f"/v1/apps/{app['id']}"
            assert acme.decide("PUT", f"{path}/status", path, {"status": "not_allowed"}).status == 200
    story.account.settle()
    story.open_findings = acme.get("/v1/findings?status=open&limit=100")["data"]


def _asks_wrongly(story: Story) -> None:
    """The key in all the wrong places, and a store that does not answer."""
    acme, key = story.customer, story.customer.key
    wrong = [
        acme("POST", "/v1/keys", {"name": key, "scopes": [key], "secret": key}),
        acme("GET", f"/v1/apps?cursor={key}"),
        acme("GET", f"/v1/apps?verdict={key}&limit={key}"),
        acme("POST", "/v1/connections", {"provider": key}, Idempotency_Key=key + " "),
        acme("POST", "/v1/grants/revoke", {"grant_ids": [key]}),
    ]
    assert [answer.status for answer in wrong] == [400] * 5, [answer.json for answer in wrong]
    with story.refusing("TransactWriteItems", "InternalServerError"):
        assert acme("POST", "/v1/keys", {"name": "n", "scopes": ["read"]}).status >= 500
    issued = acme("POST", "/v1/keys", {"name": "n", "scopes": ["read", "remediate"]}, Idempotency_Key="k1")
    story.learn("api key", issued.json["key"])
    replayed = acme("POST", "/v1/keys", {"name": "n", "scopes": ["read", "remediate"]}, Idempotency_Key="k1")
    assert "key" not in replayed.json or replayed.json["key"] is None


def _remediates(story: Story) -> None:
    acme = story.customer
    apps = [a for a in acme.get("/v1/apps?limit=100")["data"] if a["holders"]]
    grants = [
        grant
        for app in apps
        for grant in acme.get(f"/v1/grants?app_id={app['id']}&connection_id={story.connection}")["data"]
        if grant["email"]  # what everyone would feel waits for an approval
    ]
    access = next(iter(story.secrets["access token"]))
    deleting = {"path": "/tokens/", "method": "DELETE"}
    for grant, fault in zip(
        grants,
        (
            {"kind": "status", "status": 403, "message": access, **deleting},
            {"kind": "truncate", "path": "/token$"},
            {"kind": "status", "status": 500, "message": access, **deleting},
            {"kind": "reset", "after": True, "count": 1, **deleting},
        ),
        strict=False,
    ):
        one = f"/v1/grants/{grant['id']}"
        with story.fault(**fault):
            asked = acme.decide("POST", f"{one}/revoke", one, {})
            assert (asked.status, asked.json["state"]) == (202, "approved")
            story.account.settle()


def _loses_consent(story: Story, admin: str) -> None:
    control = story.google.control
    control.revoke_consent(admin, CLIENT_ID)
    control.expire_access_tokens()
    story.work("connection.changes")
    body = {"provider": "google", "connection_id": story.connection}
    link = story.customer("POST", "/v1/connections", body).json["url"]
    story.learn("link token", urlsplit(link).path.rpartition("/")[2])
    story.pages["repaired"] = story.account.consent(admin, link)
    story.pages["used up"] = story.account.browse(
        "/connect/link/{token}", {"token": link.rpartition("/")[2]}, {}, None
    )
    story.account.settle()


def _leaves(story: Story) -> None:
    path = f"/v1/connections/{story.connection}"
    story.account.run("Housekeeping", {})
    with suppress(Exception), story.fault("status", "/revoke$", status=500):
        story.customer.decide("DELETE", path, path)
        story.account.settle()
    story.account.send(
        "Runs",
        tenant_id=story.customer.get("/v1/tenant")["id"],
        kind="connection.disconnect",
        connection_id=story.connection,
    )
    story.account.settle()
    story.account.run("Housekeeping", {})
