"""Single values as exports write them: dates, yes and no, lists of permissions, addresses."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final

from lantern.domain.exports.rows import Permission
from lantern.domain.scopes import Kind

MAX_TEXT: Final = 1_000
_MAX_SCOPES: Final = 2_000
_MAX_DOMAINS: Final = 20
_BETWEEN: Final = re.compile(r"[\s,;|]+")
_YES: Final = frozenset({"true", "yes", "y", "1", "x", "t", "enabled", "on"})
_NO: Final = frozenset({"false", "no", "n", "0", "f", "disabled", "off", "-"})
_NEVER: Final = frozenset({"", "never", "never logged in", "none", "null", "n/a", "na", "-", "unknown"})
_EPOCH: Final = re.compile(r"\d{9,11}(?:\.\d+)?|\d{12,14}")
_YEARS: Final = range(1990, 2200)
_ISO: Final = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:$|[T\s])")
_DAY_FIRST: Final = re.compile(r"(\d{1,2})([./-])(\d{1,2})[./-](\d{4})(?:$|[T\s,])")


class ValueProblemError(Exception):
    """A value that is not what its column holds; the message completes "line 7: …"."""


def text(value: Any) -> str | None:
    """A text that is not empty, cut; None for anything else."""
    if not isinstance(value, str):
        return None
    return value.strip()[:MAX_TEXT] or None


def identifier(value: Any) -> str | None:
    """An id, which some exports write as a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)[:MAX_TEXT]
    return text(value)


def truth(value: Any) -> bool | None:
    """Yes, no, or not known."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().casefold() if isinstance(value, str | int) else ""
    return True if word in _YES else False if word in _NO else None


@lru_cache(maxsize=4096)
def day(value: str | int | float | None) -> date | None:
    """A day, from ISO 8601, `2026/03/01`, `31.03.2026`, or seconds since 1970; None where none is given.

    Raises:
        ValueProblemError: it is no date, or one that could be read in two ways.
    """
    written = str(value if value is not None else "").strip()
    if written.casefold() in _NEVER:
        return None
    try:
        found = _read_day(written)
    except (ValueError, OverflowError, OSError):
        found = None
    if found is None or found.year not in _YEARS:
        raise ValueProblemError(f"{written[:40]!r} is no date; write 2026-03-31")
    return found


def _read_day(written: str) -> date | None:
    if _EPOCH.fullmatch(written):
        seconds = float(written)
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC).date()
    if found := _ISO.match(written):
        return date(int(found[1]), int(found[2]), int(found[3]))
    if found := _DAY_FIRST.match(written):
        return _ambiguous(int(found[1]), int(found[3]), int(found[4]), dotted=found[2] == ".")
    return None


def _ambiguous(first: int, second: int, year: int, *, dotted: bool) -> date:
    """`31.03.2026` has the day first; with slashes only a number above 12 tells."""
    if dotted or first > 12:
        return date(year, second, first)
    if second > 12 or first == second:
        return date(year, first, second)
    raise ValueProblemError(f"{first}/{second}/{year} can be read in two ways; write the year first")


def words(value: Any) -> tuple[str, ...]:
    """Permissions written one after the other, or as a list."""
    parts: Iterable[Any] = value if isinstance(value, list | tuple) else [value]
    found = [word for part in parts if isinstance(part, str) for word in _BETWEEN.split(part) if word]
    return tuple(dict.fromkeys(found[:_MAX_SCOPES]))


def permissions(value: Any, kind: Kind | None = None, *, tenant_wide: bool = False) -> frozenset[Permission]:
    """Permissions of one grant; equal sets are one object while they are common."""
    given = tuple(value) if isinstance(value, list) else value
    try:
        return _permissions(given, kind, tenant_wide)
    except TypeError:
        # A list in the list: whatever that is, its texts are all that could be meant.
        return _permissions(words(value), kind, tenant_wide)


@lru_cache(maxsize=4096)
def _permissions(value: Any, kind: Kind | None, tenant_wide: bool) -> frozenset[Permission]:  # noqa: FBT001 (a cache key)
    return frozenset(Permission(word[:MAX_TEXT], kind, tenant_wide) for word in words(value))


def addresses(*values: Any) -> tuple[str, ...]:
    """Addresses of homepages and redirects that say something about who an app is."""
    found: list[str] = []
    for value in values:
        for one in value if isinstance(value, list) else [value]:
            address = text(one)
            if address and not address.startswith(("http://localhost", "http://127.", "ms-app")):
                found += _BETWEEN.split(address)[:_MAX_DOMAINS]
    return tuple(dict.fromkeys(one for one in found if one))[:_MAX_DOMAINS]
