"""A tenant's own catalog entries through the API, and what the catalog says under them."""

from typing import Any

import pytest

from lantern.domain.catalog_schema import ProductEntry, listing_of
from lantern.domain.overlay import MAX_ENTRIES, OverlayEntry, Publication, Published, TenantCatalog
from lantern.domain.work import Work
from tests.functional.api.world import NOW, Client, Planted, World

PATH = "/v1/catalog/entries"
NOTES: dict[str, Any] = {
    "name": "Acme Notes",
    "category": "ai_meeting",
    "kind": "ai",
    "domains": ["acme-notes.com"],
    "ids": {"google": ["Acme-Client.apps.googleusercontent.com"]},
}


def ask(api: Client, **query: str) -> Any:
    answer = api("GET", "/v1/catalog/products", query=query)
    assert answer.status == 200, answer.text
    return answer.json


def found(api: Client, **query: str) -> list[tuple[str, str, str]]:
    return [(p["id"], p["found_by"], p["source"]) for p in ask(api, **query)["data"]]


def outbox(world: World, planted: Planted) -> list[Work]:
    return [w for _, w in world.store(planted.tenant_id).outbox.due(world.now.replace(year=2027))]


def audit(world: World, planted: Planted) -> list[tuple[str, str, dict[str, str]]]:
    entries = list(world.store(planted.tenant_id).audit.entries())[1:]
    assert world.store(planted.tenant_id).audit.verify() is None
    return [(e.action, e.subject, dict(e.detail)) for e in entries]


def publish(world: World, *entries: OverlayEntry, version: int = 1) -> None:
    world.platform.catalog.publish(
        Published(version, entries), Publication(version, "note", "opr_x", NOW, tuple(e.id for e in entries))
    )


def operators(entry_id: str, replaces: str | None = None, **facts: Any) -> OverlayEntry:
    facts = {"category": "ai_agent", "kind": "ai", **facts}
    listing = listing_of(replaces or entry_id, ProductEntry(**facts))
    return OverlayEntry(entry_id, listing, replaces, "", "opr_x", NOW)


def test_a_product_is_added_found_audited_and_put_to_work(
    world: World, planted: Planted, api: Client
) -> None:
    added = api("POST", PATH, {"id": "acme-notes", "product": NOTES, "note": "our own tool"})
    assert added.status == 201, added.text
    assert added.json["product"] == {
        "vendor": "Acme Notes",
        "aliases": [],
        "common": False,
        "well_known": False,
        "namesake": False,
        "hosts_others": False,
        "protected": False,
        **NOTES,
    }
    assert (added.json["product_id"], added.json["by"]) == ("acme-notes", f"key:{api.key_id}")
    same = api("GET", f"{PATH}/acme-notes")
    assert (same.json, same.headers["ETag"]) == (added.json, added.headers["ETag"])
    own = [("acme-notes", "client_id", "tenant")]
    assert found(api, client_id="acme-client.apps.googleusercontent.com", provider="google") == own
    assert found(api, client_id="acme-client.apps.googleusercontent.com") == own
    assert found(api, client_id="acme-client.apps.googleusercontent.com", provider="entra") == []
    assert found(api, domain="https://app.acme-notes.com/x") == [("acme-notes", "domain", "tenant")]
    assert found(api, name="acme notes") == [("acme-notes", "name", "tenant")]
    told = ask(api, name="Acme Notes", domain="acme-notes.com")["identification"]
    assert (told["verdict"], told["product"], told["category"]) == ("ai", "Acme Notes", "ai_meeting")
    detail = {"product": "acme-notes", "says": "ai", "before": "none", "after": "ai (revision 2)"}
    assert audit(world, planted) == [("catalog.added", "acme-notes", detail)]
    assert "our own tool" not in repr(audit(world, planted))
    assert outbox(world, planted) == [Work(planted.tenant_id, "score.catalog", cause=f"key:{api.key_id}")]


def test_a_shipped_product_is_corrected_taken_back_and_given_back(
    world: World, planted: Planted, api: Client
) -> None:
    assert found(api, name="ChatGPT") == [("chatgpt", "name", "shipped")]
    fixed = {"name": "ChatGPT", "vendor": "OpenAI", "category": "ai_search", "kind": "embedded_ai"}
    made = api("POST", PATH, {"replaces": "chatgpt", "product": fixed})
    assert made.status == 201, made.text
    assert made.json["id"].startswith("ent_")
    assert made.json["product_id"] == "chatgpt"
    assert found(api, name="ChatGPT") == [("chatgpt", "name", "tenant")]
    assert found(api, domain="chatgpt.com") == []
    path = f"{PATH}/{made.json['id']}"
    back = api("PUT", path, {"replaces": "chatgpt"}, headers={"If-Match": made.headers["ETag"]})
    assert (back.status, back.json["product"]) == (200, None)
    assert found(api, name="ChatGPT") == []
    gone = api("DELETE", path, headers={"If-Match": back.headers["ETag"]})
    assert gone.status == 200, gone.text
    assert api("GET", path).status == 404
    assert found(api, domain="chatgpt.com") == [("chatgpt", "domain", "shipped")]
    assert [action for action, _, _ in audit(world, planted)] == [
        "catalog.added", "catalog.changed", "catalog.removed",
    ]  # fmt: skip
    assert len(outbox(world, planted)) == 3


def test_operators_entries_show_within_five_minutes_and_the_tenants_win(world: World, api: Client) -> None:
    assert found(api, name="Harbour") == []
    publish(world, operators("harbour", name="Harbour"), operators("gpt", "chatgpt", name="ChatGPT 9"))
    world.seconds = 299
    assert found(api, name="Harbour") == []
    world.seconds = 300
    assert found(api, name="Harbour") == [("harbour", "name", "operators")]
    assert found(api, name="ChatGPT 9") == [("chatgpt", "name", "operators")]
    own = {"name": "Harbour", "category": "finance", "kind": "not_ai"}
    assert api("POST", PATH, {"replaces": "harbour", "product": own}).status == 201
    (product,) = ask(api, name="Harbour")["data"]
    assert (product["kind"], product["source"]) == ("not_ai", "tenant")


def test_a_write_says_which_revision_and_what_is_the_same_changes_nothing(
    world: World, planted: Planted, api: Client
) -> None:
    made = api("POST", PATH, {"id": "acme-notes", "product": NOTES})
    path, etag = f"{PATH}/acme-notes", made.headers["ETag"]
    body = {"product": {**NOTES, "kind": "not_ai"}}
    assert api("PUT", path, body).status == 428
    nothing = api("PUT", path, {}, headers={"If-Match": etag})
    assert (nothing.status, nothing.json["errors"][0]["pointer"]) == (400, "/product")
    # Another entry's change is no reason to refuse this one.
    assert api("POST", PATH, {"product": {**NOTES, "name": "Other", "domains": [], "ids": {}}}).status == 201
    changed = api("PUT", path, body, headers={"If-Match": etag})
    assert changed.status == 200, changed.text
    stale = api("PUT", path, {"product": NOTES}, headers={"If-Match": etag})
    assert (stale.status, stale.headers["ETag"]) == (412, changed.headers["ETag"])
    before = len(audit(world, planted))
    again = api("PUT", path, body, headers={"If-Match": changed.headers["ETag"]})
    assert (again.json, again.headers["ETag"]) == (changed.json, changed.headers["ETag"])
    assert len(audit(world, planted)) == before
    assert api("DELETE", path, headers={"If-Match": etag}).status == 412
    # An id that comes again has another revision: what was read of the first does not fit the second.
    assert api("DELETE", path, headers={"If-Match": "*"}).status == 200
    second = api("POST", PATH, {"id": "acme-notes", "product": NOTES})
    assert second.headers["ETag"] not in (etag, changed.headers["ETag"])


def test_a_repeated_post_adds_one_entry(world: World, planted: Planted, api: Client) -> None:
    once = {"Idempotency-Key": "k-1"}
    first = api("POST", PATH, {"product": NOTES}, headers=once)
    again = api("POST", PATH, {"product": NOTES}, headers=once)
    assert (again.status, again.json) == (201, first.json)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["ETag"] == first.headers["ETag"]
    assert len(outbox(world, planted)) == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/product"),
        ({"product": None}, "/product"),
        ({"replaces": "no-such-product", "product": NOTES}, "/replaces"),
        ({"replaces": "no-such-product"}, "/replaces"),
        ({"id": "chatgpt", "product": NOTES}, "/id"),
        ({"id": "Not A Slug", "product": NOTES}, "/id"),
        ({"product": {**NOTES, "kind": "maybe"}}, "/product/kind"),
        ({"product": {**NOTES, "common": "yes"}}, "/product/common"),
        ({"product": {**NOTES, "domains": ["https://x.com"]}}, "/product/domains/0"),
        ({"product": {**NOTES, "domains": ["a.com", "a.com"]}}, "/product/domains"),
        ({"product": {**NOTES, "domains": [f"a{n}.com" for n in range(21)]}}, "/product/domains"),
        ({"product": {**NOTES, "ids": {"azure": ["x"]}}}, "/product/ids/azure/[key]"),
        ({"product": {**NOTES, "name": "a\u202egnp.exe"}}, "/product/name"),
        ({"product": {**NOTES, "name": "!!"}}, "/product/name"),
        ({"product": {**NOTES, "tenant_id": "x"}}, "/product/tenant_id"),
        ({"product": NOTES, "note": "x" * 2_001}, "/note"),
    ],
)
def test_what_is_wrong_is_named(world: World, planted: Planted, api: Client, body: Any, pointer: str) -> None:
    answer = api("POST", PATH, body)
    assert (answer.status, answer.json["code"]) == (400, "invalid_request"), answer.text
    assert pointer in [error["pointer"] for error in answer.json["errors"]], answer.text
    assert outbox(world, planted) == []


@pytest.mark.parametrize(
    ("facts", "pointer"),
    [
        ({"domains": ["acme-notes.com"], "ids": {}}, "/product/domains"),
        ({"domains": [], "name": "ACME-Notes", "ids": {}}, "/product/name"),
        ({"domains": []}, "/product/ids"),
    ],
)
def test_two_entries_do_not_contradict_each_other(api: Client, facts: Any, pointer: str) -> None:
    assert api("POST", PATH, {"product": NOTES}).status == 201
    answer = api("POST", PATH, {"product": {**NOTES, "name": "Bolt", "vendor": "Bolt", **facts}})
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, pointer), answer.text


def test_a_correction_does_not_become_a_new_product_of_the_same_id(api: Client) -> None:
    assert api("POST", PATH, {"id": "chatgpt", "replaces": "chatgpt"}).status == 201
    answer = api("PUT", f"{PATH}/chatgpt", {"product": NOTES}, headers={"If-Match": "*"})
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, "/replaces")


def test_one_product_has_one_entry(api: Client) -> None:
    assert api("POST", PATH, {"replaces": "chatgpt"}).status == 201
    answer = api("POST", PATH, {"replaces": "chatgpt"})
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, "/replaces")
    assert api("POST", PATH, {"id": "a", "product": {**NOTES}}).status == 201
    taken = api("POST", PATH, {"id": "a", "product": {**NOTES, "name": "B"}})
    assert (taken.status, taken.json["code"]) == (409, "conflict")


def test_there_is_room_for_a_thousand_entries(world: World, planted: Planted, api: Client) -> None:
    store = world.store(planted.tenant_id)
    many = tuple(operators(f"p-{n:04}", name=f"Product {n}") for n in range(MAX_ENTRIES))
    store.transact(NOW).put(store.catalog.op(TenantCatalog(many, store.catalog.get().rev))).commit()
    answer = api("POST", PATH, {"product": NOTES})
    assert (answer.status, answer.json["code"]) == (409, "conflict")
    assert str(MAX_ENTRIES) in answer.json["detail"]
    seen, cursor = 0, None
    while seen == 0 or cursor:
        page = api("GET", PATH, query={"limit": 100} | ({"cursor": cursor} if cursor else {})).json
        seen, cursor = seen + len(page["data"]), page["next_cursor"]
    assert seen == MAX_ENTRIES


def test_entries_that_do_not_fit_into_their_item_are_refused(
    world: World, planted: Planted, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lantern.store.catalog.MAX_BYTES", 500)
    answer = api("POST", PATH, {"product": NOTES})
    assert (answer.status, answer.json["code"]) == (409, "conflict")
    assert audit(world, planted) == []


@pytest.mark.parametrize(("scope", "status"), [("read", 403), ("remediate", 403), ("write", 201)])
def test_writing_needs_the_scope(world: World, planted: Planted, scope: str, status: int) -> None:
    somebody = Client(world, planted.tenant_id, scopes=scope)
    assert somebody("POST", PATH, {"product": NOTES}).status == status
    assert somebody("GET", PATH).status == 200
    assert found(somebody, name="ChatGPT")


def test_a_question_without_anything_names_what_to_send(api: Client) -> None:
    answer = api("GET", "/v1/catalog/products", query={"provider": "google"})
    assert [e["parameter"] for e in answer.json["errors"]] == ["name", "domain", "client_id"]


def test_hostile_names_in_a_question_are_inert(world: World, api: Client) -> None:
    for name in ("<img src=x>", "a\u202eb", "=HYPERLINK(1)", "\x00", "x" * 200, "🧨" * 60):
        body = ask(api, name=name, domain="no domain at all", client_id="T#other#CATALOG")
        assert body["data"] == []


def test_a_look_up_takes_one_request_for_the_tenant_and_one_for_the_operators(
    world: World, planted: Planted, api: Client
) -> None:
    asked: list[str] = []
    world.platform._client.meta.events.register(
        "provide-client-params.dynamodb.*",
        lambda params, model, **_: asked.append(params.get("Key", {}).get("pk", {}).get("S", "")),
    )
    for _ in range(3):
        world.counted()
        ask(api, name="ChatGPT", domain="chatgpt.com", client_id="x")
        assert dict(world.counted()) == {"GetItem": 1}
    assert asked.count("CATALOG") == 1
