"""Single values as logs of the web write them: times, hosts, users, sizes, verdicts.

Times become days of UTC. A line's values are asked for millions of times, so what repeats is remembered.
"""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import unquote

from lantern.connectors.imports.values import ValueProblemError
from lantern.domain.exports.rows import VisitRow

MAX_USER: Final = 320
"""Characters of a user; an e-mail address has at most 254."""
MAX_HOST: Final = 253
_MAX_BYTES: Final = 1 << 50
_EPOCH: Final = re.compile(r"(\d{9,10})(?:\.\d+)?|(\d{13}|\d{16}|\d{19})")
_ISO: Final = re.compile(r"(\d{4}-\d\d-\d\d)[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?\s*(Z|UTC|[+-]\d\d:?\d\d)?$")
_CTIME: Final = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) {1,2}(\d{1,2}) \d\d:\d\d:\d\d (\d{4})$")
_CLF: Final = re.compile(r"\[?(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})\]?$")
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}
_YEARS: Final = range(2000, 2170)
_URL: Final = re.compile(r"(?:[a-zA-Z][a-zA-Z0-9+.-]*:)?//([^/?#\s]*)|([^/?#\s]*)")
_LABELS: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_ADDRESS: Final = re.compile(r"[^\s()<>,;:\"'\\/@]{1,64}@[^\s()<>,;:\"'\\/@]{1,190}\.[A-Za-z]{2,24}")
_NOBODY: Final = frozenset(
    {"-", "--", "n/a", "na", "none", "null", "unknown", "anonymous", "unauthenticated", "guest", "nobody",
     "unauthenticated-user", "undefined"}
)  # fmt: skip
_REFUSED: Final = ("block", "den", "drop", "reject", "quarantin")


def utc_day(value: Any) -> date:
    """The day (UTC) of a time; one without a zone is taken as UTC.

    Read are seconds, milli-, micro- and nanoseconds since 1970, ISO 8601, and what C and web servers write.

    Raises:
        ValueProblemError: it is no time.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueProblemError("the time is empty")
    text = value.strip() if isinstance(value, str) else str(value)
    try:
        found = _day(text)
    except (ValueError, OverflowError):
        found = None
    if found is None or found.year not in _YEARS:
        raise ValueProblemError(f"{text[:40]!r} is no time" if text else "the time is empty")
    return found


def _day(text: str) -> date | None:
    if match := _EPOCH.fullmatch(text):
        return _of_epoch(int(match[1] or match[2][:10]) // 86_400)
    if match := _ISO.match(text):
        return date.fromisoformat(match[1]) if match[2] in (None, "Z", "UTC") else _zoned(text)
    if match := _CTIME.match(text):
        return date(int(match[3]), _MONTHS.get(match[1], 0), int(match[2]))
    if match := _CLF.match(text):
        month = _MONTHS.get(match[2], 0)
        return _zoned(f"{match[3]}-{month:02d}-{match[1]}T{match[4]}{match[5]}")
    return None


@lru_cache(maxsize=1024)
def _of_epoch(days: int) -> date:
    return date(1970, 1, 1) + timedelta(days=days)


@lru_cache(maxsize=4096)
def _zoned(text: str) -> date:
    return datetime.fromisoformat(text.replace(" +", "+").replace(" -", "-")).astimezone(UTC).date()


@lru_cache(maxsize=4_096)
def host_of(value: str) -> str:
    """The host of an address or a bare host: lower case, ASCII, without port; an IP address as it is.

    Raises:
        ValueProblemError: there is none, or it cannot be one.
    """
    text = value.strip()
    match = _URL.match(text)
    place = (match[1] if match[1] is not None else match[2]) if match else ""
    if match and text[match.end() : match.end() + 1].isspace():
        raise ValueProblemError(f"{text[:40]!r} is no host")
    place = place.rpartition("@")[2]
    if place.startswith("[") or place.count(":") > 1:
        return _literal(place)
    host = place.partition(":")[0].rstrip(".").lower()
    if not host:
        raise ValueProblemError("the host is empty")
    if not host.isascii():
        host = _punycode(host)
    if len(host) > MAX_HOST or not _LABELS.fullmatch(host):
        raise ValueProblemError(f"{host[:40]!r} is no host")
    return host


def _literal(place: str) -> str:
    inner = place[1:].partition("]")[0] if place.startswith("[") else place
    try:
        return ip_address(inner.partition("%")[0]).compressed
    except ValueError:
        raise ValueProblemError(f"{place[:40]!r} is no host") from None


def _punycode(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise ValueProblemError(f"{host[:40]!r} is no host") from None


@lru_cache(maxsize=4_096)
def user_of(value: str) -> str | None:
    """The user of a line: the e-mail address in it where there is one, else the name; None for nobody.

    Addresses of machines and the words that gateways put in for nobody are nobody.

    Raises:
        ValueProblemError: it is too long to be a user.
    """
    if len(value) > MAX_USER:
        raise ValueProblemError(f"the user is longer than {MAX_USER} characters")
    text = unquote(value) if "%" in value else value
    text = " ".join("".join(" " if ord(char) < 32 or ord(char) == 127 else char for char in text).split())
    if text.casefold() in _NOBODY or not text:
        return None
    if match := _ADDRESS.search(text):
        return match[0].casefold()
    return None if is_address(text) else text


def address_in(*values: str) -> str | None:
    """The first e-mail address that is written in one of these values."""
    for value in values:
        if "@" in value and (match := _ADDRESS.search(value[: MAX_USER * 8])):
            return match[0].casefold()
    return None


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def size(value: Any) -> int | None:
    """A number of bytes; None where none is told.

    Raises:
        ValueProblemError: it is something else.
    """
    if value is None or value in ("", "-", "N/A", "NA"):
        return None
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else "?"
    if not text.isascii() or not text.isdigit() or len(text) > 15 or int(text) > _MAX_BYTES:
        raise ValueProblemError(f"{text[:40]!r} is no number of bytes")
    return int(text)


def refused(verdict: str) -> bool:
    """Whether a gateway's verdict says that nobody arrived."""
    return verdict.strip().casefold().startswith(_REFUSED)


def visit(
    line: int,
    *,
    at: Any,
    user: str | None,
    host: str,
    sent: Any = None,
    received: Any = None,
    blocked: bool = False,
) -> VisitRow:
    """One line's visit from its raw values.

    Raises:
        ValueProblemError: one of them cannot be read.
    """
    return VisitRow(
        line, utc_day(at), user_of(user) if user else None, host_of(host), size(sent), size(received), blocked
    )
