"""`catalog show` finds products by what people have at hand."""

import pytest

from tests.unit.scripts.conftest import Admin


@pytest.mark.parametrize(
    ("what", "product"),
    [
        ("ChatGPT", "chatgpt"),
        ("chatgpt", "chatgpt"),
        ("chat.openai.com", "chatgpt"),
        ("https://chatgpt.com/share/1?x=2", "chatgpt"),
    ],
)
def test_a_product_is_found_by_name_id_and_domain(admin: Admin, what: str, product: str) -> None:
    found = admin("catalog", "show", what, "--json").data["data"]
    assert product in [row["id"] for row in found]
    assert all(row["found_by"] for row in found)


def test_what_is_unknown_says_where_to_look(admin: Admin) -> None:
    ran = admin("catalog", "show", "zzz-no-such-thing-zzz")
    assert ran.code == 1
    assert "content/catalog" in ran.err


def test_a_near_miss_is_suggested(admin: Admin) -> None:
    ran = admin("catalog", "show", "ChatGPTT")
    assert ran.code == 1
    assert "Close to it: ChatGPT" in ran.err
