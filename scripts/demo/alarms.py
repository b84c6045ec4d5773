"""How whoever answers for AI tools is told: a Slack channel for people, a signed webhook for systems."""

from dataclasses import dataclass
from typing import Any, Final

from scripts.demo.api import Api
from scripts.demo.receiver import Receiver
from scripts.demo.story import Inventory
from scripts.demo.waiting import Patience
from scripts.instance.progress import Progress
from scripts.instance.simulator import Simulator

DEADLINE_S: Final = 180
_ADDRESS: Final = "https://hooks.harbourline.example/lantern"


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told: a person in the simulated Slack, and the receiver of this demo."""

    slack: Simulator
    officer: str
    receiver: Receiver

    def told(self) -> list[dict[str, Any]]:
        """What the person was told in Slack, the oldest first."""
        return list(self.slack.control("messages", user=self.officer))

    def told_of(self, name: str) -> bool:
        """Whether a message to the person names an app."""
        return any(name in said for message in self.told() for said in texts(message))


def texts(message: dict[str, Any]) -> list[str]:
    """Every line of text of a message as its reader sees it."""
    found = [str(message["text"])]
    for block in message["blocks"]:
        found += [_text(one) for one in (block, *block.get("fields", ()), *block.get("elements", ()))]
    return [one for one in found if one]


def _text(part: dict[str, Any]) -> str:
    inner = part.get("text")
    return str(inner.get("text", "")) if isinstance(inner, dict) else str(inner or "")


def watch(api: Api, found: Inventory, slack: Simulator, receiver: Receiver, progress: Progress) -> Watch:
    """Add both ways to be told, and wait for what they say of the first day."""
    members = slack.control("users")
    officer = next(one for one in members if one["email"] == slack.admin)
    connection = next(one.connection_id for one in found.readings if one.provider == "slack")
    with progress.step("alerts: a security officer in Slack, a signed webhook for systems") as report:
        channel = {"kind": "slack", "name": "Security", "to": [officer["id"]], "connection_id": connection}
        api.call("POST", "/v1/alerts/channels", body={**channel, "instant": "critical"})
        made = api.call("POST", "/v1/webhook-endpoints", body={"url": _ADDRESS, "description": "Demo"}).body
        receiver.secret = made["secret"]
        api.call("POST", f"/v1/webhook-endpoints/{made['id']}/test")
        watching = Watch(slack, str(officer["email"]), receiver)
        Patience(report).until("a signed test event", DEADLINE_S, lambda: _tested(receiver))
    return watching


def _tested(receiver: Receiver) -> tuple[bool | None, str]:
    events = receiver.events()
    return (True if events else None), f"{len(events)} events"
