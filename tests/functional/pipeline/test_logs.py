"""A log through the pipeline: web apps, the people who went there, use, bytes; in parts, twice, cut short."""

import gzip
import hashlib
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from botocore.config import Config
from botocore.session import Session
from moto import mock_aws

from lantern.domain import ids
from lantern.domain.catalog_schema import ProductEntry, listing_of
from lantern.domain.errors import InvalidInputError, NotFoundError
from lantern.domain.imports import ImportRecord
from lantern.domain.overlay import OverlayEntry, TenantCatalog
from lantern.domain.visits import UNNAMED, VisitCounts
from lantern.domain.work import Work
from lantern.services.imports import accept
from lantern.services.imports.accept import Intake
from lantern.services.imports.bundles import connection_id
from lantern.services.imports.drops import DropBox
from tests.support.tenant import TENANT, Bench

HEAD = "time,user,host,bytes_out,bytes_in\n"
CHATGPT, CLAUDE = ids.app_id("web", "chatgpt"), ids.app_id("web", "claude")


def line(bench: Bench, host: str, user: str = "ada@x.example", out: int = 10, ago: int = 1) -> str:
    return f"{bench.clock.now().date() - timedelta(days=ago)}T10:00:00Z,{user},{host},{out},20\n"


def intake(bench: Bench, **more: Any) -> Intake:
    noise = random.Random(bench.messages).randbytes
    return Intake(**{"kind": "logs", "by": "key:k", "now": bench.clock.now(), "random": noise, **more})


def hand_in(bench: Bench, text: str | bytes, **more: Any) -> ImportRecord:
    raw = text if isinstance(text, bytes) else text.encode()
    record = accept.take(bench.store, raw, intake(bench, **more))
    bench.settle()
    return look(bench, record)


def look(bench: Bench, record: ImportRecord) -> ImportRecord:
    found = bench.store.imports.get(record.id)
    assert found is not None
    return found


def web(bench: Bench, source: str = "") -> Any:
    return bench.store.connections.get(connection_id(TENANT, "web", source))


def held(bench: Bench) -> dict[str, set[str]]:
    return {
        one.principal.native_id: {grant.app_id for grant in one.grants}
        for one in bench.store.bundles.all(web(bench).id)
    }


def use(bench: Bench) -> dict[tuple[str, str], int]:
    """(native id, app id) → events, over the weeks of the last ten days."""
    connection, found = web(bench), {}
    names = {one.principal.id: one.principal.native_id for one in bench.store.bundles.all(connection.id)}
    today = bench.clock.now().date()
    weeks = {
        f"{y:04d}-W{w:02d}" for y, w, _ in ((today - timedelta(days=n)).isocalendar() for n in range(11))
    }
    for week in weeks:
        for shard in range(connection.shards):
            for principal, apps in bench.store.use.week(
                connection.id, week, shard, connection.shards
            ).items():
                for app, seen in apps.items():
                    key = (names[principal], app)
                    found[key] = found.get(key, 0) + seen.events
    return found


def test_people_who_were_seen_at_ai_are_there_with_use_and_bytes(bench: Bench) -> None:
    text = HEAD + "".join(
        (
            line(bench, "chatgpt.com", out=1_000),
            line(bench, "ws.chatgpt.com", out=500, ago=2),
            line(bench, "claude.ai", "CORP\\ben"),
            line(bench, "claude.ai", "10.1.2.3"),
            line(bench, "gptwriter.ai", "ben@x.example", out=7),
            line(bench, "www.some-shop.com"),
            line(bench, "d1.cloudfront.net"),
            "garbage\n",
        )
    )
    record = hand_in(bench, text)
    assert (record.state, record.format, record.error) == ("done", "log-csv", None)
    assert (record.counts.rows, record.counts.bad_rows, record.bad[0].line) == (7, 1, 9)
    assert (record.counts.people, record.counts.apps, record.counts.grants) == (3, 2, 3)
    assert record.visits == VisitCounts(kept=4, candidate=1, shared=1, elsewhere=1, unnamed=1)
    (found,) = record.candidates
    assert (found.domain, found.events, found.people, found.bytes_out) == ("gptwriter.ai", 1, 1, 7)
    assert found.reasons
    connection = web(bench)
    assert (connection.kind, connection.provider, record.connections) == ("import", "web", (connection.id,))
    assert held(bench) == {"ada@x.example": {CHATGPT}, "corp\\ben": {CLAUDE}, UNNAMED: {CLAUDE}}
    kinds = {one.principal.native_id: (one.principal.kind, one.principal.email) for one in
             bench.store.bundles.all(connection.id)}  # fmt: skip
    assert kinds["ada@x.example"] == ("user", "ada@x.example")
    assert (kinds["corp\\ben"], kinds[UNNAMED]) == (("user", None), ("shared", None))
    (grant,) = next(b for b in bench.store.bundles.all(connection.id) if b.principal.email).grants or ()
    assert grant.source == "visit"
    assert set(bench.store.apps.scope_sets({grant.scope_set}).values()) == {frozenset({"web:visit"})}
    assert use(bench)["ada@x.example", CHATGPT] == 2
    rows = {r.name: r for part in bench.store.apps.summary_parts(range(16)).values() for r in part}
    app = rows["ChatGPT"]
    assert (app.kind, app.provider, app.verdict, app.product_id, app.holders) == (
        "web",
        "web",
        "ai",
        "chatgpt",
        1,
    )
    assert app.last_used == bench.clock.now().date() - timedelta(days=1)
    view = bench.store.apps.view(CHATGPT)
    assert view.risk is not None
    assert view.risk.body["seen"] == {"bytes_out": 1_500, "bytes_in": 40}
    assert {one.rule_id for one in bench.findings()} == {"unsanctioned-ai-app", "vendor-trains-on-data"}
    assert bench.store.imports.content(record.id) is None


def test_a_later_log_adds_and_an_earlier_visit_is_neither_lost_nor_idle(bench: Bench) -> None:
    hand_in(bench, HEAD + line(bench, "chatgpt.com", ago=120))
    hand_in(bench, HEAD + line(bench, "claude.ai") + line(bench, "claude.ai", "ben@x.example"))
    assert held(bench) == {"ada@x.example": {CHATGPT, CLAUDE}, "ben@x.example": {CLAUDE}}
    assert not bench.findings("stale-grant"), "a visit gave no access that could lie idle"


def test_the_same_log_again_counts_nothing(bench: Bench) -> None:
    text = HEAD + line(bench, "chatgpt.com") * 3
    first = hand_in(bench, text)
    before, bundles = use(bench), held(bench)
    again = hand_in(bench, text)
    assert (again.state, again.same_as, again.counts.rows) == ("done", first.id, 0)
    assert (use(bench), held(bench)) == (before, bundles)
    assert before["ada@x.example", CHATGPT] == 3
    elsewhere = hand_in(bench, text, source="gateway-2")
    assert (elsewhere.same_as, elsewhere.counts.rows) == (None, 3), "another source is another log"
    assert web(bench, "gateway-2").organisation_id == "import:gateway-2"


@pytest.mark.parametrize(
    "failing", ["use.fold", "app_use.fold", "imports.put", "footprints.rebuild", "cursors.put"]
)
def test_a_message_that_dies_anywhere_is_repeated_without_counting_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    monkeypatch.setattr("lantern.services.imports.logs.PART_LINES", 4)
    text = HEAD + "".join(line(bench, "chatgpt.com", f"p{n}@x.example", out=n) for n in range(10))
    record = accept.take(bench.store, text.encode(), intake(bench))
    bench.drain_outbox()
    (work,) = [one for one in bench.sent if one.kind == "import.read"]
    part, _, name = failing.partition(".")
    store = getattr(bench.store, part)
    real, calls = getattr(store, name), iter(range(1, 100))

    def dying(*args: Any, **more: Any) -> Any:
        result = real(*args, **more)
        if next(calls) in (1, 2):
            raise ConnectionError("the worker is gone")
        return result

    monkeypatch.setattr(store, name, dying)
    for _ in range(8):
        try:
            bench.do(work, "msg-same")
        except ConnectionError:
            continue
        break
    bench.settle()
    done = look(bench, record)
    assert (done.state, done.counts.rows, done.parts) == ("done", 10, 3)
    assert use(bench) == {(f"p{n}@x.example", CHATGPT): 1 for n in range(10)}
    view = bench.store.apps.view(CHATGPT)
    assert view.risk is not None
    assert view.risk.body["seen"]["bytes_out"] == sum(range(10))


def test_a_long_log_is_read_by_several_messages(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lantern.services.imports.logs.PART_LINES", 5)
    real = bench.deadline()
    asked = iter(range(10_000))

    class Short:
        def passed(self) -> bool:
            return next(asked) % 7 == 6

    monkeypatch.setattr(Bench, "deadline", lambda self: Short() if self.messages < 6 else real)
    text = HEAD + "".join(line(bench, "claude.ai", f"p{n}@x.example") for n in range(23))
    record = hand_in(bench, gzip.compress(text.encode()))
    assert (record.state, record.counts.rows, record.parts) == ("done", 23, 5)
    assert bench.messages > 3
    assert use(bench) == {(f"p{n}@x.example", CLAUDE): 1 for n in range(23)}
    assert len(bench.store.footprints.holders(web(bench).id, CLAUDE)) == 23


def test_a_log_that_is_cut_off_says_so_and_keeps_what_was_stored(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = random.Random(1)
    text = HEAD + "".join(
        line(bench, f"claude.ai/{noise.randbytes(9).hex()}", f"p{n % 5}@x.example") for n in range(900)
    )
    cut = gzip.compress(text.encode())[:-3_000]
    record = hand_in(bench, cut)
    assert (record.state, record.error) == (
        "failed",
        "The gzip data ends before its end: the file was cut off.",
    )
    assert (record.counts.rows, held(bench)) == (0, {})
    monkeypatch.setattr("lantern.services.imports.logs.PART_LINES", 100)
    record = hand_in(bench, cut + b"")
    assert record.state == "failed"
    assert record.counts.rows == record.parts * 100 > 0
    assert len(held(bench)) == 5
    assert bench.store.apps.view(CLAUDE).risk is not None, "what was stored is judged"
    whole = hand_in(bench, text)
    assert (whole.state, whole.counts.rows) == ("done", 900)


def test_the_tenants_own_catalog_makes_a_candidate_an_app(bench: Bench) -> None:
    text = HEAD + line(bench, "gptwriter.ai")
    assert hand_in(bench, text).candidates
    entry = ProductEntry(name="GPT Writer", category="ai_writing", kind="ai", domains=("gptwriter.ai",))
    listing = listing_of("gpt-writer", entry)
    own = OverlayEntry("gpt-writer", listing, None, "", "key:k", bench.clock.now())
    bench.store.transact(bench.clock.now()).put(bench.store.catalog.op(TenantCatalog((own,)))).commit()
    record = hand_in(bench, text + line(bench, "gptwriter.ai", "ben@x.example"))
    assert (record.candidates, record.counts.apps) == ((), 1)
    assert held(bench)["ben@x.example"] == {ids.app_id("web", "gpt-writer")}


def test_a_feed_is_kept_apart_by_its_source(bench: Bench) -> None:
    text = "user,app,client_id,scopes\nada@x.example,ChatGPT,c1,openid\n"
    for source in ("cmdb", "hr", "cmdb"):
        record = hand_in(bench, text, kind="inventory", source=source)
        assert (record.state, record.kind, record.source) == ("done", "inventory", source)
    assert record.counts.bundles_written == 0, "the same feed again writes nothing"
    cmdb, hr = (bench.store.connections.get(connection_id(TENANT, "google", one)) for one in ("cmdb", "hr"))
    assert cmdb.id != hr.id
    hand_in(bench, text.replace("c1", "c2"), kind="inventory", source="hr")
    kept = {
        one.id: {g.app_id for b in bench.store.bundles.all(one.id) for g in b.grants} for one in (cmdb, hr)
    }
    assert kept == {cmdb.id: {ids.app_id("google", "c1")}, hr.id: {ids.app_id("google", "c2")}}
    for wrong in ("A B", "-x", "x" * 65, "a/b", "..\n"):
        with pytest.raises(InvalidInputError, match="source"):
            hand_in(bench, text, kind="inventory", source=wrong)


# --- by way of the bucket -----------------------------------------------------------------------------


def s3() -> Any:
    session = Session()
    session.set_credentials("KEY", "secret")
    config = Config(signature_version="s3v4", request_checksum_calculation="when_required")
    return session.create_client("s3", region_name="us-east-1", config=config)


@pytest.fixture
def drops(bench: Bench) -> Iterator[DropBox]:
    with mock_aws():
        s3().create_bucket(Bucket="drops")
        bench.drops = DropBox(s3(), "drops", TENANT)
        yield bench.drops


def opened(bench: Bench, drops: DropBox, content: bytes, **more: Any) -> tuple[ImportRecord, Any]:
    given = intake(bench, **{"media_type": "application/gzip", **more})
    digest = hashlib.sha256(content).hexdigest()
    return accept.open_upload(bench.store, drops, given, size=len(content), sha256=digest)


def test_a_file_in_the_bucket_is_read_and_removed(bench: Bench, drops: DropBox) -> None:
    content = gzip.compress((HEAD + line(bench, "chatgpt.com")).encode())
    record, upload = opened(bench, drops, content)
    assert (record.state, record.dropped) == ("uploading", True)
    bench.settle()
    message = Work(TENANT, "import.read", body={"import_id": record.id})
    bench.do(message)
    assert look(bench, record).state == "uploading", "nothing has come yet"
    sent = requests.put(upload.url, data=content, headers=dict(upload.headers), timeout=5)
    assert sent.status_code == 200
    bench.do(message)
    bench.do(message)
    bench.settle()
    done = look(bench, record)
    assert (done.state, done.format, done.counts.rows) == ("done", "log-csv", 1)
    assert drops.chunks(record.id) is None
    assert held(bench) == {"ada@x.example": {CHATGPT}}


def test_an_export_may_come_by_the_bucket_too(bench: Bench, drops: DropBox) -> None:
    content = b"user,app,client_id\nada@x.example,ChatGPT,c1\n"
    record, _ = opened(bench, drops, content, kind="export", media_type="text/csv")
    s3().put_object(Bucket="drops", Key=f"{TENANT}/{record.id}", Body=content)
    accept.complete(bench.store, record.id, by="key:k", now=bench.clock.now())
    bench.settle()
    assert (look(bench, record).state, look(bench, record).counts.grants) == ("done", 1)
    assert accept.complete(bench.store, record.id, by="key:k", now=bench.clock.now()).state == "done"
    bench.drain_outbox()
    assert not bench.sent, "what is done is not read again"


def test_an_upload_of_nonsense_fails_with_a_reason(bench: Bench, drops: DropBox) -> None:
    record, _ = opened(bench, drops, b"x")
    s3().put_object(Bucket="drops", Key=f"{TENANT}/{record.id}", Body=b"hello\nworld\n")
    accept.complete(bench.store, record.id, by="key:k", now=bench.clock.now())
    bench.settle()
    failed = look(bench, record)
    assert failed.state == "failed"
    assert "Zscaler" in str(failed.error)
    assert drops.chunks(record.id) is None


def test_what_an_address_is_signed_for(bench: Bench, drops: DropBox) -> None:
    content = b"x" * 10
    _, upload = opened(bench, drops, content)
    signed = upload.url.partition("X-Amz-SignedHeaders=")[2].partition("&")[0]
    assert set(signed.split("%3B")) == {"content-length", "content-type", "host", "x-amz-checksum-sha256"}
    assert "X-Amz-Expires=900" in upload.url
    assert f"/{TENANT}/imp_" in upload.url
    for wrong in (
        {"kind": "export", "size": 64 * 1024 * 1024 + 1},
        {"size": 512 * 1024 * 1024 + 1},
        {"size": 0},
    ):
        given = intake(bench, media_type="text/csv", kind=wrong.get("kind", "logs"))
        with pytest.raises(InvalidInputError, match="size"):
            accept.open_upload(bench.store, drops, given, size=wrong["size"], sha256="0" * 64)
    with pytest.raises(InvalidInputError, match="content_type"):
        opened(bench, drops, content, media_type="text/html")
    with pytest.raises(NotFoundError):
        accept.complete(bench.store, "imp_other", by="k", now=bench.clock.now())
    with pytest.raises(ValueError, match="tenant"):
        DropBox(s3(), "drops", "../other")
