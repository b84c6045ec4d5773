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

from lantern.domain.errors import LanternError
from tests.isolation import chat
from tests.isolation.account import CLIENT_ID, CLIENT_SECRET, RESOURCES, Account, Customer, account
from tests.isolation.guided import PAGE
from tests.simulators.google import GoogleSimulator, OrgSpec
from tests.simulators.google.catalog import hostile_apps
from tests.simulators.google.identity import Signer
from tests.simulators.google.receiver import Receiver
from tests.simulators.google.tokens import TokenStore
from tests.simulators.slack import OrgSpec as SlackSpec
from tests.simulators.slack import SlackSimulator
from tests.simulators.slack.oauth import Tokens
from tests.support import rendered
from tests.support.leaping import leaping

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
    endpoint: str = ""
    deliveries: list[dict[str, Any]] = field(default_factory=list)
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
        slack = stack.enter_context(SlackSimulator(SlackSpec(6, domain="acme", teams=1)))
        taken = stack.enter_context(Receiver())
        story = Story(stack.enter_context(account(google, content)), google)
        story.account.endpoints["webhooks"] = taken.address.removesuffix("/webhooks/google")
        leaps = leaping(slack.clock)
        with ExitStack() as ears, redirect_stdout(story.printed), leaps:
            for patch in _ears(story, hooks):
                ears.enter_context(patch)
            tell(story, hooks, slack, taken)
        _keep(story)
    return story


def _keep(story: Story) -> None:
    """What is left at the end, read before the account is gone."""
    s3 = story.account.aws("s3")
    for table in ("TenantTable", "PlatformTable"):
        story.items += story.account.items(table)
    bucket = rendered.physical_name("AnchorsBucket").lower()
    for row in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        story.anchors[row["Key"]] = s3.get_object(Bucket=bucket, Key=row["Key"])["Body"].read()
    for path in ("/v1/apps", "/v1/findings", "/v1/audit", "/v1/principals", "/v1/events/ocsf"):
        more = f"&connection_id={story.connection}" if path == "/v1/principals" else ""
        story.shown[path] = story.customer("GET", f"{path}?limit=100{more}")
    at = f"{story.endpoint}/deliveries"
    trials = [
        row["id"] for row in story.customer.get(f"{at}?limit=100")["data"] if row["type"] == "lantern.test"
    ]
    story.deliveries = [story.customer.get(f"{at}/{one}") for one in trials]
    story.people = [person["email"] for person in story.google.control.users()]


def _ears(story: Story, hooks: Receiver) -> list[Any]:
    """What listens: to log records, errors, requests to the provider, tokens it gives; nobody waits long."""
    level, root = logging.DEBUG, logging.getLogger("lantern")
    factory = logging.getLogRecordFactory()
    send = requests.Session.send

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

    install = Tokens.issue

    def installed(tokens: Tokens, *args: Any, **kwargs: Any) -> Any:
        token = install(tokens, *args, **kwargs)
        story.learn("slack token", token.value)
        return token

    address = hooks.address.removesuffix("/webhooks/google")
    discovery = RESOURCES["DiscoveryFunction"]["Properties"]["Environment"]["Variables"]
    return [
        mock.patch.dict(discovery, {"PUBLIC_BASE_URL": address}),
        mock.patch.object(logging, "_logRecordFactory", record),
        mock.patch.object(root, "level", level),
        mock.patch.object(LanternError, "__new__", new),
        mock.patch.object(requests.Session, "send", sent),
        mock.patch.object(TokenStore, "issue_access", issued("access token", TokenStore.issue_access)),
        mock.patch.object(TokenStore, "issue_refresh", issued("refresh token", TokenStore.issue_refresh)),
        mock.patch.object(Signer, "id_token", issued("id token", Signer.id_token)),
        mock.patch.object(Tokens, "issue", installed),
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


def tell(story: Story, hooks: Receiver, slack: SlackSimulator, taken: Receiver) -> None:
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
    _sets_up(story, taken)
    _asks_people(story, hooks, slack, [person for person in people if person != admin])
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


TYPED = "because Ruritania needs it"
"""What an employee gives as a reason: theirs, and in no log."""
_WORKFLOW = "https://teams.example.com/workflows/" + "Zq7" * 12


def _sets_up(story: Story, taken: Receiver) -> None:
    """Ways out, each failing once: an address that is a secret, a signing secret, and its successor."""
    acme, domain = story.customer, "acme.example"
    story.learn("workflow", _WORKFLOW)
    channel = {"kind": "teams", "name": "t", "url": _WORKFLOW, "minimum": "low", "instant": "low"}
    assert acme("POST", "/v1/alerts/channels", channel).status == 201
    mail = {"kind": "email", "name": "m", "to": [f"security@{domain}"], "minimum": "low", "instant": "low"}
    assert acme("POST", "/v1/alerts/channels", mail).status == 201
    made = acme("POST", "/v1/webhook-endpoints", {"url": "https://hooks.example.com/lantern"})
    assert made.status == 201, made.json
    story.learn("webhook secret", made.json["secret"])
    story.endpoint = f"/v1/webhook-endpoints/{made.json['id']}"
    taken.refuse(500, 302)
    assert acme("POST", f"{story.endpoint}/test").status == 202
    story.account.settle()
    with story.refusing("Decrypt", "AccessDeniedException"):
        assert acme("POST", f"{story.endpoint}/test").status == 202
        story.account.settle()
    with story.refusing("SendEmail", "MessageRejected"):
        story.account.settle()
    rotated = acme.decide("POST", f"{story.endpoint}/rotate", story.endpoint)
    assert rotated.status == 200, rotated.json
    story.learn("webhook secret", rotated.json["secret"])
    assert acme("POST", f"{story.endpoint}/test").status == 202
    story.account.settle()
    assert any("webhook-signature" in one.headers for one in taken.posted)


def _asks_people(story: Story, hooks: Receiver, slack: SlackSimulator, people: list[str]) -> None:
    """In Slack and by mail, about apps with hostile names; answered on the page and by a button."""
    acme, by_slack, by_mail = story.customer, people[0], people[1]
    chat.connect(story.account, acme, slack, [by_slack])
    listed = acme.get(f"/v1/principals?connection_id={story.connection}&limit=100")["data"]
    for email in (by_slack, by_mail):
        principal = next(p["id"] for p in listed if p["email"] == email)
        held = acme.get(f"/v1/principals/{principal}/grants?connection_id={story.connection}")["data"]
        for grant in held[:2]:
            body = {"kind": "still_need", "principal_id": principal, "app_id": grant["app_id"]}
            made = acme("POST", "/v1/nudges", body)
            assert made.status == 200, made.json
            story.account.settle()
    acme.decide("PUT", "/v1/guidance", "/v1/guidance", {"weekly_nudges": 5})
    mails = [c.params for c in story.account.calls if c.operation == "SendEmail"]
    pages = [a for message in slack.control.messages(by_slack) for a in chat.addresses(message)]
    mailed = [a for m in mails for a in PAGE.findall(m["Content"]["Simple"]["Body"]["Text"]["Data"])]
    assert pages
    assert mailed
    for address in {*pages, *mailed}:
        story.learn("page token", address.rpartition("/")[2])
    assert story.account.page(pages[0])["statusCode"] == 200
    assert story.account.page(pages[0], {"answer": "keep", "reason": TYPED})["statusCode"] == 200
    assert story.account.page(mailed[-1], {"answer": "explode", "reason": TYPED})["statusCode"] == 422
    with story.refusing("TransactWriteItems", "InternalServerError"):
        story.pages["unsaved"] = story.account.page(mailed[-1], {"answer": "keep", "reason": TYPED})
    assert story.account.page(mailed[-1], {"answer": "keep", "reason": TYPED})["statusCode"] == 200
    if len(slack.control.messages(by_slack)) > 1:
        chat.press(story.account, slack, hooks, by_slack, "nudge.revoke")
    story.account.settle()


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
    story.account.again()
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
