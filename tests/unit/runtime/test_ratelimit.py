from collections import Counter
from datetime import UTC, datetime

import pytest

from lantern.runtime.problems import ProblemError
from lantern.runtime.ratelimit import spend

START = datetime(2026, 1, 1, 12, 0, 15, tzinfo=UTC)


def test_a_window_is_counted_down_then_refused_then_fresh() -> None:
    counts: Counter[tuple[str, int]] = Counter()

    def count(key_id: str, window: int) -> int:
        counts[key_id, window] += 1
        return counts[key_id, window]

    left = [spend(count, "key_a", 3, START).headers()["RateLimit"] for _ in range(3)]
    assert left == ['"key";r=2;t=45', '"key";r=1;t=45', '"key";r=0;t=45']
    with pytest.raises(ProblemError) as refused:
        spend(count, "key_a", 3, START)
    assert refused.value.code == "rate_limited"
    assert refused.value.headers == {
        "RateLimit-Policy": '"key";q=3;w=60',
        "RateLimit": '"key";r=0;t=45',
        "Retry-After": "45",
    }
    assert spend(count, "key_b", 3, START).remaining == 2
    assert spend(count, "key_a", 3, START.replace(minute=1, second=0)).remaining == 2
