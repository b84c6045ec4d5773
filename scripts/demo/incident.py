"""A vendor reports an incident: who was exposed to what, revoked after approval, holders asked to rotate."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from scripts.demo import browser, overscoped, runs
from scripts.demo.api import Api
from scripts.demo.people import Row
from scripts.demo.runs import Colleague
from scripts.demo.waiting import DemoFailedError, Patience
from scripts.instance.progress import Progress
from scripts.instance.simulator import Simulator

FEWEST, MOST = 8, 22
"""People whom the vendor reaches: enough to be a story, few enough to be told in a minute."""
SUMMARY: Final = "Refresh tokens of customers were read from a backup."
AGO: Final = timedelta(days=3)
TELL_DEADLINE_S: Final = 180
BUTTON: Final = "nudge.rotated"
_WAITS: Final = ("rotate", "waiting")


@dataclass(frozen=True, slots=True)
class Story:
    """What happened. `revoked_s` is from the approval to the last revocation.

    `outcomes` counts what the revocation of each grant came to; `asked` are people asked to rotate, by the
    way they were reached, `answered` by how they answered (the press of a button, or the page).
    """

    incident: Row
    run: Row
    outcomes: Counter[str]
    asked: Counter[str]
    answered: Counter[str]
    revoked_s: float


def choose(api: Api, apps: Iterable[Row]) -> Row:
    """The blast radius of the AI vendor to be struck: at most connections, of those the smallest that fits.

    Raises:
        DemoFailedError: no vendor reaches as many people as the story needs.
    """
    held: dict[str, list[Row]] = defaultdict(list)
    for app in apps:
        if app["vendor"] and not app["lookalike_of"]:
            held[app["vendor"]].append(app)
    # The list of AI apps is a first guess: a vendor may have further apps.
    likely = [rows for rows in held.values() if sum(app["holders"] for app in rows) <= MOST]
    for rows in sorted(likely, key=lambda rows: (-_places(rows), -sum(app["holders"] for app in rows))):
        vendor_id = api.get(f"/v1/apps/{rows[0]['id']}")["vendor_id"]
        radius = api.get(f"/v1/vendors/{vendor_id}/blast-radius")
        if FEWEST <= radius["people"] <= MOST:
            return radius
    raise DemoFailedError("no AI vendor reaches as many people as the story needs")


def _places(rows: list[Row]) -> int:
    return len({connection for app in rows for connection in app["connections"]})


def play(
    api: Api, colleague: Colleague, vendor: Row, slack: Simulator, titles: dict[str, str], progress: Progress
) -> Story:
    """Exposure, plan, approval, revocation, questions, answers.

    Raises:
        DemoFailedError: something of it did not happen.
    """
    occurred = (datetime.now(UTC) - AGO).isoformat()
    with progress.step(f"{vendor['vendor']} reports an incident: who is exposed to what, and the plan"):
        body = {"vendor_id": vendor["vendor_id"], "occurred_at": occurred, "summary": SUMMARY}
        raised = api.call("POST", "/v1/incidents", body=body).body
    incident, run = raised["incident"], raised["run"]
    if run is None:
        raise DemoFailedError(f"{vendor['vendor']} reaches nothing, so there is no plan")
    _tell(incident, titles, progress)
    with progress.step(
        f"a second person approves: {len(run['targets'])} grants are revoked and read again"
    ) as say:
        clock = Patience(say).clock
        begun = clock()
        colleague.approve(run["id"])
        run = runs.until(api, Patience(say), run["id"], "every grant to be dealt with", _acted, ("revoke",))
        took = clock() - begun
    outcomes = runs.acted(run, ("revoke",))
    progress.say(", ".join(f"{count} {word.replace('_', ' ')}" for word, count in outcomes.most_common()))
    with progress.step("holders are asked to renew keys and passwords; two answer") as say:
        patience = Patience(say)
        sent = patience.until("the questions", TELL_DEADLINE_S, lambda: _sent(api, run))
        answered = _answer(api, slack, sent, patience)
        asked = Counter(str(one["sent_via"]) for one in sent)
        incident = api.get(f"/v1/incidents/{incident['id']}")
    ways = ", ".join(f"{count} by {way}" for way, count in sorted(asked.items()))
    progress.say(f"asked: {ways}; {sum(answered.values())} say that they renewed them")
    return Story(incident, api.get(f"/v1/playbook-runs/{run['id']}"), outcomes, asked, answered, took)


def _tell(incident: Row, titles: dict[str, str], progress: Progress) -> None:
    places = sorted({titles[one["connection_id"]] for one in incident["exposed"]})
    progress.say(
        f"{incident['people']} people, {incident['grants']} grants at {', '.join(places)};"
        f" data: {', '.join(incident['data'])}; exposed since {str(incident['exposed_from'])[:10]}"
    )


def _acted(run: Row) -> bool:
    return all(any(mark["step"] == "revoke" for mark in one["trail"]) for one in run["targets"])


def _sent(api: Api, run: Row) -> tuple[list[Row] | None, str]:
    """The questions of the run, once everybody who can be asked has been."""
    now = api.get(f"/v1/playbook-runs/{run['id']}")
    begun = all(one["phase"] == "over" or (one["step"], one["phase"]) == _WAITS for one in now["targets"])
    origin = f"playbook:{run['id']}.rotate"
    mine = [one for one in api.all("/v1/nudges") if one["origin"] == origin]
    out = [one for one in mine if one["sent_via"]]
    waiting = [one for one in mine if one["state"] == "sent" and not one["sent_via"]]
    return (out if out and begun and not waiting else None), f"{len(out)} of {len(mine)} sent"


def _answer(api: Api, slack: Simulator, sent: list[Row], patience: Patience) -> Counter[str]:
    """One who was asked in Slack presses the button, another opens the page and confirms there."""
    asked = [one for one in sent if one["sent_via"] == "slack"]
    pairs = list(zip(asked, ("button", "page"), strict=False))
    for nudge, way in pairs:
        _renewed(api, slack, nudge, way, patience)
    return Counter(way for _, way in pairs)


def _renewed(api: Api, slack: Simulator, nudge: Row, way: str, patience: Patience) -> None:
    email, message = patience.until("a question in Slack", TELL_DEADLINE_S, lambda: _message(slack, nudge))
    if way == "button":
        overscoped.press(api, slack, email, BUTTON)
    else:
        browser.answer(_page(message))
    patience.until("the answer", TELL_DEADLINE_S, lambda: _answered(api, nudge))


def _message(slack: Simulator, nudge: Row) -> tuple[tuple[str, dict[str, Any]] | None, str]:
    """The message that holds a question, and whose it is."""
    emails = {one["id"]: one["email"] for one in slack.control("users")}
    for message in slack.control("messages"):
        if any(one.get("value") == nudge["id"] for one in overscoped.buttons(message)):
            return (str(emails[message["user"]]), message), "there"
    return None, "none yet"


def _page(message: dict[str, Any]) -> str:
    return next(str(one["url"]) for one in overscoped.buttons(message) if one.get("url"))


def _answered(api: Api, nudge: Row) -> tuple[Row | None, str]:
    now = api.get(f"/v1/nudges/{nudge['id']}")
    return (now if now["state"] == "answered" else None), str(now["state"])
