"""Hints that an uncatalogued app is AI, combined as likelihood ratios over a prior."""

import math
from collections.abc import Iterable

from lantern.domain.names import words

AI_THRESHOLD = 0.6
MAX_PROBABILITY = 0.9

# The share of AI tools among uncatalogued apps of an ordinary organisation.
PRIOR = 0.15

# How many times more often each hint is seen on AI apps than on others.
_WORD_RATIOS: dict[str, float] = {
    word: ratio
    for ratio, words_of_it in (
        (25.0, "gpt llm chatgpt chatbot genai openai copilot rag mcp"),
        (16.0, "ai"),
        (8.0, "llama mistral deepseek neural prompt agentic"),
        (7.0, "notetaker transcription transcribe summarizer summariser humanizer"),
        (5.0, "claude gemini ml"),
        (3.0, "agent agents assistant intelligence voice deepfake avatar"),
    )
    for word in words_of_it.split()
}
_MAX_WORDS = 2
_AI_TLD_RATIO = 8.5
_AI_SCOPE_RATIO = 3.5
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


def weigh(
    name: str, publisher: str | None, hosts: Iterable[str], scopes: Iterable[str]
) -> tuple[float, tuple[tuple[str, float], ...]]:
    """Return the probability that the app is AI, and the reasons with the probability each alone would give.

    Args:
        name: The display name.
        publisher: The publisher's name, if known.
        hosts: Host names of the app.
        scopes: The provider's scope strings.
    """
    reasons: list[tuple[str, float]] = []
    found = sorted(set(words(name)) & _WORD_RATIOS.keys(), key=lambda word: (-_WORD_RATIOS[word], word))
    reasons += [(f'The name holds the word "{word}".', _WORD_RATIOS[word]) for word in found[:_MAX_WORDS]]
    if publisher and not found and set(words(publisher)) & {"ai", "gpt", "llm"}:
        reasons.append(("The publisher's name says AI.", _WORD_RATIOS["ai"]))
    if any(host.endswith(".ai") for host in hosts):
        reasons.append(("The domain ends in .ai.", _AI_TLD_RATIO))
    if any(mark in scope.casefold() for scope in scopes for mark in _AI_SCOPE_MARKS):
        reasons.append(("It asks for permissions of AI services.", _AI_SCOPE_RATIO))
    odds = math.prod(ratio for _, ratio in reasons) * PRIOR / (1 - PRIOR)
    probability = min(MAX_PROBABILITY, odds / (1 + odds)) if reasons else 0.0
    return probability, tuple((sentence, round(_alone(ratio), 2)) for sentence, ratio in reasons)


def _alone(ratio: float) -> float:
    odds = ratio * PRIOR / (1 - PRIOR)
    return odds / (1 + odds)
