"""What every connector must do, whatever the provider. One rig per provider in the registry."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

import pytest

from lantern.connectors import registry
from lantern.connectors.protocol import Action, ActionResult, Unread
from lantern.connectors.registry import Io
from lantern.domain import ids
from lantern.domain.errors import ConnectorError, InvalidInputError
from lantern.domain.inventory import Observation

RIGS: dict[str, Callable[..., AbstractContextManager[Any]]] = {
    name: getattr(import_module(f"tests.contract.connectors.{name}_rig"), name)
    for name in registry.providers()
}

FAULTS: dict[str, dict[str, Any]] = {
    "400": {"kind": "status", "status": 400},
    "401": {"kind": "status", "status": 401},
    "403": {"kind": "status", "status": 403},
    "404": {"kind": "status", "status": 404},
    "404 page": {"kind": "status", "status": 404, "html": True},
    "410": {"kind": "status", "status": 410},
    "429": {"kind": "status", "status": 429},
    "429 with Retry-After": {"kind": "status", "status": 429, "retry_after": 7},
    "500": {"kind": "status", "status": 500},
    "502 page": {"kind": "status", "status": 502, "html": True},
    "503": {"kind": "status", "status": 503},
    "reply lost": {"kind": "status", "status": 504, "after": True},
    "truncated": {"kind": "truncate"},
    "cut": {"kind": "cut"},
    "reset": {"kind": "reset"},
}
WORDS = {"forbidden", "rate_limited", "provider_error", "timeout", "malformed"}


@pytest.fixture(scope="module", params=sorted(RIGS))
def shared(request: pytest.FixtureRequest) -> Iterator[Any]:
    with RIGS[request.param]() as made:
        yield made


@pytest.fixture
def rig(shared: Any) -> Iterator[Any]:
    yield shared
    shared.clear()


@pytest.fixture(params=sorted(RIGS))
def provider(request: pytest.FixtureRequest) -> str:
    return request.param


def read(rig: Any, people: list[Any]) -> dict[str, Observation | Unread]:
    outcomes = list(rig.connector.read(people, rig.deadline()))
    found = {o.principal.native_id: o for o in outcomes}
    assert len(found) == len(outcomes)
    return found


def failure(call: Callable[[], object]) -> ConnectorError | None:
    try:
        call()
    except ConnectorError as error:
        return error
    return None


def held(outcome: Observation | Unread) -> dict[str, list[str]]:
    assert isinstance(outcome, Observation), outcome
    return {g.app.client_id: sorted(g.scopes) for g in outcome.grants or ()}


def test_an_unknown_provider_is_refused_by_name(rig: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        registry.manifest("nobody")
    assert caught.value.field == "provider"


def test_the_manifest_says_what_each_permission_is_for(provider: str) -> None:
    manifest = registry.manifest(provider)
    assert manifest.provider == provider
    assert len({need.scope for need in manifest.scopes}) == len(manifest.scopes)
    for need in manifest.scopes:
        assert need.feature in manifest.features
        assert need.lost_without
    assert all(q.calls > 0 and q.seconds > 0 for q in manifest.quotas)
    assert all(url.startswith("https://") for url in manifest.endpoints.values())


def test_all_pages_list_everybody_once_with_their_state(provider: str) -> None:
    with RIGS[provider](employees=1100, seed=3) as rig:
        truth = rig.truth()
        people = rig.everybody()
        assert {p.native_id: p.status for p in people} == {k: v["state"] for k, v in truth.items()}
        assert len(people) == len(truth)
        assert len({p.id for p in people}) == len(people)
        organisation = rig.connector.check().organisation.id
        assert all(p.id == ids.principal_id(provider, organisation, p.native_id) for p in people)


def test_reads_are_complete_and_repeatable(rig: Any) -> None:
    people, truth = rig.everybody(), rig.truth()
    first, second = read(rig, people), read(rig, people)
    # Lists of the whole organisation are looked up once: what rests on them is not told the second time.
    assert {k: held(o) for k, o in first.items()} == {k: held(o) for k, o in second.items()}
    assert set(first) == {p.native_id for p in people}
    for native_id, outcome in first.items():
        assert isinstance(outcome, Observation)
        assert outcome.gone == (truth[native_id]["state"] == "deleted")
        wanted = {} if outcome.gone else truth[native_id]["grants"]
        assert held(outcome) == {client: sorted(scopes) for client, scopes in wanted.items()}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_bundle_that_cannot_be_read_is_unread_and_never_empty(rig: Any, fault: str) -> None:
    people = [p for p in rig.everybody() if p.status == "active"]
    victim = rig.victim(people)
    rig.simulator.control.fault(path=rig.grants_path(victim.native_id), **FAULTS[fault])
    found = read(rig, people)
    outcome = found.pop(victim.native_id)
    assert isinstance(outcome, Unread), outcome
    assert outcome.reason in WORDS
    assert all(isinstance(o, Observation) and not o.gone for o in found.values())


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_when_everything_fails_nothing_is_concluded(rig: Any, fault: str) -> None:
    people = rig.everybody()
    rig.simulator.control.fault(path=rig.api_paths, **FAULTS[fault])
    outcomes: list[Any] = []
    error = failure(lambda: outcomes.extend(rig.connector.read(people, rig.deadline())))
    assert outcomes or (error and error.user_message)
    assert all(isinstance(outcome, Unread) for outcome in outcomes)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_listings_that_fail_raise(rig: Any, fault: str) -> None:
    rig.simulator.control.fault(path=rig.api_paths, **FAULTS[fault])
    for call in (
        lambda: rig.connector.principals(None),
        lambda: list(rig.connector.changes(None, rig.deadline())),
        rig.connector.check,
    ):
        with pytest.raises(ConnectorError) as caught:
            call()
        assert caught.value.kind in {"config", "rate_limited", "transient", "system"}
        assert caught.value.user_message


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b"", b'"items"', b'{"kind": "something#else"}'])
def test_an_answer_that_does_not_say_what_it_is_is_no_empty_list(
    rig: Any, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_of = rig.answers_bare_lists if body == b"[]" else frozenset()
    people = [p for p in rig.everybody() if p.status == "active"]
    monkeypatch.setattr("requests.Response.iter_content", lambda *_: iter([body]))
    outcomes = list(rig.connector.read(people[:5], rig.deadline()))
    if "grants" in true_of:
        assert not [o for o in outcomes if isinstance(o, Observation) and (o.gone or o.grants)]
    else:
        assert all(isinstance(o, Unread) for o in outcomes)
    with pytest.raises(ConnectorError):
        rig.connector.principals(None)
    if "changes" in true_of:
        assert not [hint for page in rig.connector.changes(None, rig.deadline()) for hint in page.hints]
    else:
        with pytest.raises(ConnectorError):
            list(rig.connector.changes(None, rig.deadline()))


def test_short_pages_lose_nobody(provider: str) -> None:
    with RIGS[provider](employees=700, seed=4) as rig:
        rig.simulator.control.fault("half_page", path=rig.api_paths, probability=0.7)
        assert {p.native_id for p in rig.everybody()} == set(rig.truth())
        assert len(rig.everybody()) == len(rig.truth())


@pytest.mark.parametrize("fault", ["429", "500", "503", "truncated", "cut", "reset", "401"])
def test_a_fault_that_passes_is_survived(rig: Any, fault: str) -> None:
    people = [p for p in rig.everybody() if p.status == "active"]
    rig.simulator.control.fault(path=rig.api_paths, count=2, **FAULTS[fault])
    assert all(isinstance(o, Observation) for o in read(rig, people).values())


def test_one_fault_in_three_never_makes_an_empty_bundle(rig: Any) -> None:
    people, truth = rig.everybody(), rig.truth()
    for rule in FAULTS.values():
        rig.simulator.control.fault(path=rig.api_paths, probability=0.03, **rule)
    complete = 0
    for _ in range(20):
        try:
            for outcome in rig.connector.read(people, rig.deadline()):
                native_id = outcome.principal.native_id
                if isinstance(outcome, Unread):
                    continue
                complete += 1
                assert outcome.gone == (truth[native_id]["state"] == "deleted")
                if not outcome.gone:
                    assert set(held(outcome)) == set(truth[native_id]["grants"])
        except ConnectorError:
            continue
    assert complete > len(people)


def test_an_act_done_twice_is_done_once(provider: str) -> None:
    with RIGS[provider]() as rig:
        native_id, action = rig.target()
        before = len(rig.simulator.control.changes())
        first, second = rig.connector.act(action), rig.connector.act(action)
        remaining = rig.remaining_access_s
        assert first == ActionResult("done", observed_present=False, remaining_access_s=remaining)
        assert (second.state, second.observed_present) == ("already_done", False)
        assert len(rig.simulator.control.changes()) == before + 1
        assert action.client_id not in rig.truth()[native_id]["grants"]


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_an_act_that_fails_claims_nothing(rig: Any, fault: str) -> None:
    native_id, action = rig.target()
    rule = {k: v for k, v in FAULTS[fault].items() if k != "after"}
    path, method = rig.act_paths
    rig.simulator.control.fault(path=path, method=method, **rule)
    results: list[ActionResult] = []
    error = failure(lambda: results.append(rig.connector.act(action)))
    if error:
        assert error.user_message
        return
    # The deed may be done and its reply lost; else it is said that it cannot be done.
    gone = action.client_id not in rig.truth()[native_id]["grants"]
    assert results[0].state in ({"done", "already_done"} if gone else {"not_possible"})


def test_declared_permissions_suffice_and_each_is_needed(provider: str) -> None:
    """The simulator refuses every call whose scope was not granted."""
    manifest = registry.manifest(provider)
    with RIGS[provider]() as rig:
        assert rig.connector.check().missing == ()
        people = rig.everybody()
        assert all(isinstance(o, Observation) for o in rig.connector.read(people, rig.deadline()))
        assert list(rig.connector.changes(None, rig.deadline()))
        assert rig.flow.missing_scopes(rig.connector.check().granted) == frozenset()
        # What nothing works without is refused aloud; without anything else the rest is done.
        needed = rig.needed
    for need in manifest.scopes:
        if need.scope not in needed:
            continue
        granted = [other.scope for other in manifest.scopes if other.scope != need.scope]
        with RIGS[provider](scopes=granted) as rig:
            assert refusals(rig), need.scope


def refusals(rig: Any) -> set[str]:
    """Which methods say that a permission is missing; those must say it as the customer's to mend."""
    refused = set()
    user = next(iter(rig.truth()))
    for name, call in {
        "check": lambda: rig.connector.check().missing,
        "principals": rig.everybody,
        "act": lambda: rig.connector.act(Action("revoke_grant", user, "nobody")),
        "changes": lambda: list(rig.connector.changes(None, rig.deadline())),
    }.items():
        error = failure(call)
        assert error is None or error.kind == "config"
        refused |= {name} if error else set()
    return refused


def test_a_revoked_consent_stops_everything_and_names_the_remedy(provider: str) -> None:
    with RIGS[provider]() as rig:
        people = rig.everybody()
        rig.connector.disconnect()
        rig.connector.disconnect()
        for call in (
            rig.connector.check,
            lambda: rig.connector.principals(None),
            lambda: list(rig.connector.read(people, rig.deadline())),
        ):
            with pytest.raises(ConnectorError) as caught:
                call()
            assert caught.value.kind == "config"
            assert "again" in caught.value.user_message


def test_nothing_new_is_started_after_the_deadline(rig: Any) -> None:
    people = rig.everybody()
    rig.simulator.control.reset_metrics()
    assert list(rig.connector.read(people, rig.deadline(-1))) == []
    assert list(rig.connector.changes(None, rig.deadline(-1))) == []
    assert rig.simulator.control.metrics()["methods"] == {}


def test_secrets_are_in_no_log_and_no_message(provider: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with RIGS[provider]() as rig:
        texts = []
        secrets: list[str] = []
        for fault in FAULTS.values():
            rig.simulator.control.fault(path=rig.secret_paths, count=40, **fault)
            rig.simulator.control.expire_access_tokens()
            try:
                rig.connector.check()
            except ConnectorError as error:
                texts += [str(error), repr(error), error.detail, error.user_message]
            rig.clear()
            secrets += rig.secrets()
        assert texts
        texts += [record.getMessage() for record in caplog.records]
        assert not [s for s in secrets for text in texts if s in text]
        io: Io = rig.io
        assert rig.refresh_token not in repr(vars(rig.connector)) + repr(io)
