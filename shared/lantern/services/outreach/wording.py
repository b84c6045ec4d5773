"""The catalog of texts of a language: all that templates and services say to people of their own."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent / "templates"
_DEFAULT: Final = "en"


@functools.cache
def texts(language: str) -> Mapping[str, Any]:
    """The catalog of texts of a language; English where there is none of it."""
    known = {path.stem for path in HERE.glob("??.json")}
    chosen = language if language in known else _DEFAULT
    found: Mapping[str, Any] = json.loads((HERE / f"{chosen}.json").read_text())
    return found


def remedy(detail: str, language: str) -> str:
    """What to do about a channel that answers so, in words; empty where it says nothing.

    Args:
        detail: the short word of an attempt.
        language: of the words.
    """
    known: Mapping[str, str] = texts(language)["alerts"]["broken"]["remedies"]
    return known.get(detail, known["other"]) if detail else ""
