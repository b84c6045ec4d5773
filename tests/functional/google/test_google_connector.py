"""The Google connector against the simulator, over HTTP: accounts, grants, feed, push, consent."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from lantern.connectors import registry
from lantern.connectors.consent import ConsentStart
from lantern.connectors.google import push
from lantern.connectors.protocol import Action, ChannelRequest, Hint, Unread
from lantern.connectors.pushing import Known, KnownChannel, PushRefusedError, PushRequest
from lantern.domain.errors import ConnectorError
from lantern.domain.inventory import Observation
from tests.contract.connectors.google_rig import REGISTRATION, START, GoogleRig, consent, google
from tests.simulators.google.activity import network_info
from tests.simulators.google.receiver import Receiver


@pytest.fixture
def rig() -> Iterator[GoogleRig]:
    with google() as made:
        yield made


def active(rig: GoogleRig) -> list[str]:
    return [k for k, v in rig.truth().items() if v["state"] == "active" and v["grants"]]


def read_one(rig: GoogleRig, native_id: str) -> Observation | Unread:
    account = next(p for p in rig.everybody() if p.native_id == native_id)
    (outcome,) = rig.connector.read([account], rig.deadline())
    return outcome


# -- accounts that change while they are read -----------------------------------------------------


def test_an_account_deleted_after_it_was_listed_is_gone(rig: GoogleRig) -> None:
    victim = active(rig)[0]
    people = rig.everybody()
    rig.simulator.control.delete_user(victim)
    outcomes = {o.principal.native_id: o for o in rig.connector.read(people, rig.deadline())}
    assert outcomes[victim].gone
    assert outcomes[victim].principal.status == "deleted"
    assert sum(o.gone for o in outcomes.values()) == 1 + len(rig.people("deleted")) - 1


def test_an_account_purged_long_ago_is_gone_only_by_the_listings(rig: GoogleRig) -> None:
    victim = active(rig)[0]
    account = next(p for p in rig.everybody() if p.native_id == victim)
    rig.simulator.control.delete_user(victim)
    rig.simulator.control.advance(21 * 86_400)
    (outcome,) = rig.connector.read([account], rig.deadline())
    assert outcome.gone
    rig.simulator.control.fault("status", path="/users$", status=500)
    (outcome,) = rig.connector.read([account], rig.deadline())
    assert isinstance(outcome, Unread)


def test_an_account_restored_after_it_was_listed_as_deleted_is_read(rig: GoogleRig) -> None:
    victim = active(rig)[0]
    rig.simulator.control.delete_user(victim)
    account = next(p for p in rig.everybody() if p.native_id == victim)
    assert account.status == "deleted"
    rig.simulator.control.restore(victim)
    (outcome,) = rig.connector.read([account], rig.deadline())
    assert (outcome.gone, outcome.principal.status) == (False, "active")
    assert {g.app.client_id for g in outcome.grants} == set(rig.truth()[victim]["grants"])


def test_an_outage_of_404s_on_everything_about_one_account_removes_nothing(rig: GoogleRig) -> None:
    victim = active(rig)[0]
    people = rig.everybody()
    rig.simulator.control.fault("status", path=f"/users/{victim}", status=404)
    outcomes = {o.principal.native_id: o for o in rig.connector.read(people, rig.deadline())}
    assert outcomes[victim] == Unread(outcomes[victim].principal, "provider_error")


def test_suspended_people_keep_their_grants_in_view(rig: GoogleRig) -> None:
    victim = active(rig)[0]
    rig.simulator.control.suspend(victim)
    outcome = read_one(rig, victim)
    assert outcome.principal.status == "suspended"
    assert outcome.principal.departed
    assert len(outcome.grants) == len(rig.truth()[victim]["grants"])


def test_hints_find_their_account_by_id_and_by_address(rig: GoogleRig) -> None:
    native_id = active(rig)[0]
    email = rig.truth()[native_id]["email"]
    by_id = rig.connector.principal(Hint(native_id=native_id))
    assert by_id == rig.connector.principal(Hint(email=email))
    assert by_id.native_id == native_id
    assert rig.connector.principal(Hint(email="nobody@nowhere.example")) is None
    assert rig.connector.principal(Hint()) is None


def test_a_total_outage_ends_a_long_read_early() -> None:
    with google(employees=150) as rig:
        people = rig.everybody()
        rig.simulator.control.reset_metrics()
        rig.simulator.control.outage(3600.0)
        seen: list[Any] = []
        with pytest.raises(ConnectorError) as caught:
            seen.extend(rig.connector.read(people, rig.deadline()))
        assert (caught.value.kind, caught.value.retry_after_s) == ("transient", 120.0)
        calls = rig.simulator.control.metrics()["methods"]["directory.tokens.list"]["calls"]
        assert calls <= 25 * 4


def test_an_expired_access_token_is_replaced_once_for_all_threads() -> None:
    with google(employees=60, in_flight=16) as rig:
        people = rig.everybody()
        rig.simulator.control.expire_access_tokens()
        rig.simulator.control.reset_metrics()
        outcomes = list(rig.connector.read(people, rig.deadline()))
        assert all(isinstance(o, Observation) for o in outcomes)
        assert len(outcomes) == len(people)
        assert rig.simulator.control.metrics()["methods"]["oauth.token"]["calls"] <= 2


# -- quotas -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["429", "403_rateLimitExceeded", "403_quotaExceeded", "503"])
def test_every_shape_of_refusal_is_waited_out(shape: str) -> None:
    # So small a quota that any machine exceeds it.
    with google(employees=250, scale=60.0, in_flight=40) as rig:
        rig.simulator.control.quota(per_minute=100, refusal=shape)
        people = rig.everybody()
        outcomes = list(rig.connector.read(people, rig.deadline()))
        unread = [o.reason for o in outcomes if isinstance(o, Unread)]
        assert not unread
        assert len(outcomes) == len(people)
        row = rig.simulator.control.metrics()["methods"]["directory.tokens.list"]
        assert 0 < row["calls"] - row["accepted"] < 0.5 * row["calls"]


def test_a_long_retry_after_is_an_error_and_not_an_endless_wait(rig: GoogleRig) -> None:
    rig.simulator.control.fault("status", path="^/admin/", status=429, retry_after=3600, count=1)
    with pytest.raises(ConnectorError) as caught:
        rig.connector.principals(None)
    assert (caught.value.kind, caught.value.retry_after_s) == ("rate_limited", 3600.0)
    began = rig.io.clock.monotonic()
    with pytest.raises(ConnectorError) as caught:
        rig.connector.principals(None)
    assert caught.value.kind == "transient"
    assert rig.io.clock.monotonic() - began < 130


def test_a_full_read_alone_is_never_refused() -> None:
    with google(employees=150, scale=12.0, in_flight=100) as rig:
        rig.simulator.control.service_time(0.3, 0.5)
        people = rig.everybody()
        assert all(isinstance(o, Observation) for o in rig.connector.read(people, rig.deadline()))
        row = rig.simulator.control.metrics()["methods"]["directory.tokens.list"]
        assert (row["refused"], row["failed"]) == (0, 0)


# -- the feed -----------------------------------------------------------------------------------------


def test_the_feed_names_consents_and_delegations_once(rig: GoogleRig) -> None:
    control = rig.simulator.control
    control.lag(duplicate_rate=0.3, late_fraction=0.5, late_max_s=3000.0)
    native_id = active(rig)[0]
    pages = list(rig.connector.changes(None, rig.deadline()))
    cursor = pages[-1].cursor
    control.advance(60)
    fresh = control.grant(native_id, "Brand New AI", client_id="new.apps", scopes=["openid"], lag_s=0)
    control.delegate("robot-1", ["https://www.googleapis.com/auth/drive"])
    control.advance(60)
    hints, delegations = [], []
    for _ in range(14):
        for page in rig.connector.changes(cursor, rig.deadline()):
            hints += [h for h in page.hints if fresh["client_id"] in h.granted_at]
            delegations += page.delegations
            cursor = page.cursor
        control.advance(900)
    assert [h.native_id for h in hints] == [native_id]
    assert [(d.client_id, d.removed) for d in delegations] == [("robot-1", False)]
    assert delegations[0].scopes == {"https://www.googleapis.com/auth/drive"}


def test_a_poll_makes_three_calls_of_which_two_carry_a_filter(rig: GoogleRig) -> None:
    control = rig.simulator.control
    cursor = list(rig.connector.changes(None, rig.deadline()))[-1].cursor
    control.advance(900)
    control.reset_metrics()
    list(rig.connector.changes(cursor, rig.deadline()))
    assert control.metrics()["methods"]["reports.activities.list"]["calls"] == 3


def test_history_tells_use_once_in_parts_read_side_by_side(rig: GoogleRig) -> None:
    control = rig.simulator.control
    native_id = active(rig)[0]
    client_id = next(iter(rig.truth()[native_id]["grants"]))
    now = rig.io.clock.now()
    before = counted(rig, now - timedelta(days=2), now - timedelta(hours=2))
    for minutes in range(3, 1203):
        at = (now - timedelta(hours=2, minutes=minutes)).timestamp()
        control.use(native_id, client_id, at=at, lag_s=0)
    after = counted(rig, now - timedelta(days=2), now - timedelta(hours=2))
    after.subtract(before)
    assert {pair: n for pair, n in after.items() if n} == {(native_id, client_id): 1200}
    pages = list(rig.connector.history(now - timedelta(days=2), now - timedelta(hours=2), rig.deadline()))
    places = {p.kind: p.name for page in pages for p in page.places if p.client_id == client_id}
    info = network_info({"parameters": [{"name": "client_id", "value": client_id}]})
    assert places == {"network": f"AS{info['ipAsn'][0]}", "country": info["regionCode"]}
    size = sum(s.size for page in pages for s in page.sent if s.client_id == client_id)
    assert 1_000_000 < size < 1200 * 200_000, "calls of up to 200 kB each"


def test_history_tells_when_grants_were_given(rig: GoogleRig) -> None:
    now = rig.io.clock.now()
    pages = list(rig.connector.history(now - timedelta(days=180), now, rig.deadline()))
    given = {(one.native_id, one.client_id) for page in pages for one in page.consents}
    assert {(k, c) for k, v in rig.truth().items() for c in v["grants"]} & given


def counted(rig: GoogleRig, since: datetime, until: datetime) -> Counter[tuple[str, str]]:
    """Uses of a window by account and client."""
    found: Counter[tuple[str, str]] = Counter()
    pages = list(rig.connector.history(since, until, rig.deadline()))
    assert pages[-1].last
    for page in pages:
        found.update({(u.native_id, u.client_id): u.events for u in page.uses})
    return found


# -- push ---------------------------------------------------------------------------------------------


def test_a_consent_arrives_by_push_and_names_the_account(rig: GoogleRig) -> None:
    control = rig.simulator.control
    native_id = active(rig)[0]
    with Receiver() as receiver:
        request = ChannelRequest(
            "channel-1", receiver.address, "canary-secret", "grants", "authorize", 86_400
        )
        channel = rig.connector.open_channel(request)
        assert channel.expires_at - rig.io.clock.now() <= timedelta(hours=6)
        known = KnownChannel(
            channel.id, push.token_hash(request.secret), channel.expires_at, channel.resource_id
        )
        control.grant(native_id, "Brand New AI", client_id="new.apps", scopes=["openid"])
        sync, posted = sorted(receiver.wait(2), key=lambda p: int(p.headers["x-goog-message-number"]))
        now = rig.io.clock.now()
        assert delivered(sync, known, now) == ()
        (hint,) = delivered(posted, known, now)
        assert (hint.native_id, hint.event, set(hint.granted_at)) == (native_id, "authorize", {"new.apps"})
        rig.connector.close_channel(channel)
        rig.connector.close_channel(channel)
        assert control.channels() == []
        control.settle()
    forged = replace(known, secret_sha256=push.token_hash("another"))
    with pytest.raises(PushRefusedError):
        delivered(posted, forged, now)


def delivered(message: Any, channel: KnownChannel, now: datetime) -> tuple[Hint, ...]:
    """What a message that the simulator sent hints at."""
    known = Known({channel.id: channel}.get, lambda: pytest.fail("nothing is signed"), channel.id)
    request = PushRequest("POST", {k.lower(): v for k, v in message.headers.items()}, {}, message.body)
    return tuple(hint for told in push.receive(request, known, now).told for hint in told.hints)


# -- acts ---------------------------------------------------------------------------------------------


def test_revoking_for_an_account_that_was_deleted_meanwhile_is_done_already(rig: GoogleRig) -> None:
    native_id = active(rig)[0]
    client_id = next(iter(rig.truth()[native_id]["grants"]))
    rig.simulator.control.delete_user(native_id)
    result = rig.connector.act(Action("revoke_grant", native_id, client_id))
    assert (result.state, result.observed_present) == ("already_done", False)


def test_a_404_that_the_listing_contradicts_is_not_done(rig: GoogleRig) -> None:
    native_id = active(rig)[0]
    client_id = next(iter(rig.truth()[native_id]["grants"]))
    rig.simulator.control.fault("status", path="/tokens/", method="DELETE", status=404)
    with pytest.raises(ConnectorError) as caught:
        rig.connector.act(Action("revoke_grant", native_id, client_id))
    assert caught.value.kind == "transient"


# -- consent ------------------------------------------------------------------------------------------


def test_the_organisation_is_its_permanent_id_whatever_its_domain(rig: GoogleRig) -> None:
    before = rig.identity
    assert before.admin is True
    assert before.organisation_id == rig.simulator.org.customer_id
    rig.simulator.control.rename_domain("renamed.example")
    after = rig.flow.identify(START, consent(rig.simulator, rig.flow))
    assert after.organisation_id == before.organisation_id
    assert rig.connector.check().organisation.domains == ("renamed.example",)


def test_people_who_are_no_administrators_are_told_apart(rig: GoogleRig) -> None:
    person = next(u for u in rig.simulator.control.users() if u["state"] == "active" and not u["is_admin"])
    seen = rig.flow.identify(START, consent(rig.simulator, rig.flow, email=person["email"]))
    assert (seen.admin, seen.consumer, seen.email) == (False, False, person["email"])
    rig.simulator.control.add_consumer("somebody@gmail.example")
    seen = rig.flow.identify(START, consent(rig.simulator, rig.flow, email="somebody@gmail.example"))
    assert (seen.consumer, seen.organisation_id, seen.admin) == (True, None, None)


def test_unticked_permissions_are_named(rig: GoogleRig) -> None:
    ticked = [n.scope for n in registry.manifest("google").scopes if not n.scope.endswith("audit.readonly")]
    grant = consent(rig.simulator, rig.flow, scopes=ticked)
    assert {s.rpartition("/")[2] for s in rig.flow.missing_scopes(grant.granted_scopes)} == {
        "admin.reports.audit.readonly"
    }
    assert "canary" not in repr(grant)
    assert grant.secret not in repr(grant) + repr(START)


def test_a_code_is_good_once_and_for_its_verifier_only(rig: GoogleRig) -> None:
    rig.simulator.control.auto_consent()

    def code() -> str:
        answer = requests.get(rig.flow.authorize_url(START), allow_redirects=False, timeout=10)
        return answer.headers["Location"].partition("code=")[2].partition("&")[0].replace("%2F", "/")

    used = code()
    rig.flow.exchange(START, {"code": used})
    other = ConsentStart(START.state, START.nonce, "w" * 43, START.redirect_uri)
    elsewhere = ConsentStart(START.state, START.nonce, START.code_verifier, START.redirect_uri + "/")
    for start, text in ((START, used), (START, "made-up"), (other, code()), (elsewhere, code())):
        with pytest.raises(ConnectorError) as caught:
            rig.flow.exchange(start, {"code": text})
        assert caught.value.kind in {"config", "system"}


FORGED = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize(
    "attack",
    [
        "none",
        "HS256 with public key",
        "other key",
        "kid",
        "jku",
        "aud",
        "iss",
        "expired",
        "nonce",
        "future",
        "email",
    ],
)
def test_forged_statements_of_who_consented_are_refused(rig: GoogleRig, attack: str) -> None:
    grant = consent(rig.simulator, rig.flow)
    claims = jwt.decode(grant.id_token, options={"verify_signature": False})
    signer, key, algorithm = rig.simulator.signer, rig.simulator.signer.key, "RS256"
    head = {"kid": signer.kid}
    now = rig.io.clock.now().timestamp()
    match attack:
        case "none":
            key, algorithm = None, "none"
        case "HS256 with public key":
            key, algorithm = "n" * 64, "HS256"
        case "other key":
            key = FORGED
        case "kid":
            key, head = FORGED, {"kid": "../../etc/passwd"}
        case "jku":
            key, head = FORGED, {"kid": "evil", "jku": "http://127.0.0.1:1/keys"}
        case "aud":
            claims["aud"] = "somebody-else"
        case "iss":
            claims["iss"] = "https://accounts.evil.example"
        case "expired":
            claims["exp"] = now - 301
        case "nonce":
            claims["nonce"] = "another"
        case "future":
            claims["iat"] = now + 3600
        case "email":
            claims["email_verified"] = False
    forged = replace(grant, id_token=jwt.encode(claims, key, algorithm, headers=head))
    with pytest.raises(ConnectorError) as caught:
        rig.flow.identify(START, forged)
    assert caught.value.kind == "config"
    assert rig.flow.identify(START, grant).admin is True


def test_a_flood_of_unknown_keys_fetches_the_key_set_once_a_minute(rig: GoogleRig) -> None:
    grant = consent(rig.simulator, rig.flow)
    rig.flow.identify(START, grant)
    rig.simulator.control.reset_metrics()
    for number in range(50):
        forged = jwt.encode({"sub": "1"}, FORGED, "RS256", headers={"kid": f"k{number}"})
        with pytest.raises(ConnectorError):
            rig.flow.identify(START, replace(grant, id_token=forged))
    assert "oauth.certs" not in rig.simulator.control.metrics()["methods"]
    rig.io.clock.sleep(61)
    for number in range(50):
        forged = jwt.encode({"sub": "1"}, FORGED, "RS256", headers={"kid": f"k{number}"})
        with pytest.raises(ConnectorError):
            rig.flow.identify(START, replace(grant, id_token=forged))
    assert rig.simulator.control.metrics()["methods"]["oauth.certs"]["calls"] == 1


def test_issuers_of_others_are_not_accepted(rig: GoogleRig) -> None:
    assert rig.flow.accepts_issuer(None)
    assert rig.flow.accepts_issuer("https://accounts.google.com")
    assert not rig.flow.accepts_issuer("https://login.microsoftonline.com")
    assert not rig.flow.accepts_issuer("")


def test_a_rotated_refresh_token_is_used_from_then_on(rig: GoogleRig) -> None:
    from lantern.connectors.calls import Reply
    from lantern.connectors.google.oauth import AccessTokens
    from lantern.connectors.halt import Halt

    sent, told = [], []

    class Endpoint:
        def call(self, request: Any, halt: Halt) -> Reply:
            sent.append(request.form["refresh_token"])
            return Reply(200, {}, {"access_token": "a", "expires_in": 3600, "refresh_token": "second"})

    tokens = AccessTokens(Endpoint(), "", REGISTRATION, "first", clock=rig.io.clock, rotated=told.append)
    halt = Halt(rig.io.clock)
    for _ in range(3):
        tokens.rejected(tokens.header(halt))
    assert (sent, told, tokens.refresh_token) == (["first", "second", "second"], ["second"], "second")
