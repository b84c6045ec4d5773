"""Headers of a mailbox, by delegation to a service account, against the simulator."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lantern.connectors.google import mailbox
from lantern.connectors.google.api import GoogleApi
from lantern.connectors.google.delegated import mailbox_of, service_account
from lantern.connectors.google.manifest import MAIL_HEADERS, MANIFEST
from lantern.connectors.halt import Halt
from lantern.connectors.resolution import CallError
from lantern.domain.errors import ConnectorError, InvalidInputError
from tests.contract.connectors.google_rig import REGISTRATION, GoogleRig, google

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
PUBLIC = (
    KEY.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
ACCOUNT = "lantern-mail@project.iam.gserviceaccount.com"
WELCOME = [["From", "Otter <hi@otter.ai>"], ["Subject", "Welcome to Otter"], ["To", "x@y.example"]]


@pytest.fixture
def rig() -> Iterator[GoogleRig]:
    with google() as made:
        yield made


def opened(rig: GoogleRig, person: str, *, delegated: bool = True) -> GoogleApi:
    scopes = {rig.simulator.org.customer_id: [MAIL_HEADERS]} if delegated else {}
    rig.simulator.control.register_service_account(ACCOUNT, "robot-mail", PUBLIC, scopes)
    key = json.dumps({"client_email": ACCOUNT, "client_id": "robot-mail", "private_key": PEM})
    account = service_account(replace(REGISTRATION, extra={"service_account": key}))
    assert account is not None
    assert "PRIVATE" not in repr(account)
    return mailbox_of(account, person, "t" * 20, rig.io)


def person(rig: GoogleRig) -> str:
    return next(
        u["email"] for u in rig.simulator.control.users() if u["state"] == "active" and not u["is_admin"]
    )


def test_new_mail_is_read_once_and_the_past_never(rig: GoogleRig) -> None:
    control, email, halt = rig.simulator.control, person(rig), Halt(rig.io.clock)
    api = opened(rig, email)
    control.mail(email, WELCOME)
    first = mailbox.read(api, None, halt)
    assert (first.mails, first.gap) == ((), True)
    control.mail(email, WELCOME)
    second = mailbox.read(api, first.cursor, halt)
    (mail,) = second.mails
    assert (mail.senders, mail.subjects) == (("Otter <hi@otter.ai>",), ("Welcome to Otter",))
    assert (second.gap, second.last) == (False, True)
    assert mailbox.read(api, second.cursor, halt).mails == ()
    control.advance(15 * 86_400)
    control.mail(email, WELCOME)
    late = mailbox.read(api, first.cursor, halt)
    assert (late.mails, late.gap) == ((), True), "Gmail has forgotten: what came meanwhile is not known"
    assert mailbox.read(api, late.cursor, halt).mails == ()


def test_a_full_mailbox_is_read_in_stretches_without_loss(
    rig: GoogleRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    control, email, halt = rig.simulator.control, person(rig), Halt(rig.io.clock)
    api = opened(rig, email)
    cursor = mailbox.read(api, None, halt).cursor
    monkeypatch.setattr(mailbox, "MOST", 4)
    monkeypatch.setattr(mailbox, "_PAGE", "3")
    for number in range(10):
        control.mail(email, [["From", "a@b.example"], ["Subject", f"Mail {number}"]])
    box = rig.simulator.org.extras.mailboxes[rig.simulator.org.find(email).id]
    box.mails[3].labels = ["SPAM"]
    box.mails[5].labels = ["SENT"]
    seen: list[Any] = []
    last = False
    while not last:
        page = mailbox.read(api, cursor, halt)
        seen += [mail.subjects[0] for mail in page.mails]
        cursor, last = page.cursor, page.last
    assert seen == [f"Mail {n}" for n in range(10) if n not in (3, 5)]


def test_only_what_was_delegated_opens_a_mailbox(rig: GoogleRig) -> None:
    email, halt = person(rig), Halt(rig.io.clock)
    with pytest.raises(ConnectorError) as caught:
        mailbox.read(opened(rig, email, delegated=False), None, halt)
    assert PEM[40:80] not in repr(caught.value) + caught.value.detail
    api = opened(rig, email)
    rig.simulator.control.fault("cut", path="/history")
    with pytest.raises(CallError):
        mailbox.read(api, "1000", halt)
    assert service_account(REGISTRATION) is None
    with pytest.raises(InvalidInputError):
        service_account(replace(REGISTRATION, extra={"service_account": "no key"}))
    assert MAIL_HEADERS not in {need.scope for need in MANIFEST.scopes}, "apart from the consent of all else"
