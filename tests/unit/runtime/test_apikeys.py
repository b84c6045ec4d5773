import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lantern.domain import apikeys


def _bytes(seed: int):
    return random.Random(seed).randbytes


@given(st.integers(0, 2**32))
def test_an_issued_key_reads_back_as_itself(seed: int) -> None:
    key = apikeys.issue("dev", _bytes(seed))
    presented = apikeys.parse(key.text)
    assert presented is not None
    assert (presented.id, presented.environment) == (key.id, "dev")
    assert apikeys.same_hash(presented.hash, key.hash)


@given(
    st.integers(0, 2**32), st.integers(0, 79), st.sampled_from(string.ascii_letters + string.digits + "_-")
)
def test_one_wrong_character_is_noticed_without_a_read(seed: int, place: int, character: str) -> None:
    text = apikeys.issue("dev", _bytes(seed)).text
    place %= len(text)
    wrong = text[:place] + character + text[place + 1 :]
    assert (apikeys.parse(wrong) is None) == (wrong != text)


def test_two_neighbours_swapped_are_noticed() -> None:
    text = apikeys.issue("dev", _bytes(1)).text
    for place in range(30, len(text) - 1):
        swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
        assert (apikeys.parse(swapped) is None) == (swapped != text)


@pytest.mark.parametrize("text", ["", "lnt_", "Bearer x", "lnt_dev_" + "0" * 200, "lnt_dev_é", "lnt_dev__\n"])
def test_what_is_no_key_is_no_key(text: str) -> None:
    assert apikeys.parse(text) is None


def test_a_key_with_a_line_end_is_no_key() -> None:
    assert apikeys.parse(apikeys.issue("dev", _bytes(1)).text + "\n") is None


@pytest.mark.parametrize("environment", ["", "DEV", "a_b", "thirteenchars"])
def test_an_environment_that_would_blur_the_form_is_refused(environment: str) -> None:
    with pytest.raises(ValueError, match="environment"):
        apikeys.issue(environment, _bytes(1))


def test_the_text_is_in_no_repr() -> None:
    key = apikeys.issue("dev", _bytes(1))
    secret = key.text.split("_")[-1]
    assert secret not in repr(key)
    assert key.hash not in repr(apikeys.parse(key.text))


@pytest.mark.parametrize(
    ("held", "allowed"),
    [
        ((), set()),
        (("read",), {"read"}),
        (("write",), {"read", "write"}),
        (("remediate",), {"read", "remediate"}),
        (("write", "remediate"), {"read", "write", "remediate"}),
        (("admin",), {"read", "write", "remediate", "admin"}),
        (("owner", "*"), set()),
    ],
)
def test_what_scopes_allow(held: tuple[str, ...], allowed: set[str]) -> None:
    assert apikeys.allowed(held) == allowed
