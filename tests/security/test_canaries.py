"""Secrets are planted; after a day on which everything went wrong they are nowhere but where they belong."""

import re
import traceback
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.security.conftest import Seen, dump

pytestmark = pytest.mark.xdist_group("day")
_LEGITIMATE = {("kms", "Encrypt"), ("sts", "AssumeRole")}


def _found(secrets: dict[str, str], where: str) -> list[str]:
    return [name for name, secret in secrets.items() if secret in where]


def test_there_is_something_to_find(seen: Seen):
    kinds = {name.split(" ")[0] for name in seen.secrets}
    assert kinds == {"client", "API", "refresh", "access"}
    assert seen.account.errors, "nothing went wrong"
    assert any("WARNING" in line or "ERROR" in line for line in seen.logged)


def test_no_record_carries_a_secret_even_before_it_is_scrubbed(seen: Seen):
    assert len(seen.raw) > 30
    assert [(_found(seen.secrets, line), line) for line in seen.raw if _found(seen.secrets, line)] == []


def test_no_line_carries_a_secret_or_an_address(seen: Seen):
    assert [line for line in seen.logged if _found(seen.secrets, line)] == []
    assert [line for line in seen.logged if re.search(r"[\w.]+@[\w.]+\.example", line)] == []


def test_no_exception_carries_a_secret(seen: Seen):
    for function, error in seen.account.errors:
        text = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
        assert _found(seen.secrets, text) == [], function


def test_no_answer_carries_a_secret(seen: Seen):
    """Of the pages one carries the customer's key, once: that is how customers get it."""
    with_key = 0
    for function, answer in seen.account.answers:
        found = _found(seen.secrets, dump(answer))
        if found == ["API key"] and function == "Onboarding":
            with_key += 1
            assert answer["headers"]["Cache-Control"] == "no-store"
            continue
        if function == "Api":
            # A refusal may say back what the caller itself sent; it never knows more.
            found = [name for name in found if name != "API key"]
        assert found == [], (function, answer)
    assert with_key == 1


def test_the_tables_hold_ciphertext_only(seen: Seen):
    assert len(seen.items) > 50
    for item in seen.items:
        for text in _plain(item):
            assert _found(seen.secrets, text) == [], (item["pk"], item["sk"])


def _plain(value: Any) -> Iterator[str]:
    """All that can be read in an item: texts, bytes, and compressed bytes unpacked."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _plain(item)
    elif isinstance(value, list):
        for item in value:
            yield from _plain(item)
    elif isinstance(value, bytes):
        yield value.decode("latin-1")
        if value[:1] == b"\x78":
            yield zlib.decompress(value).decode("utf-8", "replace")
    else:
        yield str(value)


def test_secrets_go_to_the_key_service_only(seen: Seen):
    for call in seen.account.calls:
        if (call.service, call.operation) not in _LEGITIMATE:
            assert _found(seen.secrets, dump(call.params)) == [], (
                call.function,
                call.service,
                call.operation,
            )


def test_without_the_key_service_nothing_is_stored(seen: Seen):
    """A consent during which `Encrypt` failed left no token behind, in any form."""
    sealed = [c for c in seen.account.calls if c.service == "kms" and c.operation == "Encrypt"]
    assert len(sealed) >= 2
    assert all(c.role == "OnboardingFunctionRole" for c in sealed)


@pytest.mark.parametrize("kind", ["refresh", "access", "client", "API"])
def test_the_search_would_find(seen: Seen, kind: str):
    secret = next(value for name, value in seen.secrets.items() if name.startswith(kind))
    assert _found(seen.secrets, f"...{secret}...")
