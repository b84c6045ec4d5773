"""The discovery worker before it has a connector: connections that are gone, tokens that are missing."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from lantern.domain import ids
from lantern.domain.errors import ConnectorError
from lantern.domain.jobs import Selector
from lantern.domain.work import Work
from lantern.runtime import wiring, wiring_platform, wiring_providers, workers
from lantern.runtime.clock import CLOCK
from lantern.services import decisions_mail, remediation
from tests.support.tenant import Bench

CONTEXT = SimpleNamespace(tenant_id="", get_remaining_time_in_millis=lambda: 60_000)


@pytest.fixture
def changes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Work:
    monkeypatch.setattr(wiring, "tenant_store", lambda _tenant_id: bench.store)
    monkeypatch.setattr(wiring_platform, "platform_store", lambda: bench.platform)
    monkeypatch.setattr(workers, "send", bench.send)
    return Work(bench.store.tenant_id, "connection.changes", bench.connection_id)


@pytest.mark.parametrize("status", ["disconnecting", "disconnected"])
def test_what_is_left_on_the_queue_of_a_connection_that_is_gone_is_done(
    bench: Bench, changes: Work, status: str
) -> None:
    bench.store.connections.put(replace(bench.connection, status=status))
    workers.discover(changes, CONTEXT)
    assert bench.connection.status == status


def test_a_connection_without_its_token_asks_for_attention(bench: Bench, changes: Work) -> None:
    workers.discover(changes, CONTEXT)
    assert bench.connection.status == "needs_attention"
    assert "POST /v1/connections" in (bench.connection.remedy or "")
    assert "outreach.due" in [work.kind for work in bench.sent], "the tenant is looked after all the same"


def test_a_key_service_that_does_not_answer_is_asked_again(
    bench: Bench, changes: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_self: object, _connection: object) -> None:
        raise ConnectorError("transient", "The key service did not answer.")

    monkeypatch.setattr(workers.Providers, "connect", down)
    with pytest.raises(ConnectorError):
        workers.discover(changes, CONTEXT)
    assert bench.connection.status == "active"
    assert "outreach.due" in [work.kind for work in bench.sent], "the tenant is looked after all the same"


@pytest.mark.parametrize("kept", [None, {"client_id": "not-configured", "client_secret": "x"}])
def test_mail_is_not_offered_without_a_key_and_opens_no_token(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, kept: dict[str, str] | None
) -> None:
    asked: list[str] = []

    def secret(SecretId: str) -> dict[str, str]:  # noqa: N803 - botocore's parameter name
        asked.append(SecretId)
        return {"SecretString": json.dumps(kept)}

    names = {"google": "oauth/google"} | ({"google_mail": "mail/google"} if kept else {})
    monkeypatch.setattr(wiring, "tenant_store", lambda _tenant_id: bench.store)
    monkeypatch.setattr(wiring_platform, "settings", lambda: SimpleNamespace(oauth_secrets=names))
    monkeypatch.setattr(wiring_platform, "client", lambda _: SimpleNamespace(get_secret_value=secret))
    monkeypatch.setattr(workers.Providers, "connect", lambda *_: pytest.fail("the token is not opened"))
    wiring_providers.reset()
    decisions_mail.ask(bench.store, bench.connection_id, by="key:k", now=CLOCK.now())
    workers.discover(Work(bench.store.tenant_id, "connection.mail", bench.connection_id), CONTEXT)
    wiring_providers.reset()
    reading = bench.store.mail.get(bench.connection_id)
    assert reading is not None
    assert (reading.state, reading.due_at) == ("not_offered", None)
    assert asked == (["mail/google"] if kept else [])


def test_a_job_at_a_provider_that_threw_us_out_ends(bench: Bench) -> None:
    bench.world.add("u001", "slack-client")
    bench.world.consent("u001", "chatgpt-client", "openid")
    bench.full()

    def gone(_connector: object) -> None:
        raise ConnectorError("config", "There is no consent for this organisation any more.")

    bench.wrap = gone
    grant = ids.grant_id(bench.bundle("u001").principal.id, ids.app_id("google", "chatgpt-client"))
    job = remediation.request_job(
        bench.store,
        requested_by="key_a",
        selector=Selector(grant_ids=(grant,)),
        dry_run=False,
        now=bench.clock.now(),
        random=bytes,
    )
    bench.settle()
    done = bench.store.jobs.get(job.id)
    assert done is not None
    assert (done.state, done.counts.failed) == ("failed", 1)
