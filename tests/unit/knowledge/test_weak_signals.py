"""Weak signals: what is seen of a name, and how it is weighed."""

import pytest

from lantern.domain.calibration import Calibration, logistic
from lantern.domain.weak_signals import AI_SCOPE_SCORE, features, weigh
from lantern.services.catalog import Catalog

_NUMBERS = Calibration(intercept=-1.0, threshold=0.7, weights={"w:gpt": 3.0, "tld:ai": 2.0, "d:bot": 1.0})


def test_features_tell_name_and_domain_apart() -> None:
    seen = features("Zub GPT", "zubgpt.ai")
    assert {"w:zub", "w:gpt", "last:gpt", "words:2", "tld:ai", "n:^gpt", "d:gpt$", "domain"} <= seen
    assert "suffix:hq" in features("Zub", "zubhq.com")
    assert "prefix:get" in features("Zub", "get-zub.com")
    assert not features("", None)


def test_reasons_are_said_in_words() -> None:
    signals = weigh("Zub GPT", None, ["zub.ai"], [], _NUMBERS)
    assert signals.score == pytest.approx(4.0)
    assert [said for said, _ in signals.reasons] == [
        'The name holds the word "gpt".',
        "The domain ends in .ai.",
    ]
    assert weigh("Zub", None, [], [], _NUMBERS).reasons == ()


def test_of_several_domains_the_telling_one_counts_once() -> None:
    one = weigh("Zub", None, ["zub.ai"], [], _NUMBERS)
    assert one == weigh("Zub", None, ["zub.com", "zub.ai", "zubb.ai"], [], _NUMBERS)


def test_publisher_and_scopes_speak_too_but_not_alone(catalog: Catalog) -> None:
    publisher = weigh("Zub", "GPT Makers", [], [], _NUMBERS)
    scope = weigh("Zub", None, [], ["https://www.googleapis.com/auth/generative-language.tuning"], _NUMBERS)
    assert publisher.reasons[0][0] == "The publisher's name has words of AI companies."
    assert scope.score == pytest.approx(-1.0 + AI_SCOPE_SCORE)
    numbers = catalog.calibration
    alone = weigh("Roster", None, [], ["x/auth/generative-language"], numbers)
    assert numbers.probability(alone.score) < numbers.threshold


def test_shipped_numbers_are_sane(catalog: Catalog) -> None:
    numbers = catalog.calibration
    assert 0.5 <= numbers.threshold < 0.95
    assert 100 < len(numbers.weights) < 5_000
    assert all(0.5 <= sure < 1 for sure in numbers.confidences.values())
    assert numbers.confidence("domain") > numbers.confidence("name:exact:common")
    assert numbers.confidence("never seen") == 0.5
    assert logistic(-1e9) == pytest.approx(0.0)
