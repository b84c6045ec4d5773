"""An AI app with far too many permissions appears: its holder is asked in Slack, and it goes."""

from dataclasses import dataclass
from typing import Any, Final

from scripts.demo import alarms, people, runs
from scripts.demo.alarms import Watch
from scripts.demo.api import Api
from scripts.demo.people import Row
from scripts.demo.waiting import DemoFailedError, Patience
from scripts.instance.progress import Progress
from scripts.instance.simulator import Simulator

APP: Final = "Manus"
"""An AI tool of the catalog that nobody in the demo organisation holds yet."""
SCOPES: Final = (
    "openid",
    "https://www.googleapis.com/auth/userinfo.email",
    "https://mail.google.com/",
    "https://www.googleapis.com/auth/drive",
)
RULE: Final = "ai-app-sensitive-scope"
PLAYBOOK: Final = "over-scoped-app"
BUTTON: Final = "nudge.revoke"
PUSH_DEADLINE_S: Final = 180
TELL_DEADLINE_S: Final = 180


@dataclass(frozen=True, slots=True)
class Story:
    """What happened. Seconds: consent to finding, finding to alert, start to question, press to verified.

    `question` is what the person read, `reply` what stood in its place after the press.
    """

    person: Row
    finding: Row
    run: Row
    question: str
    reply: str
    remaining_s: int | None
    found_s: float
    alert_s: float
    asked_s: float
    revoked_s: float


def play(
    api: Api, person: Row, google: Simulator, slack: Simulator, watch: Watch, progress: Progress
) -> Story:
    """Consent, finding, alert, question, press, revocation, verification.

    Raises:
        DemoFailedError: something of it did not happen, or the provider still shows the grant.
    """
    email = str(_account(person, "google")["email"])
    clock = Patience(lambda _: None).clock
    with progress.step(f"{email} lets {APP} read and send all mail and files; push tells") as report:
        started = clock()
        google.control("grant", user=email, app=APP, scopes=list(SCOPES))
        patience = Patience(report)
        finding = patience.until(f"a finding about {APP}", PUSH_DEADLINE_S, lambda: _finding(api))
        found_s = clock() - started
    progress.say(f"rule {RULE}: {finding['title']} ({finding['severity']})")
    with progress.step("the security officer is told in Slack, systems by signed webhook") as report:
        Patience(report).until("both alerts", TELL_DEADLINE_S, lambda: _alerted(watch, finding["id"]))
        alert_s = clock() - started - found_s
    run, question, asked_s = _ask(api, finding, person, slack, progress)
    with progress.step(f"{email} presses the button; {APP} is revoked, and read again at Google") as report:
        pressed = clock()
        _press(api, slack, _account(person, "slack")["email"])
        run = runs.until(api, Patience(report), run["id"], "the grant to be gone", _over, ("revoke",))
        revoked_s = clock() - pressed
        _verified(run, google, email, api, finding)
    left = runs.remaining_s(api, run)
    said = f"access tokens that {APP} holds may work for {max(left)} s more" if left else "no token is left"
    progress.say(f"verified: Google shows no grant of {APP}; {said}")
    reply = Patience(lambda _: None).until(
        "the answer in Slack", TELL_DEADLINE_S, lambda: _reply(slack, _account(person, "slack")["email"])
    )
    progress.say(f"in Slack: {reply}")
    return Story(
        person, finding, run, question, reply, max(left, default=None), found_s, alert_s, asked_s, revoked_s
    )


def _account(person: Row, provider: str) -> Row:
    found = people.account(person, provider)
    if found is None:
        raise DemoFailedError(f"{person['email']} has no account at {provider}")
    return found


def _finding(api: Api) -> tuple[Row | None, str]:
    rows = [row for row in api.all("/v1/findings", status="open") if APP in str(row["title"])]
    wanted = next((row for row in rows if row["rule_id"] == RULE), None)
    return wanted, f"{len(rows)} findings about {APP}"


def _alerted(watch: Watch, finding_id: str) -> tuple[bool | None, str]:
    events = [one for one in watch.receiver.events() if _finding_of(one) == finding_id]
    person = watch.told_of(APP)
    return (True if person and events else None), f"Slack {'told' if person else '…'}, {len(events)} events"


def _finding_of(event: Row) -> str:
    return str(event["data"].get("finding", {}).get("id", ""))


def _ask(api: Api, finding: Row, person: Row, slack: Simulator, progress: Progress) -> tuple[Row, str, float]:
    """Start the playbook, first as a dry run; returns the run, the question as read, and seconds."""
    address = f"/v1/playbooks/{PLAYBOOK}/runs"
    about = {"finding_id": finding["id"], "reason": "It may read and send all mail."}
    email = str(_account(person, "slack")["email"])
    with progress.step(f"dry run of the playbook {PLAYBOOK}, then the holder is asked in Slack") as report:
        (target,) = api.call("POST", address, body={**about, "dry_run": True}).body["targets"]
        clock = Patience(lambda _: None).clock
        started = clock()
        run = api.call("POST", address, body=about).body
        message = Patience(report).until(
            "the question in Slack", TELL_DEADLINE_S, lambda: _question(slack, email)
        )
        asked_s = clock() - started
    ahead = "; ".join(f"{one['about']}: {one['comes_to']}" for one in target["would"])
    progress.say(f"dry run, should nobody answer: {ahead}")
    lines = alarms.texts(message)
    progress.say(f"asked: {lines[0]} [{'] ['.join(_labels(message))}]")
    return run, " · ".join(lines), asked_s


def _question(slack: Simulator, email: str) -> tuple[dict[str, Any] | None, str]:
    messages = [one for one in slack.control("messages", user=email) if buttons(one)]
    return (messages[-1] if messages else None), f"{len(messages)} messages"


def buttons(message: dict[str, Any]) -> list[dict[str, Any]]:
    """What can be pressed in a message."""
    return [e for b in message["blocks"] if b["type"] == "actions" for e in b["elements"]]


def _labels(message: dict[str, Any]) -> list[str]:
    return [str(one["text"]["text"]) for one in buttons(message)]


def press(api: Api, slack: Simulator, email: str, button: str) -> None:
    """Press a button of the last message to somebody, as Slack tells it: signed.

    Raises:
        DemoFailedError: Lantern did not acknowledge it.
    """
    address = f"{api.base_url}/webhooks/slack/interactions"
    answer = slack.control("press", user=email, action=button, address=address)
    if answer["status"] != 200:
        raise DemoFailedError(f"the press was answered with {answer['status']}: {answer['text']}")


def _press(api: Api, slack: Simulator, email: str) -> None:
    press(api, slack, email, BUTTON)


def _over(run: Row) -> bool:
    return bool(run["state"] == "done")


def _verified(run: Row, google: Simulator, email: str, api: Api, finding: Row) -> None:
    """Hold what Lantern says against the provider itself."""
    if runs.acted(run, ("revoke",))["verified"] != 1:
        raise DemoFailedError(f"the revocation was not verified: {run['targets'][0]['trail']}")
    client_id = api.get(f"/v1/apps/{finding['subject_id']}")["client_id"]
    held = google.control("grants_of", user=email)
    if any(one["client_id"] == client_id for one in held):
        raise DemoFailedError(f"Lantern says that {APP} is gone, but {email} still holds it")


def _reply(slack: Simulator, email: str) -> tuple[str | None, str]:
    answered = [one for one in slack.control("messages", user=email) if one["answers"]]
    if not answered:
        return None, "none yet"
    return str(answered[-1]["answers"][-1]["blocks"][0]["text"]["text"]), "there"
