"""Evidence for print: one self-contained page, everything escaped, no script, nothing loaded."""

import base64
import functools
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import jinja2

from lantern.services.evidence.collect import Evidence
from lantern.services.pages import inert

_HERE: Final = Path(__file__).parent
_WIDTH: Final = 420
WORDS: Final = {"manual": "by an administrator", "applied": "done", "already_gone": "was gone"}
"""Outcomes in words where their own are not clear to a reader."""
GOOD: Final = frozenset({"verified", "already_gone", "applied", "approved", "done", "keep"})
BAD: Final = frozenset({"failed", "still_there"})


@functools.cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["inert"] = inert
    return made


@functools.cache
def headers() -> Mapping[str, str]:
    """Headers of the page: its style is named by its digest, all else is forbidden."""
    style = _environment().get_template("evidence.css").render()
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
    }


def render(evidence: Evidence) -> str:
    """The page of a bundle."""
    largest = max((count for _, count in evidence.outcomes), default=1)
    bars = [
        {
            "word": WORDS.get(word, word),
            "count": count,
            "width": max(2, round(_WIDTH * count / largest)),
            "tone": _tone(word),
        }
        for word, count in evidence.outcomes
    ]
    return (
        _environment()
        .get_template("evidence.html")
        .render(
            e=evidence, bars=bars, tone=_tone, headline=headline(evidence.outcomes), span=span, words=WORDS
        )
    )


def headline(outcomes: Iterable[tuple[str, int]]) -> str:
    """What came of all targets, in one sentence; empty where there is none."""
    counts = dict(outcomes)
    total = sum(counts.values())
    said = [
        (
            counts.pop("verified", 0) + counts.pop("already_gone", 0),
            "verified by reading again at the provider",
        ),
        (counts.pop("applied", 0), "done, where nothing can be read again"),
        (counts.pop("manual", 0), "left to an administrator, with the steps below"),
        (counts.pop("failed", 0), "failed"),
        (sum(counts.values()), "not acted on, or not yet"),
    ]
    parts = [f"{count} {words}" for count, words in said if count]
    return f"Of {total} {'target' if total == 1 else 'targets'}: {'; '.join(parts)}." if parts else ""


def span(seconds: int) -> str:
    """A span of time as people say it: whole minutes or hours where it is some."""
    for size, word in ((3_600, "hour"), (60, "minute")):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {word}{'' if seconds == size else 's'}"
    return f"{seconds} seconds"


def _tone(word: str) -> str:
    return "good" if word in GOOD else "bad" if word in BAD else "open"
