"""Hints that an uncatalogued app is AI: words and spelling of name and domain, weighed as measured."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from lantern.domain.calibration import MAX_CONFIDENCE, Calibration
from lantern.domain.names import key, words

# The catalog cannot teach what AI scopes are worth: 3.5 times as frequent on AI apps, by judgement.
AI_SCOPE_SCORE = 1.25
MAX_PROBABILITY = 0.95
_AI_SCOPE_MARKS = (
    "generative-language",
    "aiplatform",
    "discoveryengine",
    "dialogflow",
    "cloud-language",
    "aienterpriseinteraction",
    "copilot",
    "assistant:write",
)
_GRAMS = (3, 4, 5)
_MAX_LETTERS = 40
_WORTH_SAYING = 0.35


@dataclass(frozen=True, slots=True)
class Signals:
    """The score of an app, and the reasons that speak for AI with the probability each alone would give."""

    score: float
    reasons: tuple[tuple[str, float], ...]


def features(name: str, domain: str | None) -> frozenset[str]:
    """Return what the model sees of a name and a registrable domain; the same in training and in use."""
    return frozenset((*_name_features(name), *(_domain_features(name, domain) if domain else ())))


def weigh(
    name: str,
    publisher: str | None,
    domains: Collection[str],
    scopes: Iterable[str],
    calibration: Calibration,
) -> Signals:
    """Score an app by its weak signals. Of several domains the one that says most counts.

    Args:
        name: The display name.
        publisher: The publisher's name, if known.
        domains: Registrable domains that no catalog entry claims.
        scopes: The provider's scope strings.
        calibration: The weights.
    """
    domain = max(
        sorted(domains), key=lambda one: _sum(_domain_features(name, one), calibration), default=None
    )
    shown = features(name, domain)
    extra = {f"w:{word}" for word in words(publisher)} - shown if publisher else set()
    asks = any(mark in scope.casefold() for scope in scopes for mark in _AI_SCOPE_MARKS)
    score = calibration.intercept + _sum((*shown, *extra), calibration) + AI_SCOPE_SCORE * asks
    reasons = [
        *_reasons(shown, domain, calibration),
        *_publisher_reasons(extra, calibration),
        *([("It asks for permissions of AI services.", AI_SCOPE_SCORE)] if asks else []),
    ]
    alone = calibration.intercept
    return Signals(
        score,
        tuple((said, round(capped(calibration.probability(alone + worth)), 2)) for said, worth in reasons),
    )


def capped(probability: float) -> float:
    """Return a probability no higher than weak signals can be sure of."""
    return min(probability, MAX_PROBABILITY, MAX_CONFIDENCE)


def _name_features(name: str) -> Iterator[str]:
    parts = words(name)
    if not parts:
        return
    yield f"first:{parts[0]}"
    yield f"last:{parts[-1]}"
    yield f"words:{min(len(parts), 4)}"
    yield f"letters:{min(len(key(name)) // 3, 6)}"
    for part in parts:
        yield f"w:{part}"
        yield from _grams(part, "n")


def _domain_features(name: str, domain: str) -> Iterator[str]:
    label, _, ending = domain.partition(".")
    yield "domain"
    yield f"tld:{ending}"
    for part in label.split("-"):
        yield from _grams(part, "d")
    called, plain = key(name), label.replace("-", "")
    if called and plain != called and plain.startswith(called):
        yield f"suffix:{plain[len(called) :]}"
    elif called and plain != called and plain.endswith(called):
        yield f"prefix:{plain[: -len(called)]}"


def _grams(word: str, kind: str) -> Iterator[str]:
    whole = f"^{word[:_MAX_LETTERS]}$"
    for size in _GRAMS:
        for start in range(len(whole) - size + 1):
            yield f"{kind}:{whole[start : start + size]}"


def _sum(shown: Iterable[str], calibration: Calibration) -> float:
    # Sorted, so that the sum is the same to the last bit in every process.
    return sum(calibration.weights.get(one, 0.0) for one in sorted(set(shown)))


def _reasons(
    shown: Collection[str], domain: str | None, calibration: Calibration
) -> Iterator[tuple[str, float]]:
    spoken = [one for one in shown if one.startswith("w:")]
    for one in sorted(spoken, key=lambda one: (-calibration.weights.get(one, 0.0), one))[:2]:
        word = one[2:]
        worth = _sum((one, f"first:{word}", f"last:{word}", f"n:^{word}$"), calibration)
        if worth >= _WORTH_SAYING:
            yield f'The name holds the word "{word}".', worth
    if domain:
        ending = f"tld:{domain.partition('.')[2]}"
        if calibration.weights.get(ending, 0.0) >= _WORTH_SAYING:
            yield f"The domain ends in .{ending[4:]}.", calibration.weights[ending]
    for start, said in (
        (("n:",), "The name is spelled like those of AI products."),
        (("d:", "suffix:", "prefix:"), "The domain is spelled like those of AI products."),
    ):
        worth = _sum((one for one in shown if one.startswith(start)), calibration)
        if worth >= _WORTH_SAYING:
            yield said, worth


def _publisher_reasons(extra: Collection[str], calibration: Calibration) -> Iterator[tuple[str, float]]:
    worth = _sum(extra, calibration)
    if worth >= _WORTH_SAYING:
        yield "The publisher's name has words of AI companies.", worth
