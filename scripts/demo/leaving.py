"""Somebody leaves: the directory tells, and one offboarding takes everything at every connection."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from scripts.demo import people, runs
from scripts.demo.api import Api
from scripts.demo.people import Row
from scripts.demo.runs import GONE, Colleague
from scripts.demo.waiting import DemoFailedError, Patience
from scripts.instance.progress import Progress
from scripts.instance.simulator import Simulator

TELL_DEADLINE_S: Final = 180
FEWEST_ACCOUNTS: Final = 5
FEWEST, MOST = 8, 28
"""Grants of theirs: enough to be a story, few enough to be told in a minute."""
ACTS: Final = ("sessions", "grants", "assets")


@dataclass(frozen=True, slots=True)
class Story:
    """What happened. Seconds: deactivation to Lantern knowing, approval to the last act.

    `outcomes` counts targets by what the acts came to, `by_provider` those that are gone; `manual` are those
    that no API takes, with the steps for an administrator.
    """

    person: Row
    run: Row
    outcomes: Counter[str]
    by_provider: Counter[str]
    manual: int
    told_s: float
    done_s: float


def fits(person: Row) -> bool:
    """Whether somebody has accounts nearly everywhere, and access to take away."""
    open_ = [one for one in person["accounts"] if one["status"] == "active"]
    return len(open_) >= FEWEST_ACCOUNTS and FEWEST <= sum(one["grants"] for one in open_) <= MOST


def play(
    api: Api, colleague: Colleague, person: Row, google: Simulator, titles: dict[str, str], progress: Progress
) -> Story:
    """Deactivation, plan, approval, acts, verification.

    Raises:
        DemoFailedError: something of it did not happen, or the directory still shows access.
    """
    clock = Patience(lambda _: None).clock
    account = people.account(person, "google")
    if account is None:
        raise DemoFailedError(f"{person['email']} has no account in the directory")
    email = str(account["email"])
    with progress.step(f"{email} leaves: the directory suspends the account; push tells") as report:
        started = clock()
        google.control("suspend", user=email)
        Patience(report).until(
            "the person to have left", TELL_DEADLINE_S, lambda: _departed(api, str(person["id"]))
        )
        told_s = clock() - started
    with progress.step("offboarding: the plan over all connections, approved by a second person") as report:
        address = f"/v1/persons/{person['id']}/offboard"
        plan = api.call("POST", address, body={"dry_run": True}).body
        run = api.call("POST", address, body={"reason": "Left today"}).body
        colleague.approve(run["id"])
    kinds = Counter(target["kind"] for target in plan["targets"])
    progress.say(f"planned: {', '.join(f'{count} {kind}s' for kind, count in sorted(kinds.items()))}")
    with progress.step("sessions ended, grants and seats taken away, each read again") as report:
        begun = clock()
        run = runs.until(api, Patience(report), run["id"], "every act to have ended", _acted, ACTS)
        done_s = clock() - begun
        _nothing_left(google, email)
    outcomes = runs.acted(run, ACTS)
    gone = Counter(titles[one["connection_id"]] for one in run["targets"] if _gone(one))
    progress.say(f"gone and verified: {', '.join(f'{title} {n}' for title, n in gone.most_common())}")
    if outcomes["manual"]:
        progress.say(
            f"left to an administrator with exact steps: {outcomes['manual']}, verified by reading again"
        )
    return Story(person, run, outcomes, gone, outcomes["manual"], told_s, done_s)


def _departed(api: Api, person_id: str) -> tuple[Row | None, str]:
    person = api.get(f"/v1/persons/{person_id}")
    return (person if person["departed"] else None), "not yet"


def _acted(run: Row) -> bool:
    """Whether every target has been acted on; what an administrator must do may still wait."""
    return all(any(mark["step"] in ACTS for mark in one["trail"]) for one in run["targets"])


def _gone(target: dict[str, Any]) -> bool:
    return any(mark["step"] in ACTS and mark["answer"] in GONE for mark in target["trail"])


def _nothing_left(google: Simulator, email: str) -> None:
    held = google.control("grants_of", user=email)
    if held:
        raise DemoFailedError(f"{email} was offboarded, but Google still shows {len(held)} grants")
