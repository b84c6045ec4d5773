"""A message with buttons in the simulated Slack, sent by the product's channel; a press that it believes."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from lantern.channels import slack_reply
from lantern.channels.slack import SlackChannel, new_session
from lantern.connectors.pushing import Known, PushRequest
from lantern.connectors.slack.push import receive
from lantern.domain.messages import Button, Message, Outgoing
from lantern.services.outreach import rendering
from tests.contract.connectors.slack_rig import CLIENT
from tests.simulators.google.receiver import Receiver
from tests.simulators.slack import OrgSpec, SlackSimulator

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def served() -> Iterator[SlackSimulator]:
    """A workspace."""
    with SlackSimulator(OrgSpec(6, 1, "pro"), clients=[CLIENT]) as simulator:
        yield simulator


def outgoing(to: str, token: str, *buttons: Button) -> Outgoing:
    """A question as outreach puts it."""
    message = Message("nudge", "Do you still need *Otter* <!channel>?", "Say so.", buttons=buttons)
    text, payload = rendering.subject(message), rendering.slack(message)
    return Outgoing("dlv_1", to, NOW, secret=json.dumps({"bot": token}), text=text, payload=payload)


def test_a_question_goes_out_and_a_press_comes_back(served: SlackSimulator) -> None:
    """As the product sends it Slack takes it; as Slack posts the press the product reads it, verified."""
    world, team = served.world, min(served.world.teams)
    user, other = sorted(m.id for m in world.members.values() if not m.deleted)[:2]
    channel = SlackChannel(new_session(), f"{served.base_url}/api")
    mute = served.tokens.issue("bot", CLIENT.client_id, team, user, ["users:read"]).value
    assert channel.send(outgoing(user, mute)).detail == "missing_scope"
    token = served.tokens.issue("bot", CLIENT.client_id, team, user, ["chat:write"]).value
    buttons = (
        Button("Answer", url="https://lantern.example/n/x"),
        Button("Remove", action="nudge.revoke", value="ndg_1"),
    )
    assert channel.send(outgoing(user, token, *buttons)).outcome == "sent"
    assert channel.send(outgoing("U0NOBODY", token)).detail == "channel_not_found"
    (shown,) = served.control.messages(user)
    assert "<!channel>" not in shown["text"]
    assert all(b["text"]["type"] == "plain_text" for b in shown["blocks"] if "text" in b)

    with Receiver() as hook:
        for action, by in (("nudge.revoke", ""), ("nudge.revoke", other), ("open", "")):
            assert served.control.press(user, action, hook.address, by=by)["status"] == 200
        posted = hook.wait(3)
    secret = served.tokens.clients[CLIENT.client_id].signing_secret
    known = Known(lambda _: None, lambda: secret, "interactions")
    at = datetime.fromtimestamp(world.clock.now(), UTC)
    receipts = [receive(PushRequest("POST", one.headers, {}, one.body), known, at) for one in posted]
    mine, theirs, opened = receipts
    (reply,) = mine.replies
    assert reply.organisation_id == team
    said = {name: reply.said[name] for name in ("nudge_id", "answer", "user")}
    assert said == {"nudge_id": "ndg_1", "answer": "revoke", "user": user}
    assert reply.said["back"].startswith("https://hooks.slack.com/")
    assert slack_reply.tell(reply.said["back"], "It is *gone*", True, base=served.base_url)
    (shown,) = served.control.messages(user)
    assert [one["text"]["text"] for one in shown["blocks"]] == ["It is *gone*"]
    assert not slack_reply.tell("https://hooks.slack.com/actions/T/1/other", "x", True, base=served.base_url)
    assert theirs.replies[0].said["user"] == other
    assert opened.replies == ()
