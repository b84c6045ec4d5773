"""Push channels beside grants, and acts: what Google's APIs do, and exact steps for what they do not."""

from collections.abc import Iterator
from typing import Any

import pytest

from lantern.connectors.google import push, seen
from lantern.connectors.google.normalize import ORGANISATION
from lantern.connectors.protocol import Action, Channel, ChannelRequest, Hint
from lantern.connectors.pushing import Known, KnownChannel, PushRequest
from lantern.domain.errors import ConnectorError
from tests.contract.connectors.google_rig import GoogleRig, google
from tests.simulators.google.control_extras import extension_id
from tests.simulators.google.receiver import Receiver


@pytest.fixture(scope="module")
def shared() -> Iterator[GoogleRig]:
    with google() as made:
        yield made


@pytest.fixture
def rig(shared: GoogleRig) -> Iterator[GoogleRig]:
    yield shared
    shared.clear()


def active(rig: GoogleRig) -> list[str]:
    admin = rig.simulator.org.admin.id
    return sorted(k for k, v in rig.truth().items() if v["state"] == "active" and k != admin)


def told(rig: GoogleRig, messages: list[Any], channel: Channel, secret: str) -> list[Hint]:
    known = KnownChannel(channel.id, push.token_hash(secret), channel.expires_at, channel.resource_id)
    hints: list[Hint] = []
    for message in messages:
        lookup = Known({known.id: known}.get, lambda: pytest.fail("nothing is signed"), known.id)
        headers = {name.lower(): value for name, value in message.headers.items()}
        request = PushRequest("POST", headers, {}, message.body)
        receipt = push.receive(request, lookup, rig.io.clock.now())
        hints += [hint for one in receipt.told for hint in one.hints]
    return hints


@pytest.mark.parametrize("event", ["admin", "users"])
def test_an_account_that_changes_is_told_at_once(rig: GoogleRig, event: str) -> None:
    control, victim = rig.simulator.control, active(rig)[0]
    with Receiver() as receiver:
        request = ChannelRequest(f"channel-{event}", receiver.address, "s" * 30, "grants", event, 86_400)
        channel = rig.connector.open_channel(request)
        assert channel.detail == event
        control.suspend(victim)
        if event == "admin":
            control.delegate("robot-7", ["https://mail.google.com/"])
        hints = told(rig, receiver.wait(3 if event == "admin" else 2), channel, request.secret)
        if event == "admin":
            assert {(h.email or h.native_id) for h in hints} == {rig.truth()[victim]["email"], ORGANISATION}
        else:
            assert [(h.native_id, h.account, h.event) for h in hints] == [(victim, True, "update")]
        # Each API closes its own channels only.
        rig.connector.close_channel(channel)
        rig.connector.close_channel(channel)
        assert control.channels() == []
        control.restore(victim)
        control.settle()


def test_a_directory_message_of_strangers_shape_is_refused(rig: GoogleRig) -> None:
    now = rig.io.clock.now()
    known = KnownChannel("c", push.token_hash("s"), now)
    headers = {
        "x-goog-channel-id": "c", "x-goog-channel-token": "s", "x-goog-message-number": "2",
        "x-goog-resource-state": "update",
    }  # fmt: skip
    for body in (b'{"kind": "admin#directory#user"}', b'{"kind": "admin#directory#user", "id": 7}', b"[1]"):
        with pytest.raises(push.PushRefusedError):
            push.receive(PushRequest("POST", headers, {}, body), Known(lambda _: known, str, "c"), now)


def test_sessions_are_ended_and_the_account_that_is_gone_has_none(rig: GoogleRig) -> None:
    one, two, *_ = active(rig)
    result = rig.connector.act(Action("end_sessions", one))
    assert (result.state, result.observed_present) == ("done", None)
    assert rig.simulator.control.signed_out()[-1] == one
    rig.simulator.control.delete_user(two)
    assert rig.connector.act(Action("end_sessions", two)).state == "already_done"
    rig.simulator.control.fault("status", path="/signOut", status=404)
    with pytest.raises(ConnectorError):
        rig.connector.act(Action("end_sessions", one))
    rig.clear()
    rig.simulator.control.fault("status", path="/signOut", status=403)
    assert rig.connector.act(Action("end_sessions", one)).state == "not_possible"


def test_app_passwords_of_a_name_are_deleted_together_once(rig: GoogleRig) -> None:
    control, victim = rig.simulator.control, active(rig)[0]
    for name in ("Outlook", "Phone", "OUTLOOK"):
        control.add_password(victim, name)
    action = Action("revoke_grant", victim, "asp:outlook")
    control.fault("status", path="/asps/", method="DELETE", status=500, after=True, count=4)
    with pytest.raises(ConnectorError):
        rig.connector.act(action)
    rig.clear()
    first, second = rig.connector.act(action), rig.connector.act(action)
    assert (first.state, first.observed_present) == ("done", False)
    assert (second.state, second.observed_present) == ("already_done", False)
    assert control.passwords_of(victim) == ["Phone"]
    control.fault("cut", path="/asps$")
    with pytest.raises(ConnectorError):
        rig.connector.act(action)


@pytest.mark.parametrize(
    ("action", "says"),
    [
        (
            Action("disable_app", client_id="1-a.apps.googleusercontent.com"),
            ["API controls", "1-a.apps", "Blocked"],
        ),
        (
            Action("restrict_app", client_id="1-a.apps.googleusercontent.com"),
            ["API controls", "1-a.apps", "Limited"],
        ),
        (Action("disable_app", client_id="chatgpt.com"), ["URL blocking", "chatgpt.com"]),
        (Action("uninstall_app", client_id=extension_id("x")), [extension_id("x"), "Block", "chrome/apps"]),
        (Action("revoke_grant", "1", extension_id("x")), [extension_id("x"), "Block"]),
        (Action("revoke_grant", "1", "saml:Sales\x1bforce"), ["Sales force", "User access"]),
        (Action("revoke_grant", "1", seen.GEMINI), ["Gemini"]),
        (Action("revoke_grant", "1", "chatgpt.com"), ["URL blocking"]),
        (Action("revoke_grant", ORGANISATION, "robot-1"), ["Domain-wide delegation", "robot-1", "Delete"]),
    ],
)
def test_what_no_api_does_comes_with_the_steps_to_do_it(
    rig: GoogleRig, action: Action, says: list[str]
) -> None:
    rig.simulator.control.reset_metrics()
    result = rig.connector.act(action)
    assert (result.state, result.observed_present) == ("not_possible", None)
    text = "\n".join(result.instructions)
    assert "https://admin.google.com" in text
    assert not [word for word in says if word not in text]
    assert "\x1b" not in text
    assert rig.simulator.control.metrics()["methods"] == {}
    assert rig.connector.act(Action("enable_app", client_id="x")).state == "not_possible"
