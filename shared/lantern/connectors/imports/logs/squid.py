"""Squid: access.log in its native format (`squid`) and as `combined` or `common`.

The formats are those built in (www.squid-cache.org, directive logformat):
`%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt` and
`%>a %[ui %[un [%tl] "%rm %ru HTTP/%rv" %>Hs %<st "%{Referer}>h" "%{User-Agent}>h" %Ss:%Sh`.
Of a tunnel (CONNECT) the address is host:port. `%<st` is what the client got; what it sent is in neither
format. A user name is URL-encoded.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from lantern.connectors.imports.formats import LineFormat, Options, Rows
from lantern.connectors.imports.logs.fields import visit
from lantern.connectors.imports.table import MAX_LINE, Line
from lantern.connectors.imports.values import ValueProblemError
from lantern.domain.exports.rows import BadRow, VisitRow

_NATIVE: Final = re.compile(
    r"\s*(?P<at>\d{9,10})\.\d{3}\s+-?\d+ \S+ (?P<tag>[A-Z_]+)/(?P<status>\d{3}) (?P<got>-?\d+) "
    r"(?P<method>\S+) (?P<url>\S+) (?P<user>\S+) \S+/\S+(?: .*)?$"
)
_HTTPD: Final = re.compile(
    r"\S+ \S+ (?P<user>\S+) \[(?P<at>[^\]]{26})\] \"(?P<method>[A-Z_]+) (?P<url>\S+) [A-Z]+/[\d.]+\" "
    r"(?P<status>\d{3}) (?P<got>-?\d+|-)(?P<rest>.*)$"
)
_SQUID_TAG: Final = re.compile(r"\s(?P<tag>(?:TCP|UDP|NONE)[A-Z_]*):[A-Z_]+$")
_CANNOT: Final = ("What people sent is not in Squid's built-in formats, only what they got.",)


def _visit(line: int, found: re.Match[str], tag: str) -> VisitRow:
    got = found["got"]
    return visit(
        line,
        at=found["at"],
        user=found["user"],
        host=found["url"],
        received=None if got.startswith("-") else got,
        blocked="DENIED" in tag,
    )


def _native(line: int, text: str) -> VisitRow:
    found = _NATIVE.match(text)
    if found is None:
        raise ValueProblemError("this is no line of Squid's native format")
    return _visit(line, found, found["tag"])


def _httpd(line: int, text: str) -> VisitRow:
    found = _HTTPD.match(text)
    if found is None:
        raise ValueProblemError("this is no line of the combined format")
    tag = _SQUID_TAG.search(found["rest"])
    return _visit(line, found, tag["tag"] if tag else "")


def _is_native(lines: Sequence[str]) -> bool:
    return any(map(_NATIVE.match, lines))


def _is_httpd(lines: Sequence[str]) -> bool:
    """A proxy asks for whole addresses or for host:port; a web server's own log has paths."""
    found = [match for match in map(_HTTPD.match, lines) if match]
    return any("://" in match["url"] or match["method"] == "CONNECT" for match in found)


def _reader(one: Callable[[int, str], VisitRow]) -> Callable[[Iterable[Line], Options], Rows]:
    def read(lines: Iterable[Line], _options: Options) -> Rows:
        for line, text in lines:
            if not text.strip():
                continue
            try:
                if len(text) > MAX_LINE:
                    raise ValueProblemError(f"the line is longer than {MAX_LINE:,} characters")
                yield one(line, text)
            except ValueProblemError as problem:
                yield BadRow(line, str(problem))

    return read


FORMATS: Final = (
    LineFormat(
        id="squid-native",
        title="Squid access.log",
        expects="Squid's native format: time, elapsed, client, result/status, size, method, address, user",
        recognises=_is_native,
        read=_reader(_native),
        cannot_say=_CANNOT,
    ),
    LineFormat(
        id="squid-combined",
        title="Squid access.log, combined",
        expects='client, -, user, [time], "METHOD address HTTP/1.1", status, size',
        recognises=_is_httpd,
        read=_reader(_httpd),
        cannot_say=_CANNOT,
    ),
)
