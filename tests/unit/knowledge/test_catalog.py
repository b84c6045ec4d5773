"""The compiled catalog: what the compiler refuses, and how the file is read."""

import sqlite3
from pathlib import Path

import pytest

from lantern.domain.names import key, skeleton, within_one_edit, words
from lantern.services.catalog import Catalog, CatalogError
from scripts.build.catalog_checks import doubtful_pairs
from scripts.build.compile_catalog import FILE_NAME, compile_to, read_rows
from scripts.build.sources import SourceError

_GOOD = "category: ai_test\nkind: ai\nproducts:\n"


def _refusal(tmp_path: Path, *entries: str) -> str:
    (tmp_path / "one.yaml").write_text(_GOOD + "".join(f"  {entry}\n" for entry in entries), encoding="utf-8")
    with pytest.raises(SourceError) as caught:
        compile_to(tmp_path / "out", tmp_path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (("a: {name: A1, domain: [a.com]}",), "one.yaml: products: a: domain: Extra inputs"),
        (("a: {vendor: A}",), "one.yaml: products: a: name: Field required"),
        (("A_b: {name: A1}",), "one.yaml: products: A_b"),
        (("a: {name: A1, domains: ['https://a.com']}",), "one.yaml: products: a: domains: 0"),
        (("a: {name: A1, ids: {azure: [x]}}",), "one.yaml: products: a: ids: azure"),
        (("a: {name: A1, kind: maybe}",), "one.yaml: products: a: kind"),
        (("a: {name: A1, aliases: [b, B]}",), "one.yaml: products: a: aliases: Value error, lists the same"),
        (("a: {name: A1}", "a: {name: A2}"), "one.yaml: line 5: a: is there twice"),
        (("a: {name: Same}", "b: {name: 'sa-me'}"), "one.yaml: products: b: name: same is also a"),
        (("a: {name: A1, domains: [x.com]}", "b: {name: B1, domains: [x.com]}"), "x.com belongs to A1"),
        (("a-b: {name: A1}", "ab: {name: B1}"), "one.yaml: products: ab: id: looks like a-b again"),
        (
            ("a: {name: A1, ids: {okta: [i]}}", "b: {name: B1, ids: {okta: [I]}}"),
            "okta i belongs to a already",
        ),
    ],
)
def test_errors_name_file_entry_and_field(tmp_path: Path, entries: tuple[str, ...], said: str) -> None:
    assert said in _refusal(tmp_path, *entries)


def test_two_real_products_of_one_name_may_say_so(tmp_path: Path) -> None:
    lines = ["a: {name: Same, vendor: V1, namesake: true}", "b: {name: Same, vendor: V2, namesake: true}"]
    (tmp_path / "one.yaml").write_text(_GOOD + "".join(f"  {line}\n" for line in lines), encoding="utf-8")
    compile_to(tmp_path / "out", tmp_path)
    with Catalog(tmp_path / "out" / FILE_NAME) as catalog:
        assert {hit.product.vendor for hit in catalog.by_name("same")} == {"V1", "V2"}


def test_names_say_how_they_were_found(tmp_path: Path) -> None:
    lines = [
        "a: {name: Otterly.ai, vendor: Otterly Inc, domains: [otterly.ai], aliases: [OtterPilot, Quill]}",
        "b: {name: Slate Bot, vendor: Foundry, domains: [slatebot.com]}",
    ]
    (tmp_path / "one.yaml").write_text(_GOOD + "".join(f"  {line}\n" for line in lines), encoding="utf-8")
    compile_to(tmp_path / "out", tmp_path)
    with Catalog(tmp_path / "out" / FILE_NAME) as catalog:
        found = {
            name: [hit.strength for hit in catalog.by_name(name)]
            for name in ("otterlyai", "otterpilot", "quill", "otterly", "otterlyinc", "foundry")
        }
    assert found == {
        "otterlyai": ["exact"],
        "otterpilot": ["exact"],
        "quill": ["alias"],
        "otterly": ["derived"],
        "otterlyinc": ["vendor"],
        "foundry": [],
    }


def test_entries_that_may_be_one_product_are_listed(tmp_path: Path) -> None:
    lines = [
        "delve: {name: Delve, domains: [delve.co]}",
        "delve-ai: {name: Delve Personas, domains: [delve.ai]}",
        "box-ai: {name: Box AI, domains: [other.com]}",
        "box: {name: Box, kind: not_ai, domains: [box.com]}",
    ]
    (tmp_path / "one.yaml").write_text(_GOOD + "".join(f"  {line}\n" for line in lines), encoding="utf-8")
    assert doubtful_pairs(read_rows(tmp_path)) == [("delve", "delve-ai")]


def test_revision_is_the_content(tmp_path: Path) -> None:
    def revision(body: str, out: str) -> tuple[str, bytes]:
        (tmp_path / "one.yaml").write_text(_GOOD + body, encoding="utf-8")
        compile_to(tmp_path / out, tmp_path)
        with Catalog(tmp_path / out / FILE_NAME) as catalog:
            return catalog.revision, (tmp_path / out / FILE_NAME).read_bytes()

    first, again = revision("  a: {name: A1}\n", "x"), revision("  a: {name: A1}\n", "y")
    assert first == again
    assert revision("  a: {name: A1, domains: [a.com]}\n", "z")[0] != first[0]


def test_shipped_catalog_has_the_breadth_and_no_duplicates() -> None:
    rows = read_rows()
    kinds = [row.product.kind for row in rows]
    assert kinds.count("ai") >= 2_500
    assert kinds.count("not_ai") >= 1_500
    assert len({row.product.id for row in rows}) == len(rows)
    assert {row.product.category for row in rows if row.product.kind == "ai"} >= {"ai_agent", "ai_companion"}
    odd = [row.where for row in rows if row.product.category.startswith("ai_") != (row.product.kind == "ai")]
    assert not odd, "a category says AI where its products do"


def test_lookups(catalog: Catalog) -> None:
    assert [product.id for product in catalog.by_domain("fireflies.ai")] == ["fireflies-ai"]
    assert catalog.by_domain("nobody.example") == ()
    openai = catalog.by_name("openai")
    assert (openai[0].product.id, openai[0].strength) == ("openai-platform", "exact")
    assert {hit.strength for hit in openai[1:]} == {"vendor"}
    product = catalog.by_product("chatgpt")
    assert product is not None
    assert product.domains == ("chatgpt.com", "chat.openai.com")
    assert catalog.by_product("no-such") is None
    assert [hit.brand for hit in catalog.brands_near(skeleton("chatgtp"))] == ["ChatGPT"]


def test_opens_lazily_and_refuses_what_is_no_catalog(tmp_path: Path) -> None:
    missing = Catalog(tmp_path / "no.sqlite")
    with pytest.raises(CatalogError, match=r"no\.sqlite"):
        missing.by_domain("a.com")
    garbage = tmp_path / "garbage.sqlite"
    garbage.write_bytes(b"not a database, certainly not" * 100)
    with pytest.raises(CatalogError, match="not a catalog"):
        Catalog(garbage).by_domain("a.com")
    old = tmp_path / "old.sqlite"
    connection = sqlite3.connect(old)
    connection.execute("CREATE TABLE product (n)")
    connection.close()
    with pytest.raises(CatalogError, match="schema version 0"):
        Catalog(old).by_domain("a.com")


def test_reading_writes_nothing(knowledge_dir: Path, catalog: Catalog) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in knowledge_dir.iterdir()}
    assert catalog.by_name("slack")
    assert {path.name: path.stat().st_mtime_ns for path in knowledge_dir.iterdir()} == before


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Otter.ai", "otterai"), ("  ChatGPT ", "chatgpt"), ("Яндекс", "yandex"),
     ("Weights & Biases", "weightsandbiases"),
     ("ＧＰＴ", "gpt"), ("Łódź", "lodz"), ("豆包", "豆包"), ("\u200bA\u202eB", "ab"), ("!!", "")],
)  # fmt: skip
def test_keys(name: str, expected: str) -> None:
    assert key(name) == expected


def test_words_and_edits() -> None:
    assert words("ChatGPT Pro v2") == ("chat", "gpt", "pro", "v", "2")
    assert words("OpenAI DALL-E") == ("open", "ai", "dall", "e")
    for left, right in (
        ("openai", "opneai"),
        ("openai", "openia"),
        ("a", ""),
        ("abc", "abd"),
        ("abc", "xabc"),
    ):
        assert within_one_edit(left, right), (left, right)
        assert within_one_edit(right, left), (left, right)
    for left, right in (("abc", "cba"), ("abcd", "badc"), ("", "ab"), ("openai", "opneia")):
        assert not within_one_edit(left, right), (left, right)
