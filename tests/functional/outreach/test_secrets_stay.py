"""Addresses and tokens are secrets: whatever happens to a message, no log line and no record holds one."""

import logging

import pytest
import requests

from lantern.channels.safe_http import SafePoster
from lantern.channels.slack import SlackChannel
from lantern.channels.teams import TeamsChannel
from lantern.channels.webhook import WebhookChannel
from lantern.domain.alerts import AlertChannel
from lantern.domain.work import Work
from lantern.services.outreach import settings
from lantern.store.records import unpacked
from tests.functional.outreach.test_channels import a_critical
from tests.functional.outreach.test_webhooks import use
from tests.support.tenant import Bench

SECRETS = ("xoxb-SECRET", "workflow-SECRET", "path-SECRET")


class _Refusing(requests.Session):
    def post(self, *_args: object, **kwargs: object) -> requests.Response:
        raise requests.ConnectionError(str(kwargs["headers"]))


def _unresolvable(*_args: object) -> list[str]:
    raise OSError("path-SECRET cannot be resolved")


def test_what_fails_tells_no_secret(bench: Bench, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    cid, _ = bench.connect("slack")
    bench.channels.secrets[cid] = '{"bot": "xoxb-SECRET"}'
    poster = SafePoster(resolver=_unresolvable)
    bench.channels.slack = SlackChannel(_Refusing())
    bench.channels.teams = TeamsChannel(poster)
    bench.channels.webhook = WebhookChannel(poster)
    slack = settings.add_channel(use(bench), AlertChannel("", "slack", "s", ("C0123456789",), cid), None)
    url = "https://prod.example.com/workflow-SECRET"
    teams = settings.add_channel(use(bench), AlertChannel("", "teams", "t"), url)
    hook = "https://hooks.example.com/path-SECRET"
    endpoint, signing = settings.add_endpoint(use(bench), hook, description="", events=(), payload="lantern")
    bench.settle()
    a_critical(bench, 1)
    for _ in range(3):
        bench.do(Work(bench.store.tenant_id, "outreach.due"))
        bench.clock.forward(hours=3)
    for target in (slack.id, teams.id, endpoint.id):
        (row,) = bench.store.deliveries.page(target, 5).items
        assert row.tries >= 2
    said = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    docs = bench.store.documents.query
    kept = "".join(
        str(unpacked(doc.body))
        for pk in (
            bench.store.documents.keys.deliveries(slack.id),
            bench.store.documents.keys.deliveries(teams.id),
            bench.store.documents.keys.deliveries(endpoint.id),
            bench.store.documents.keys.alert_channels(),
            bench.store.documents.keys.endpoints(),
        )
        for doc in docs(pk)
    )
    assert len(kept) > 1_000
    for secret in (*SECRETS, signing):
        assert secret not in said
        assert secret not in kept
