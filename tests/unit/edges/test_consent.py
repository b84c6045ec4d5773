"""Decisions about a consent on its way back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lantern.domain import consent

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ISSUER = "https://accounts.google.com"
URI = "https://api.lantern.example/prod/connect/google/callback"


def _pair() -> tuple[consent.ConsentState, consent.Return]:
    departure = consent.depart(lambda n: bytes(range(n)))
    record = consent.ConsentState(
        "google", consent.fingerprint(departure.browser_secret), URI, NOW + consent.STATE_TTL
    )
    back = consent.Return(
        "google", URI, departure.state, {"code": "code"}, departure.browser_secret, ISSUER, None
    )
    return record, back


def _judge(record: consent.ConsentState, back: consent.Return, now: datetime = NOW) -> str | None:
    return consent.judge(record, back, now, issuer_accepted=back.issuer in (None, ISSUER))


def test_a_good_return_is_accepted():
    record, back = _pair()
    assert _judge(record, back) is None
    assert _judge(record, replace(back, issuer=None)) is None


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"provider": "okta"}, "other_provider"),
        ({"browser_secret": "x" * 43}, "other_browser"),
        ({"browser_secret": None}, "other_browser"),
        ({"browser_secret": ""}, "other_browser"),
        ({"issuer": "https://accounts.google.com.evil.example"}, "other_issuer"),
        ({"issuer": ISSUER + "/"}, "other_issuer"),
        ({"redirect_uri": URI + "/"}, "other_redirect_uri"),
        ({"redirect_uri": URI.replace("google", "Google")}, "other_redirect_uri"),
        ({"redirect_uri": URI.replace(".example", ".example:8443")}, "other_redirect_uri"),
        ({"redirect_uri": URI + "?a=b"}, "other_redirect_uri"),
        ({"error": "access_denied"}, "declined"),
        ({"error": "server_error"}, "provider_refused"),
        ({"error": ""}, "provider_refused"),
        ({"answer": {}}, "code_missing"),
    ],
)
def test_anything_else_is_refused(change: dict[str, str | None], refusal: str):
    record, back = _pair()
    assert _judge(record, replace(back, **change)) == refusal


@pytest.mark.parametrize(
    ("age_s", "refusal"), [(0, None), (599, None), (600, "state_expired"), (601, "state_expired")]
)
def test_a_state_lives_ten_minutes(age_s: int, refusal: str | None):
    record, back = _pair()
    assert _judge(record, back, NOW + timedelta(seconds=age_s)) == refusal


def test_verifier_and_nonce_follow_from_browser_and_state_and_from_nothing_stored():
    departure = consent.depart(lambda n: bytes(range(n)))
    assert consent.departure(departure.state, departure.browser_secret) == departure
    other = consent.departure(departure.state, "y" * 43)
    assert other.verifier != departure.verifier
    assert other.nonce != departure.nonce
    assert len({departure.verifier, departure.nonce, departure.state, departure.browser_secret}) == 4 - (
        departure.state == departure.browser_secret
    )
    assert 43 <= len(departure.verifier) <= 128


def test_secrets_hide_from_repr():
    departure = consent.depart(lambda n: bytes(range(n)))
    back = consent.Return(
        "google", URI, departure.state, {"code": "the-code"}, departure.browser_secret, None, None
    )
    for secret in (departure.state, departure.browser_secret, departure.verifier, "the-code"):
        assert secret not in repr(departure)
        assert secret not in repr(back)


def test_a_parameter_given_twice_is_an_error_and_an_empty_one_absent():
    assert consent.single({"state": ["a"]}, "state") == "a"
    assert consent.single({"state": [""]}, "state") is None
    assert consent.single({}, "state") is None
    with pytest.raises(ValueError, match="state"):
        consent.single({"state": ["a", "a"]}, "state")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/connect/google/callback", True),
        ("/prod/connect/google/callback", True),
        ("/connect/google/callback/", False),
        ("/connect/Google/callback", False),
        ("/Connect/google/callback", False),
        ("/connect/google/../google/callback", False),
        ("connect/google/callback", False),
        ("", False),
    ],
)
def test_the_callback_answers_at_its_redirect_uri_only(path: str, expected: bool):
    assert consent.at_redirect_uri(path, URI) is expected


def test_link_tokens_name_their_tenant_and_are_stored_hashed():
    token, link_id = consent.link_token("a" * 20, lambda n: b"\x07" * n)
    assert consent.read_link_token(token) == ("a" * 20, link_id)
    assert token.partition(".")[2] not in link_id
    for bad in (
        "",
        "a" * 20,
        token + "x",
        token[1:],
        token.replace(".", "-"),
        "A" + token[1:],
        "../" + token,
    ):
        assert consent.read_link_token(bad) is None


def test_a_state_comes_back_as_it_was_kept():
    for record in (
        _pair()[0],
        replace(_pair()[0], tenant_id="a" * 20, by="key_1"),
        replace(_pair()[0], tenant_id="a" * 20, connection_id="con_1", by="key_1"),
    ):
        row = consent.to_row(record)
        assert all(isinstance(value, str) for value in row.values())
        assert consent.from_row(row) == record


@pytest.mark.parametrize(
    ("consumer", "admin", "organisation", "refusal"),
    [
        (False, True, "C01", None),
        (False, False, "C01", "not_administrator"),
        (False, None, "C01", "not_administrator"),
        (False, True, None, "not_administrator"),
        (False, True, "", "not_administrator"),
        (True, None, None, "consumer_account"),
        (True, True, "C01", "consumer_account"),
    ],
)
def test_only_administrators_of_organisations_may_connect(
    consumer: bool, admin: bool | None, organisation: str | None, refusal: str | None
):
    assert consent.judge_person(consumer=consumer, admin=admin, organisation_id=organisation) == refusal
