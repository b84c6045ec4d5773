"""Logs of the web: each vendor's is recognised, and hostile lines cost themselves and nothing else."""

import gzip
import json
from datetime import date

import pytest

from lantern.connectors.imports.formats import UnrecognisedError, formats, read
from lantern.connectors.imports.logs import fields
from lantern.connectors.imports.text import UnreadableError
from lantern.connectors.imports.values import ValueProblemError
from lantern.domain.exports.rows import BadRow, GrantRow, VisitRow
from tests.unit.imports.log_samples import (
    CLOUDFLARE_DNS,
    LOGS,
    NETSKOPE,
    PLAIN,
    SQUID,
    UMBRELLA_DNS,
    UMBRELLA_WEB,
    ZSCALER,
    ZSCALER_EVENT,
)
from tests.unit.imports.samples import SAMPLES

DAY = date(2026, 1, 5)


def rows(text: str | bytes) -> list[VisitRow | BadRow]:
    raw = text if isinstance(text, bytes) else text.encode()
    found = list(read([raw], subject="visits").rows)
    assert all(isinstance(one, VisitRow | BadRow) for one in found)
    return found  # type: ignore[return-value]


def bad(text: str | bytes) -> list[tuple[int, str]]:
    return [(one.line, one.reason) for one in rows(text) if isinstance(one, BadRow)]


@pytest.mark.parametrize("name", LOGS)
def test_every_vendor_is_recognised_and_tells_who_went_where(name: str) -> None:
    expected, text, sizes = LOGS[name]
    for raw in (text.encode(), gzip.compress(text.replace("\n", "\r\n").encode()), text.encode("utf-16")):
        found = read(raw[at : at + 997] for at in range(0, len(raw), 997))
        assert (found.format.id, found.format.subject) == (expected, "visits")
        (ada,) = [one for one in found.rows if isinstance(one, VisitRow) and one.host == "chatgpt.com"]
        assert ada[1:] == (DAY, "ada@x.example", "chatgpt.com", *sizes, False)
    assert not bad(text)


def test_a_log_is_no_list_of_access_and_the_other_way_round() -> None:
    assert all(
        one.subject == "access" for one in formats() if one.id in {form for form, _ in SAMPLES.values()}
    )
    for _, text in SAMPLES.values():
        with pytest.raises(UnrecognisedError, match=r"^This is .*\. Expected one of: .*Zscaler"):
            read([text.encode()], subject="visits")
    for _, text, _ in LOGS.values():
        with pytest.raises(UnrecognisedError, match=r"^This is .*\. Expected one of: .*inventory"):
            read([text.encode()], subject="access")


def test_what_a_gateway_refused_is_no_visit() -> None:
    for text, host in ((ZSCALER, "claude.ai"), (UMBRELLA_DNS, "claude.ai"), (SQUID, "claude.ai")):
        (one,) = [row for row in rows(text) if isinstance(row, VisitRow) and row.host == host]
        assert one.blocked
    event = {"sourcetype": "zscalernss-web", "event": {**ZSCALER_EVENT, "action": "Blocked"}}
    denied = {**CLOUDFLARE_DNS, "ResolverDecision": "blockedByCategory"}
    for record in (event, denied, {**NETSKOPE, "action": "block"}):
        (one,) = rows(json.dumps(record))
        assert isinstance(one, VisitRow)
        assert one.blocked


@pytest.mark.parametrize(
    ("written", "user"),
    [
        ("ada@x.example", "ada@x.example"),
        ("ADA@X.Example", "ada@x.example"),
        ("Lovelace, Ada (ada@x.example)", "ada@x.example"),
        ("CORP\\ada", "CORP\\ada"),
        ("CORP%5Cada", "CORP\\ada"),
        ("ada", "ada"),
        ("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
        ("ada\r\nSet-Cookie: x", "ada Set-Cookie: x"),
        ("-", None),
        ("N/A", None),
        ("10.0.0.1", None),
        ("2001:db8::1", None),
        ("", None),
    ],
)
def test_a_user_is_an_address_a_name_or_nobody(written: str, user: str | None) -> None:
    assert fields.user_of(written) == user


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("ChatGPT.com", "chatgpt.com"),
        ("chatgpt.com.", "chatgpt.com"),
        ("https://user:secret@chatgpt.com:8443/c/1?q=claude.ai", "chatgpt.com"),
        ("chatgpt.com:443", "chatgpt.com"),
        ("chatgpt.com/c/1", "chatgpt.com"),
        ("//chatgpt.com/x", "chatgpt.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("https://[2001:db8::1]:443/x", "2001:db8::1"),
        ("2001:0db8:0:0::1", "2001:db8::1"),
        ("192.0.2.7:80", "192.0.2.7"),
        ("intranet", "intranet"),
    ],
)
def test_a_host_is_read_out_of_what_is_written(written: str, host: str) -> None:
    assert fields.host_of(written) == host


@pytest.mark.parametrize(
    "written",
    ["", "/only/a/path", "a" * 300, "a..b", "-a.example", "exa mple", "[::gg]", "http://", "*.x", "=1+1"],
)
def test_what_cannot_be_a_host_is_named(written: str) -> None:
    with pytest.raises(ValueProblemError, match="host"):
        fields.host_of(written)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        (1767627551, DAY),
        ("1767627551.123", DAY),
        (1767627551000, DAY),
        ("1767627551000000000", DAY),
        ("2026-01-05 23:59:59", DAY),
        ("2026-01-05T23:59:59.123456Z", DAY),
        ("2026-01-06T00:30:00+01:00", DAY),
        ("2026-01-05T23:30:00-01:00", date(2026, 1, 6)),
        ("Mon Jan  5 15:29:11 2026", DAY),
        ("06/Jan/2026:00:30:00 +0100", DAY),
    ],
)
def test_a_time_is_a_day_of_utc(written: str | int, day: date) -> None:
    assert fields.utc_day(written) == day


@pytest.mark.parametrize(
    "written",
    [
        "", "yesterday", "2026-13-05 10:00:00", "05/Foo/2026:00:30:00 +0100", None, True,
        "99999999999999999999", "1999-01-05 10:00:00", "Mon Foo  5 15:29:11 2026",
    ],
)  # fmt: skip
def test_what_is_no_time_is_named(written: object) -> None:
    with pytest.raises(ValueProblemError, match="time"):
        fields.utc_day(written)


def test_sizes_are_whole_numbers_or_not_told() -> None:
    assert [fields.size(one) for one in ("7", 7, "-", "", None, "0")] == [7, 7, None, None, None, 0]
    for wrong in ("-7", "1e9", "=1", True, "9" * 16, 1 << 51, 1.5, "٣"):
        with pytest.raises(ValueProblemError, match="bytes"):
            fields.size(wrong)


def test_bad_lines_are_named_and_the_rest_is_read() -> None:
    long = "x" * 10_000
    text = (
        "time,user,host,bytes_out\n"
        "2026-01-05T10:00:00Z,ada,chatgpt.com,1\n"
        "not a time,ada,chatgpt.com,1\n"
        f"2026-01-05T10:00:00Z,{long},chatgpt.com,1\n"
        f"2026-01-05T10:00:00Z,ada,{long},1\n"
        "2026-01-05T10:00:00Z,ada,,1\n"
        "2026-01-05T10:00:00Z,ada,chatgpt.com,=1+1\n"
        "2026-01-05T10:00:00Z,ada,chatgpt.com,1,2,3\n"
        '2026-01-05T10:00:00Z,"ada\r\nlovelace",chatgpt.com,1\n'
        '2026-01-05T10:00:00Z,"never closed,chatgpt.com,1\n'
        "2026-01-05T10:00:00Z,=HYPERLINK(),claude.ai,1\n"
    )
    found = rows(text)
    assert [line for line, _ in bad(text)] == [3, 4, 5, 6, 7, 8, 11]
    assert [one.user for one in found if isinstance(one, VisitRow)] == ["ada", "ada lovelace", "=HYPERLINK()"]
    assert all(len(reason) < 200 for _, reason in bad(text))


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (ZSCALER + '"Mon Jan  5 15:29:11 2026","ada"\n', 3, "2 values"),
        (UMBRELLA_DNS + '"2026-01-05 10:00:00","ada"\n', 3, "2 values"),
        (UMBRELLA_WEB + '"2026-01-05 10:00:00","ada"\n', 2, "2 values"),
        (SQUID + "garbage\n", 3, "native"),
        (LOGS["squid combined"][1] + "garbage\n", 2, "combined"),
        (LOGS["cloudflare dns"][1] + '{"Datetime": 1767626951}\n', 2, "QueryName"),
        (LOGS["cloudflare http"][1] + '{"Datetime": "x", "HTTPHost": "a.b"}\n', 2, "no time"),
        (LOGS["netskope lines"][1] + '{"timestamp": 1767626951, "user": {"a": 1}}\n', 2, "url"),
        (LOGS["zscaler json"][1] + '{"sourcetype": "zscalernss-web", "event": []}\n', 2, "host"),
    ],
)
def test_each_vendors_broken_lines_are_named(text: str, line: int, says: str) -> None:
    ((at, reason),) = bad(text)
    assert at == line
    assert says in reason


def test_networks_and_computers_are_nobody() -> None:
    (_, network) = rows(UMBRELLA_DNS)
    assert isinstance(network, VisitRow)
    assert network.user is None
    (hidden,) = rows(
        '"Mon Jan  5 15:29:11 2026","4094304256","HTTPS","claude.ai/","Allowed","C","AI","72","0","0"\n'
    )
    assert isinstance(hidden, VisitRow)
    assert hidden.user is None
    (service,) = rows(json.dumps({**CLOUDFLARE_DNS, "Email": "non_identity@team.cloudflareaccess.com"}))
    assert isinstance(service, VisitRow)
    assert service.user is None


def test_a_bomb_and_a_cut_file_are_told() -> None:
    bomb = gzip.compress(PLAIN.encode() + b"2026-01-05T10:00:00Z,ada,chatgpt.com,1,1\n" * 200_000)
    assert len(bomb) < 100_000
    with pytest.raises(UnreadableError, match="longer than 1,000,000"):
        list(read([bomb], limit=1_000_000).rows)
    with pytest.raises(UnreadableError, match="cut off"):
        list(read([bomb[:-1_000]]).rows)
    with pytest.raises(UnreadableError, match="longer than"):
        read([gzip.compress(b"x" * 3_000_000)], limit=1_000_000)


def test_an_inventory_may_be_json() -> None:
    records = [
        {
            "user": "ada@x.example",
            "app": "ChatGPT",
            "scopes": ["a", "b"],
            "granted_at": "2026-01-02",
            "admin": True,
        },
        {"user": "", "app": "ChatGPT"},
        {"user": "ben@x.example", "client_id": 7, "lastUsed": "never", "unknown": {"a": 1}},
    ]
    for text in (json.dumps(records), "".join(json.dumps(one) + "\n" for one in records)):
        found = read([text.encode()], subject="access")
        assert found.format.id == "inventory-json"
        grants = list(found.rows)
        ada, account, wrong, ben = grants
        assert isinstance(ada, GrantRow)
        assert (ada.account, ada.app_name, ada.granted_on) == ("ada@x.example", "ChatGPT", date(2026, 1, 2))
        assert {one.scope for one in ada.permissions or ()} == {"a", "b"}
        assert getattr(account, "admin", None) is True
        assert isinstance(wrong, BadRow)
        assert isinstance(ben, GrantRow)
        assert (ben.client_id, ben.permissions) == ("7", None)
