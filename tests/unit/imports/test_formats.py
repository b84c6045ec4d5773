"""What a file is, is found out, whatever its encoding, line ends and delimiter; no bytes crash the reader."""

import gzip
import io
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lantern.connectors.imports.formats import UnrecognisedError, formats, read
from lantern.connectors.imports.text import UnreadableError
from lantern.domain.exports.rows import AccountRow, AppRow, BadRow, GrantRow
from tests.unit.imports.samples import GAM, SAMPLES, TOKENS, everything, reading

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_recognised_in_every_encoding(name: str, encoding: str) -> None:
    expected, text = SAMPLES[name]
    plain = everything(text)
    found = reading(text.encode(encoding))
    assert found.format.id == expected
    assert list(found.rows) == plain
    assert plain
    assert not [one for one in plain if isinstance(one, BadRow)]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_recognised_gzipped_with_crlf_and_in_single_bytes(name: str) -> None:
    expected, text = SAMPLES[name]
    for raw in (
        gzip.compress(text.encode()),
        text.replace("\n", "\r\n").encode(),
        text.replace("\n", "\r").encode(),
    ):
        found = read(raw[at : at + 1] for at in range(len(raw)))
        assert found.format.id == expected
        assert list(found.rows) == everything(text)


TABLES = [name for name, (_, text) in SAMPLES.items() if not text.startswith(("{", "["))]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize("name", TABLES)
def test_tables_may_have_other_delimiters_and_other_headers(name: str, delimiter: str) -> None:
    expected, text = SAMPLES[name]
    changed = text.replace(",", delimiter)
    assert reading(changed).format.id == expected
    assert everything(changed) == everything(text)
    head, _, body = changed.partition("\n")
    assert everything(f"{head.upper()}\n{body}") == everything(text)
    assert everything(f"sep={delimiter}\n{changed}") == everything(text)
    assert everything(f"\n  \n{changed}") == everything(text)


def test_formats_have_what_a_message_needs() -> None:
    assert len({one.id for one in formats()}) == len(formats())
    for one in formats():
        assert one.title
        assert one.expects
        assert not one.expects.endswith(".")


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        ("", "empty"),
        ("   \n\n", "empty"),
        ("hello world\n", "'hello world'"),
        ("a,b,c\n1,2,3\n", "'a,b,c'"),
        ("[]", "without a single record"),
        ("{}", "hold nothing"),
        ('{"foo": 1, "bar": [1]}', "bar, foo"),
        ("[1, 2]", "without a single record"),
        (b"\x00\x01\x02\x03", "first line"),
        ("PK\x03\x04", "first line"),
    ],
)
def test_what_is_not_recognised_says_what_was_expected(content: str | bytes, seen: str) -> None:
    with pytest.raises(UnrecognisedError) as caught:
        list(reading(content).rows)
    assert seen in str(caught.value)
    assert caught.value.expected
    assert "Expected one of: " in str(caught.value)


def test_damaged_gzip_is_said_and_what_came_before_was_read() -> None:
    raw = gzip.compress(GAM.encode() * 2000)
    with pytest.raises(UnreadableError, match="cut off"):
        list(read([raw[:-20]]).rows)
    assert isinstance(next(read([raw[:-20]]).rows), GrantRow)
    with pytest.raises(UnreadableError, match="damaged"):
        list(read([raw[:40] + b"\xff" * 40 + raw[80:]]).rows)


def test_gzip_of_many_members_and_a_limit() -> None:
    head, _, body = GAM.partition("\n")
    raw = gzip.compress((head + "\n").encode()) + gzip.compress(body.encode()) + b"\0" * 100
    assert list(read([raw]).rows) == everything(GAM)
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb") as packed:
        packed.write(GAM.encode() + b" " * 20_000_000)
    with pytest.raises(UnreadableError, match=r"longer than 1,000,000 bytes"):
        list(read([bomb.getvalue()], limit=1_000_000).rows)


def _never_crashes(raw: bytes) -> None:
    with suppress(UnreadableError):
        for row in read([raw[: len(raw) // 2], raw[len(raw) // 2 :]]).rows:
            assert isinstance(row, GrantRow | AppRow | AccountRow | BadRow)
            if isinstance(row, BadRow):
                assert row.line >= 1
                assert row.reason


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_crash_the_reader(raw: bytes) -> None:
    _never_crashes(raw)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_no_damaged_sample_crashes_the_reader(name: str, data: st.DataObject) -> None:
    text = SAMPLES[name][1]
    raw = bytearray(text.encode(data.draw(st.sampled_from(("utf-8", "utf-16")))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw)))
        cut = data.draw(st.integers(0, 12))
        raw[at : at + cut] = data.draw(
            st.binary(max_size=8) | st.sampled_from([b'"', b"{", b"}", b"[", b"\n", b",", b"null"])
        )
    _never_crashes(bytes(raw))


NAMES = [
    "clientId", "displayText", "userKey", "scopes", "value", "items", "appId", "appRoles", "id",
    "principalId", "appRoleId", "resourceId", "scope", "consentType", "createdDateTime", "status",
    "scopeId", "profile", "label", "app", "change_type", "app_id", "date", "kind", "approved_apps",
    "verifiedPublisher", "replyUrls", "credentials", "_links", "created", "userPrincipalName",
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(NAMES),
        inner, max_size=6,
    ),
    max_leaves=30,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(JSON)
def test_no_json_of_wrong_types_crashes_the_reader(document: Any) -> None:
    _never_crashes(json.dumps(document).encode())
    _never_crashes(json.dumps([document, TOKENS["items"][0]], indent=1).encode())


ROWS = st.lists(st.lists(st.text(max_size=15), min_size=1, max_size=8), max_size=6)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(TABLES), ROWS)
def test_no_table_crashes_the_reader(name: str, cells: list[list[str]]) -> None:
    head = SAMPLES[name][1].partition("\n")[0]
    text = head + "\n" + "\n".join(",".join(row) for row in cells)
    _never_crashes(text.encode("utf-8", "surrogatepass"))
