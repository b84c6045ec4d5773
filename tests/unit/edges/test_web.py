"""Proxy events as requests."""

import base64

import pytest

from lantern.services import web


def test_values_are_all_kept_and_names_are_lower_case():
    request = web.read(
        {
            "path": "/connect/google/callback",
            "pathParameters": {"provider": "google"},
            "multiValueQueryStringParameters": {"state": ["a", "b"]},
            "multiValueHeaders": {"Cookie": ["x=1; y=2=3"], "X-Token": ["one", "two"], "Host": ["h"]},
            "headers": {"Cookie": "x=1"},
            "body": None,
            "requestContext": {"requestId": "r-1"},
        }
    )
    assert request.query == {"state": ["a", "b"]}
    assert request.header("host") == "h"
    assert request.header("x-token") is None
    assert request.header("absent") is None
    assert (request.cookie("x"), request.cookie("y"), request.cookie("z")) == ("1", "2=3", None)
    assert (request.body, request.request_id) == (b"", "r-1")


def test_single_valued_events_are_read_too():
    request = web.read({"queryStringParameters": {"a": "1"}, "headers": {"A": "b"}, "body": "x"})
    assert request.query == {"a": ["1"]}
    assert request.header("a") == "b"
    assert request.body == b"x"


def test_a_cookie_given_twice_is_none_at_all():
    request = web.read({"multiValueHeaders": {"cookie": ["a=1; a=2"]}})
    assert request.cookie("a") is None


def test_bodies_come_as_their_raw_bytes():
    raw = bytes(range(256))
    event = {"body": base64.b64encode(raw).decode(), "isBase64Encoded": True}
    assert web.read(event).body == raw
    with pytest.raises(ValueError, match="base64"):
        web.read({"body": "%%%", "isBase64Encoded": True})


def test_requests_do_not_show_what_they_carry():
    request = web.read(
        {"body": "canary", "headers": {"a": "canary"}, "queryStringParameters": {"b": "canary"}}
    )
    assert "canary" not in repr(request)
