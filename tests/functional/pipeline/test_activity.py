"""From events at the provider to what stands out in use, week by week."""

from collections.abc import Mapping
from typing import Any

import pytest

from lantern.connectors.protocol import Hint
from lantern.domain import ids
from lantern.domain.errors import NotFoundError
from lantern.domain.work import Work
from lantern.services import queries_activity
from lantern.services.discovery.context import Discovery
from lantern.services.discovery.hints import answer
from tests.support.tenant import Bench

CHATGPT = "chatgpt-client"
APP = ids.app_id("google", CHATGPT)


def to_monday(bench: Bench) -> None:
    """Go on to a Monday at six in the morning: the week before is whole, and old enough to be complete."""
    now = bench.clock.now()
    bench.clock.forward(days=7 - now.weekday(), hours=6 - now.hour)


def use_weeks(
    bench: Bench, weeks: int, daily: Mapping[str, int], api: str = "drive", **more: int | str
) -> None:
    """Live through whole weeks in which each account uses the app so often a day."""
    for _ in range(weeks * 7):
        bench.clock.forward(days=1)
        for native_id, times in daily.items():
            for _ in range(times):
                bench.world.use(native_id, CHATGPT, days_ago=0.5, api=api, **more)
    bench.do(Work(bench.store.tenant_id, "connection.use", bench.connection_id))
    bench.settle()


def odd(bench: Bench) -> dict[str, Any] | None:
    risk = bench.store.apps.risk(APP)
    assert risk is not None
    found: dict[str, Any] | None = risk.body["anomalies"]
    return found


def test_one_account_that_takes_everything_stands_out(bench: Bench) -> None:
    for native_id in ("u001", "u002", "u003"):
        bench.world.add(native_id, CHATGPT)
    to_monday(bench)
    bench.full()
    use_weeks(bench, 8, {"u001": 1, "u002": 1}, size=200_000, network="AS64512", country="IE")
    assert odd(bench) == {"app": [], "accounts": [], "odd_accounts": 0}

    use_weeks(bench, 1, {"u001": 12, "u002": 1}, "gmail", size=1_500_000, network="AS64999", country="SG")

    found = odd(bench)
    assert found is not None
    by_kind = {one["kind"]: one for one in found["app"]}
    assert sorted(by_kind) == ["bytes", "country", "network", "new_api", "volume"]
    assert (by_kind["bytes"]["observed"], by_kind["bytes"]["baseline"]) == (91 * 1_500_000, 14 * 200_000)
    assert "used from AS64999 for the first time" in by_kind["network"]["says"]
    assert "kept to IE" in by_kind["country"]["says"]
    volume, api = by_kind["volume"], by_kind["new_api"]
    assert (volume["kind"], volume["subject"]) == ("volume", bench.connection_id)
    assert (volume["observed"], volume["baseline"], volume["threshold"]) == (91, 14, 42)
    assert (api["kind"], "It called gmail for the first time" in api["says"]) == ("new_api", True)
    (account,) = found["accounts"]
    u001 = bench.bundle("u001").principal.id
    assert (account["subject"], account["observed"], account["baseline"]) == (u001, 84, 7)
    assert found["odd_accounts"] == 1

    _looked_at_once(bench, found)
    _shown_week_by_week(bench, u001, account["week"])


def _looked_at_once(bench: Bench, found: dict[str, Any]) -> None:
    """The same weeks are not read again for each run, and what was found in them stays."""
    reads = []
    series = bench.store.use.series
    bench.store.use.series = lambda *asked: reads.append(asked) or series(*asked)  # type: ignore[method-assign]
    bench.do(Work(bench.store.tenant_id, "score.run", bench.connection_id))
    bench.do(Work(bench.store.tenant_id, "score.app", body={"app_id": APP}))
    assert (reads, odd(bench)) == ([], found)


def _shown_week_by_week(bench: Bench, u001: str, week: str) -> None:
    activity = queries_activity.activity(bench.store, bench.connection_id, APP, None, 100)
    assert len(activity.weeks) == 8
    assert activity.weeks[-1] == week
    by_account = dict(activity.accounts)
    assert len(by_account) == 2, "who did not use it is not listed"
    assert [by_account[u001][name].events for name in activity.weeks] == [7] * 7 + [84]
    first = queries_activity.activity(bench.store, bench.connection_id, APP, None, 1)
    second = queries_activity.activity(bench.store, bench.connection_id, APP, first.cursor, 1)
    assert [*first.accounts, *second.accounts] == list(activity.accounts)
    assert second.cursor is None
    for connection, app in ((bench.connection_id, "app_0000000000000"), ("con_nobody", APP)):
        with pytest.raises(NotFoundError):
            queries_activity.activity(bench.store, connection, app, None, 1)


def test_too_little_of_the_past_is_not_known_rather_than_nothing(bench: Bench) -> None:
    bench.world.add("u001", CHATGPT)
    bench.do(Work(bench.store.tenant_id, "connection.full", bench.connection_id))
    bench.do(Work(bench.store.tenant_id, "score.run", bench.connection_id))
    assert odd(bench) is None


def test_a_hint_about_the_account_itself_asks_for_it_anew(bench: Bench) -> None:
    for native_id in ("u001", "u002"):
        bench.world.add(native_id, CHATGPT)
    bench.full()
    asked: list[Hint] = []
    connector = bench.connector()
    ask = connector.principal
    connector.principal = lambda hint: asked.append(hint) or ask(hint)
    task = Discovery(
        store=bench.store,
        connection=bench.connection,
        connector=connector,
        clock=bench.clock,
        deadline=bench.deadline(),
        random=bytes,
        send=bench.send,
        message_id="m",
        hop=0,
    )
    tally = answer(task, [Hint(native_id="u001"), Hint(native_id="u002", account=True)])
    assert [hint.native_id for hint in asked] == ["u002"]
    assert tally.read == 2
