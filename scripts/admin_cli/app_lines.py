"""Apps as lines of JSON: what a line may hold, and what is wrong with it in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from lantern.domain.identification import AppFacts, Identification

MAX_LINE: Final = 1_000_000
_ADDRESS_FIELDS: Final = (
    *("domains", "domain", "homepage", "homepage_url", "website", "url"),
    *("redirect_uris", "redirect_uri", "redirect_urls", "reply_urls", "reply_url"),
)
_PROVIDERS: Final[Mapping[str, str]] = {
    **{name: name for name in ("google", "entra", "okta", "slack", "github", "salesforce", "chrome")},
    **dict.fromkeys(("google workspace", "google_workspace", "workspace", "gsuite"), "google"),
    **dict.fromkeys(("microsoft", "azure", "azuread", "azure ad", "entra id", "entra_id", "m365"), "entra"),
}
_KINDS: Final = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


class LineError(Exception):
    """A line that cannot be read; the message begins with the field."""


@dataclass(frozen=True, slots=True)
class Line:
    """One app to identify, and the id to answer with."""

    facts: AppFacts
    id: Any = None


def read_line(raw: bytes) -> Line:
    """Read one line.

    Raises:
        LineError: If it is no JSON object, or a field is not what it should be.
    """
    if len(raw) > MAX_LINE:
        raise LineError(f"line: longer than {MAX_LINE:,} bytes")
    try:
        data = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LineError(f"line: no JSON ({error})") from error
    if not isinstance(data, dict):
        raise LineError(f"line: expected an object, got {_kind(data)}")
    facts = AppFacts(
        provider=_provider(data),
        client_id=_text(data, "client_id") or _text(data, "app_id") or "",
        name=_text(data, "name") or "",
        publisher=_text(data, "publisher") or None,
        domains=tuple(address for field in _ADDRESS_FIELDS for address in _texts(data, field)),
        extension_id=_text(data, "extension_id") or None,
        scopes=frozenset(scope for text in _texts(data, "scopes") for scope in text.split()),
    )
    return Line(facts, data.get("id"))


def answer(line: Line, number: int, found: Identification) -> dict[str, Any]:
    """Return the answer to one line."""
    return {
        **({"id": line.id} if line.id is not None else {}),
        "line": number,
        "verdict": found.verdict,
        "confidence": found.confidence,
        "vendor": found.vendor,
        "product": found.product,
        "category": found.category,
        "evidence": [item.sentence for item in found.evidence],
    }


def _provider(data: Mapping[str, Any]) -> str:
    named = (_text(data, "provider") or "").strip().lower()
    if named and named not in _PROVIDERS:
        raise LineError(f"provider: is none of {', '.join(sorted(set(_PROVIDERS.values())))}")
    return _PROVIDERS.get(named, "")


def _text(data: Mapping[str, Any], field: str) -> str | None:
    value = data.get(field)
    if value is not None and not isinstance(value, str):
        raise LineError(f"{field}: expected text, got {_kind(value)}")
    return value


def _texts(data: Mapping[str, Any], field: str) -> Iterator[str]:
    value = data.get(field)
    for at, one in enumerate(value if isinstance(value, list) else [value]):
        if one is None:
            continue
        if not isinstance(one, str):
            where = f"{field}[{at}]" if isinstance(value, list) else field
            raise LineError(f"{where}: expected text, got {_kind(one)}")
        yield one


def _kind(value: object) -> str:
    return "null" if value is None else _KINDS.get(type(value), type(value).__name__)
