"""A customer with hostile names, at a provider that misbehaves, seen by somebody who keeps every word."""

import contextlib
import io
import json
import logging
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from lantern.runtime import observability
from scripts.build.content import build_content
from tests.isolation.account import CLIENT_ID, CLIENT_SECRET, RESOURCES, Account, Customer, account
from tests.simulators.google import GoogleSimulator, OrgSpec
from tests.simulators.google.receiver import Receiver


class Keeper(logging.Handler):
    """Keeps every record as it was logged, before anything scrubs it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        extra = {k: v for k, v in record.__dict__.items() if k not in ("args", "exc_info")}
        error = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        self.lines.append(f"{record.getMessage()} {extra} {error}")


@dataclass
class Seen:
    """What there is to search after the customer's day."""

    account: Account
    secrets: dict[str, str]
    raw: list[str]
    logged: list[str]
    pages: list[Any]
    answers: list[Any]
    items: list[dict[str, Any]]


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """The day is over when this is made; nothing of it is left but what was kept."""
    content = tmp_path_factory.mktemp("content")
    build_content(content)
    keeper, stream = Keeper(), io.StringIO()
    lantern = logging.getLogger("lantern")
    before = (lantern.handlers, lantern.level, lantern.propagate)
    for handler in observability.attach("test").handlers:
        handler.setStream(stream)
    lantern.handlers = [*lantern.handlers, keeper]
    lantern.setLevel(logging.DEBUG)
    try:
        with (
            GoogleSimulator([OrgSpec(employees=8, seed=5, hostile=True)]) as google,
            Receiver() as hooks,
            account(google, str(content)) as made,
        ):
            base = hooks.address.removesuffix("/webhooks/google")
            discovery = RESOURCES["DiscoveryFunction"]["Properties"]["Environment"]["Variables"]
            with mock.patch.dict(discovery, {"PUBLIC_BASE_URL": base}):
                return _day(made, keeper, stream)
    finally:
        lantern.handlers, lantern.level, lantern.propagate = before


def _day(made: Account, keeper: Keeper, stream: io.StringIO) -> Seen:
    """Consent, reading, deciding and leaving, with everything going wrong on the way that can."""
    control, secrets = made.google.control, {"client secret": CLIENT_SECRET}
    admin = control.organisations()[0]["admin"]
    _broken_consents(made, admin)
    customer = made.customer(admin)
    secrets["API key"] = customer.key
    _keep_tokens(made, secrets)
    control.fault("status", path="/tokens", status=503, probability=0.3, message="x " + CLIENT_SECRET)
    control.fault("truncate", path="/users", count=1)
    control.fault("cut", path="/token$", count=1)
    made.settle()
    control.clear_faults()
    connection = customer.get("/v1/connections")["data"][0]["id"]
    tenant = customer.get("/v1/tenant")["id"]
    work = {"tenant_id": tenant, "connection_id": connection}
    for kind in ("connection.full", "connection.changes"):
        made.send("Runs", kind=kind, **work)
        made.settle()
    _keep_tokens(made, secrets)
    _key_service_down(made, work)
    _refusals(customer, connection, secrets)
    _revocations(made, customer, connection)
    _keep_tokens(made, secrets)
    answers = [customer.get(path) for path in _lists(connection)]
    control.revoke_consent(admin, CLIENT_ID)
    control.expire_access_tokens()
    made.send("Runs", kind="connection.changes", **work)
    made.settle()
    pages = [answer for function, answer in made.answers if function == "Onboarding"]
    lines = stream.getvalue().splitlines()
    return Seen(made, secrets, keeper.lines, lines, pages, answers, list(_items(made)))


def _items(made: Account) -> Iterator[dict[str, Any]]:
    client = made.aws("dynamodb")
    for table in client.list_tables()["TableNames"]:
        for page in client.get_paginator("scan").paginate(TableName=table):
            yield from page["Items"]


def _keep_tokens(made: Account, secrets: dict[str, str]) -> None:
    tokens = made.google.tokens
    for kind, known in (("refresh", tokens.refresh), ("access", tokens.access)):
        for number, token in enumerate(known):
            secrets[f"{kind} token {number} of {len(secrets)}"] = token


def _broken_consents(made: Account, admin: str) -> None:
    control = made.google.control
    for fault in ({"kind": "status", "status": 500}, {"kind": "cut"}, {"kind": "status", "status": 400}):
        number = control.fault(path="/token$", **fault)
        assert made.consent(admin)["statusCode"] >= 400
        control.clear_faults(number)
    for operation in ("Encrypt", "TransactWriteItems", "CreateSchedule"):
        made.faults[operation] = lambda operation=operation: ClientError(
            {"Error": {"Code": "InternalFailure", "Message": "no"}}, operation
        )
        # Where the handler raises, Lambda logs it and API Gateway answers; both are searched later.
        with contextlib.suppress(Exception):
            made.consent(admin)
        del made.faults[operation]
    cookies: dict[str, str] = {}
    for query in ({}, {"state": ["x"], "code": ["4/stolen"]}, {"error": ["access_denied"], "state": ["<b>"]}):
        made.browse("/connect/{provider}/callback", {"provider": "google"}, cookies, query)


def _key_service_down(made: Account, work: dict[str, str]) -> None:
    made.faults["Decrypt"] = lambda: EndpointConnectionError(endpoint_url="https://kms.example")
    made.send("Runs", kind="connection.changes", **work)
    made.settle()
    del made.faults["Decrypt"]


def _refusals(customer: Customer, connection: str, secrets: dict[str, str]) -> None:
    key = customer.key
    for method, path, body in (
        ("GET", f"/v1/apps/{key}", None),
        ("GET", f"/v1/apps?cursor={key}", None),
        ("POST", "/v1/grants/revoke", {"app_id": key}),
        ("POST", "/v1/connections", {"provider": key}),
        ("PATCH", "/v1/tenant", {"name": key}),
        ("POST", f"/v1/connections/{connection}/sync", {"refresh_token": list(secrets.values())[-1]}),
    ):
        assert customer(method, path, body).status >= 400 or method == "POST"


def _revocations(made: Account, customer: Customer, connection: str) -> None:
    control = made.google.control
    held = [a for a in customer.get("/v1/apps?limit=100")["data"] if a["holders"]]
    for app, fault in zip(held[:3], ({"status": 500}, {"status": 403}, None), strict=True):
        grants = customer.get(f"/v1/grants?app_id={app['id']}&connection_id={connection}")["data"]
        number = control.fault("status", method="DELETE", **fault) if fault else None
        path = f"/v1/grants/{grants[0]['id']}"
        assert customer.decide("POST", f"{path}/revoke", path, {"reason": app["name"]}).status == 202
        made.settle()
        if number is not None:
            control.clear_faults(number)
        made.settle()


def _lists(connection: str) -> list[str]:
    return [
        "/v1/tenant",
        "/v1/connections",
        "/v1/apps?limit=100",
        "/v1/findings?limit=100",
        f"/v1/principals?connection_id={connection}&limit=100",
        f"/v1/connections/{connection}/runs",
        "/v1/jobs",
        "/v1/audit?limit=100",
        "/v1/keys",
    ]


def texts(value: Any) -> Iterator[str]:
    """Every text in JSON-like data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)


def dump(value: Any) -> str:
    """JSON text of anything."""
    return json.dumps(value, default=repr)
