"""JSON text → its records one by one, however large the file: lists, pages, concatenated pages, JSON lines.

A page is an object that holds its records in a list (`{"value": [...]}`, `{"items": [...]}`). What cannot be
read is reported with its line, and reading goes on at the next record.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from lantern.domain.exports.rows import BadRow

MAX_RECORD: Final = 1024 * 1024
"""A record longer than this is no record of any export."""
_MAX_NOTES: Final = 50
_MAX_DEPTH: Final = 4
_COMPACT: Final = 256 * 1024
_AHEAD: Final = 4 * 1024
_EDGE: Final = 12
"""How near to the end of what is in hand a syntax error may be caused by the end itself."""
_SPACE: Final = re.compile(r"[\s\x1e\ufeff]*")
_CONTAINERS: Final = (
    "value", "items", "users", "data", "tokens", "grants", "apps", "logs", "approved_apps",
    "restricted_apps", "members", "result", "results", "servicePrincipals", "oauth2PermissionGrants",
    "appRoleAssignments", "appRoleAssignedTo",
)  # fmt: skip
_KNOWN: Final = frozenset(name.casefold() for name in _CONTAINERS)
_SCALAR: Final = r'(?:"(?:[^"\\]|\\.){0,500}"|[\w.+-]{1,40})'
# An object whose first list is one of records: after any scalars, `"value": [` or `"somebody@…": [`.
_PAGE: Final = re.compile(
    rf'\{{\s*(?:"[^"\\]{{0,80}}"\s*:\s*{_SCALAR}\s*,\s*){{0,12}}'
    rf'"(?:{"|".join(_CONTAINERS)}|[^"\\@]{{1,100}}@[^"\\@]{{1,100}})"\s*:\s*[\[{{]',
    re.IGNORECASE,
)
_RECORD: Final = re.compile(r"(?:\}[\s,\[\]]*|\n\s*|,\s*)\{")
_OVERLAP: Final = 200
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Element:
    """One record: its line, the name of the list it stood in, and the page's own values before that list."""

    line: int
    value: dict[str, Any]
    place: str = ""
    page: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


def looks_like_json(sample: str) -> bool:
    """Whether a text begins like JSON."""
    start = _end_of_space(sample, 0)
    return sample[start : start + 1] in ("{", "[")


def elements(text: Iterable[str]) -> Iterator[Element | BadRow]:
    """Yield every record of a JSON text, in order: one value at the outermost level, or many in a row."""
    window = _Window(text)
    while char := window.peek():
        if char == "[":
            window.at += 1
            yield from _list(window, "", _NOTHING)
        elif char == "{":
            yield from _object(window, "", _NOTHING, 0)
        elif char in ",]}":
            # Left over where a broken record was skipped.
            window.at += 1
        else:
            yield from _skip(window, _BrokenError("expected a JSON object or list here", window.at))


def _object(window: "_Window", place: str, page: Mapping[str, Any], depth: int) -> Iterator[Element | BadRow]:
    """A record, or a page of them."""
    window.ahead(_AHEAD)
    if depth < _MAX_DEPTH and _PAGE.match(window.held, window.at):
        yield from _page(window, depth)
        return
    line = window.line()
    try:
        value = window.value()
    except _BrokenError as error:
        yield from _skip(window, error)
    else:
        yield Element(line, value, place, page)


def _list(window: "_Window", place: str, page: Mapping[str, Any]) -> Iterator[Element | BadRow]:
    """The records of a list whose bracket is read; lists in it are pages that were put together."""
    open_ = 1
    while char := window.peek():
        if char == "{":
            yield from _object(window, place, page, 0)
        elif char in "[]":
            open_ += 1 if char == "[" else -1
            window.at += 1
            if open_ == 0:
                return
        elif char in ",}":
            window.at += 1
        else:
            yield from _no_record(window)
    yield BadRow(window.line(), "the file ends in the middle of a list")


def _page(window: "_Window", depth: int) -> Iterator[Element | BadRow]:
    window.at += 1
    notes: dict[str, Any] = {}
    while char := window.peek():
        if char in "},":
            window.at += 1
            if char == "}":
                return
            continue
        try:
            name = window.name()
            char = window.peek()
            if char == "[" and _is_container(name):
                window.at += 1
                yield from _list(window, name, dict(notes))
            elif char == "{" and _is_container(name):
                yield from _object(window, name, dict(notes), depth + 1)
            else:
                found = window.value()
                if not isinstance(found, dict | list) and len(notes) < _MAX_NOTES:
                    notes[name] = found
        except _BrokenError as error:
            yield from _skip(window, error)
            return
    yield BadRow(window.line(), "the file ends in the middle of an object")


def _no_record(window: "_Window") -> Iterator[BadRow]:
    line = window.line()
    try:
        window.value()
    except _BrokenError as error:
        yield from _skip(window, error)
    else:
        yield BadRow(line, "expected a JSON object here")


def _skip(window: "_Window", error: "_BrokenError") -> Iterator[BadRow]:
    yield BadRow(window.line(), error.reason)
    window.skip(error.at)


class _BrokenError(Exception):
    """What stands here is no JSON; `at` is where in the window that shows."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at


class _Window:
    """The part of a text that is in hand, and a position in it."""

    def __init__(self, text: Iterable[str]) -> None:
        self._source = iter(text)
        self._line = 1
        self._counted = 0
        self._decode = json.JSONDecoder().raw_decode
        self.held = ""
        self.at = 0

    def line(self) -> int:
        """The number of the line at the position."""
        if self.at > self._counted:
            self._line += self.held.count("\n", self._counted, self.at)
            self._counted = self.at
        return self._line

    def ahead(self, length: int) -> None:
        """Have at least `length` characters in hand from the position on, where there are as many."""
        while len(self.held) - self.at < length and self._more():
            pass

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            self.at = _end_of_space(self.held, self.at)
            if self.at < len(self.held):
                return self.held[self.at]
            if not self._more():
                return ""

    def name(self) -> str:
        """Read a member's name and its colon.

        Raises:
            _BrokenError: none stands here.
        """
        start = self.at
        name = self.value() if self.held[start] == '"' else None
        if not isinstance(name, str) or self.peek() != ":":
            raise _BrokenError("not JSON: expected a name and a colon", self.at)
        self.at += 1
        return name

    def value(self) -> Any:
        """Read one value.

        Raises:
            _BrokenError: it is no JSON, or longer than a record may be.
        """
        while True:
            try:
                found, self.at = self._decode(self.held, self.at)
            except json.JSONDecodeError as error:
                cut = error.pos >= len(self.held) - _EDGE or error.msg.startswith("Unterminated string")
                if not cut:
                    raise _BrokenError(f"not JSON: {error.msg}", error.pos) from None
                if len(self.held) - self.at > MAX_RECORD:
                    reason = f"a record is longer than {MAX_RECORD:,} characters"
                    raise _BrokenError(reason, len(self.held)) from None
                if not self._more():
                    raise _BrokenError("the file ends in the middle of a record", self.at) from None
            except RecursionError:
                raise _BrokenError("a record is nested too deeply", self.at) from None
            except ValueError:
                raise _BrokenError("a record holds a number that is too long", self.at) from None
            else:
                return found

    def skip(self, start: int) -> None:
        """Go on to the beginning of the next record, which is after `start`."""
        self.line()
        self.at = max(start, self.at + 1)
        while not (found := _RECORD.search(self.held, self.at)):
            self.at = max(self.at, len(self.held) - _OVERLAP)
            if not self._more():
                self.at = len(self.held)
                return
        self.at = found.end() - 1

    def _more(self) -> bool:
        """Take another piece; False at the end."""
        for piece in self._source:
            if not piece:
                continue
            if self.at > _COMPACT:
                self.line()
                self.held = self.held[self.at :]
                self._counted = self.at = 0
            self.held += piece
            return True
        return False


def _is_container(name: str) -> bool:
    return "@" in name or name.casefold() in _KNOWN


def _end_of_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
