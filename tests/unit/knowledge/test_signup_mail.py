"""Sign-up mail as a hint: who it is told of, and that forgers and newsletters are told nothing of."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lantern.domain.signup_mail import MailHeaders, sender_host, sign_up, what_it_says
from lantern.services.catalog import Catalog

CONSUMERS = frozenset({"gmail.com"})
AT = datetime(2026, 3, 2, tzinfo=UTC)


def registrable(host: str) -> str | None:
    """Good enough for hosts under a one-part suffix."""
    parts = host.split(".")
    return ".".join(parts[-2:]) if len(parts) > 1 else None


def told(catalog: Catalog, sender: str, subject: str) -> str | None:
    found = sign_up(MailHeaders((sender,), (subject,), AT), catalog, registrable, CONSUMERS)
    return f"{found.product_id} {found.said}" if found else None


@pytest.mark.parametrize(
    ("sender", "subject", "wanted"),
    [
        ("Otter.ai <no-reply@otter.ai>", "Welcome to Otter!", "created"),
        ("no-reply@mail.otter.ai", "Please verify your email address", "confirm"),
        ('"Otter" <hi@otter.ai>', "=?UTF-8?B?V2VsY29tZSB0byBPdHRlcg==?=", "created"),
        ("Otter <hi@otter.ai>", "Willkommen bei Otter", "created"),
        ("Otter <hi@otter.ai>", "Ada invited you to a workspace", "invited"),
        ("Otter <hi@otter.ai>", "W\u200bel\u00adcome  to\u00a0Otter", "created"),
    ],
)
def test_an_account_is_hinted_at_by_the_vendors_own_address(
    catalog: Catalog, sender: str, subject: str, wanted: str
) -> None:
    (product,) = catalog.by_domain("otter.ai")
    assert told(catalog, sender, subject) == f"{product.id} {wanted}"


@pytest.mark.parametrize(
    ("sender", "subject"),
    [
        ("Otter.ai <no-reply@evil.example>", "Welcome to Otter!"),
        ('"no-reply@otter.ai" <x@evil.example>', "Welcome to Otter!"),
        ('"Otter <no-reply@otter.ai>" <x@evil.example>', "Welcome to Otter!"),
        ("<no-reply@otter.ai> <x@evil.example>", "Welcome to Otter!"),
        ("no-reply@otter.ai, x@evil.example", "Welcome to Otter!"),
        ("no-reply@otter.ai.evil.example", "Welcome to Otter!"),
        ("no-reply@notter.ai", "Welcome to Otter!"),
        ("no-reply@otter.ai\r\nBcc: x@evil.example", "Welcome to Otter!"),
        ("no-reply@otter.ai(comment)", "Welcome to Otter!"),
        ("n\u043e@\u043etter.ai", "Welcome to Otter!"),
        ("somebody@gmail.com", "Welcome to Otter!"),
        ("x" * 600 + "@otter.ai", "Welcome to Otter!"),
        ("hi@otter.ai", "Welcome back to Otter"),
        ("hi@otter.ai", "Reset your password"),
        ("hi@otter.ai", "Your newsletter: welcome to spring"),
        ("hi@otter.ai", "Minutes of the meeting"),
        ("hi@otter.ai", ""),
        ("", "Welcome to Otter!"),
    ],
)
def test_what_is_forged_or_about_something_else_is_not_told(
    catalog: Catalog, sender: str, subject: str
) -> None:
    assert told(catalog, sender, subject) is None


def test_headers_that_come_twice_say_nothing(catalog: Catalog) -> None:
    twice = MailHeaders(("a@otter.ai", "x@evil.example"), ("Welcome to Otter",), AT)
    assert sign_up(twice, catalog, registrable, CONSUMERS) is None
    twice = MailHeaders(("a@otter.ai",), ("Welcome to Otter", "Hello"), AT)
    assert sign_up(twice, catalog, registrable, CONSUMERS) is None


@given(st.text(max_size=900), st.text(max_size=900))
def test_any_header_is_survived(sender: str, subject: str) -> None:
    what_it_says([subject, *([] if sender else [subject])])
    host = sender_host([sender])
    assert host is None or (host == host.lower() and host.isascii() and "." in host)


@pytest.mark.parametrize(
    "text", ["=?utf-8?b?" + "A" * 400 + "?=", "=?x?q?=41?=", "=?utf-8?q?" * 40, "your " * 90]
)
def test_broken_encodings_say_nothing(text: str) -> None:
    assert what_it_says([text]) is None
