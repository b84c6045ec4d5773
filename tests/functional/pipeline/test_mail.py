"""Headers of mail through the product: asked for, shown to be allowed, read, judged, taken back."""

import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lantern.connectors import mail
from lantern.connectors.consent import ClientRegistration
from lantern.connectors.google.manifest import MAIL_HEADERS
from lantern.connectors.protocol import Action
from lantern.domain import ids
from lantern.domain.errors import ConflictError, ConnectorError
from lantern.domain.inventory import Bundle, Grant, confidence
from lantern.domain.mail_reading import MailReading
from lantern.domain.work import Work
from lantern.services import connections, decisions_mail, queries_grants
from lantern.services.discovery import mail as reading
from lantern.services.routing import route
from lantern.services.scoring.knowledge import Knowledge, load_knowledge
from scripts.build.checkout import shipped_content
from tests.support.google_world import CUSTOMER, GoogleWorld
from tests.support.lab import Crash, Lab, make_lab

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
PUBLIC = (
    KEY.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
ROBOT, CLIENT_ID = "mail@project.iam.gserviceaccount.com", "115200000000000000077"
REGISTRATION = ClientRegistration(
    "mail", "", {"service_account": json.dumps(
        {"client_email": ROBOT, "client_id": CLIENT_ID, "private_key": PEM}
    )},
)  # fmt: skip
SECRET_WORDS = "Welcome to Otter, dear Zaphod"
WELCOME = [["From", "Otter.ai <no-reply@otter.ai>"], ["Subject", SECRET_WORDS]]
OTHERS = (
    [["From", "Otter.ai <no-reply@otter.ai>"], ["Subject", "Ford invited you to Otter"]],
    [["From", "news@otter.ai"], ["Subject", "Newsletter: ten hints"]],
    [["From", "Otter.ai <otter@gmail.com>"], ["Subject", "Welcome to Otter"]],
    [["From", "hello@dropbox.com"], ["Subject", "Welcome to Dropbox"]],
)


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    """What a release ships."""
    return load_knowledge(shipped_content())


@pytest.fixture
def lab(knowledge: Knowledge) -> Iterator[Lab]:
    with GoogleWorld.make().closing() as world:
        world.begin(3, employees=6, grants_per_user=1, events_per_user_day=0)
        made = make_lab(world, knowledge, 3)
        made.reader = lambda: mail.reader("google", REGISTRATION, "tenant", world.io)
        made.do(Work(made.store.tenant_id, "connection.full", made.connection_id))
        made.settle()
        yield made


def delegate(lab: Lab, *scopes: str) -> None:
    lab.world.control.register_service_account(ROBOT, CLIENT_ID, PUBLIC, {CUSTOMER: scopes})


def ask(lab: Lab) -> MailReading:
    decisions_mail.ask(lab.store, lab.connection_id, by="key:k", now=lab.clock.now())
    return follow(lab)


def follow(lab: Lab) -> MailReading:
    lab.do(Work(lab.store.tenant_id, "connection.mail", lab.connection_id))
    lab.settle()
    found = lab.store.mail.get(lab.connection_id)
    assert found is not None
    return found


def bundle(lab: Lab, native_id: str) -> Bundle:
    found = lab.store.bundles.get(lab.connection_id, ids.principal_id("google", CUSTOMER, native_id))
    assert found is not None
    return found


def hints(lab: Lab, native_id: str) -> list[Grant]:
    return [grant for grant in bundle(lab, native_id).grants or () if grant.source == "mail"]


def everything(lab: Lab) -> str:
    """All that is stored, unpacked."""
    told = []
    for table in lab.dynamo.tables:
        for item in lab.dynamo.items(table):
            for value in item.values():
                raw = value.get("B", b"")
                told.append(repr(zlib.decompress(raw) if raw[:1] == b"\x78" else value))
    return " ".join(told)


def test_it_is_on_only_when_a_call_has_shown_it(lab: Lab) -> None:
    assert (ask(lab).state, lab.connection.mail) == ("waiting", True)
    waiting = lab.store.mail.get(lab.connection_id)
    assert waiting is not None
    assert (waiting.client_id, waiting.permission) == (CLIENT_ID, MAIL_HEADERS)
    assert "Domain-wide delegation" in str(waiting.note)
    delegate(lab, "https://www.googleapis.com/auth/calendar")
    assert ask(lab).state == "waiting", "another permission is none"
    delegate(lab, MAIL_HEADERS)
    assert lab.connection.status == "active", "the connection itself is well"
    lab.clock.forward(hours=2)
    lab.do(Work(lab.store.tenant_id, "connection.changes", lab.connection_id))
    lab.settle()  # the sweep looks again by itself
    on = follow(lab)
    assert (on.state, on.note) == ("on", None)
    assert on.last is not None
    assert (on.last.mailboxes, on.last.gaps, on.last.messages) == (6, 6, 0)
    delegate(lab)
    lab.clock.forward(days=1)
    assert follow(lab).state == "waiting", "taken back in the Admin console: nothing is on any more"
    states = [e.detail["state"] for e in audit(lab) if e.action == "mail.state"]
    assert states == ["waiting", "waiting", "on", "waiting"]
    lab.reader = lambda: None
    assert ask(lab).state == "not_offered"
    other, _ = lab.connect("entra")
    with pytest.raises(ConflictError):
        decisions_mail.ask(lab.store, other, by="key:k", now=lab.clock.now())


def audit(lab: Lab) -> list[Any]:
    return list(lab.store.audit.entries())


def test_sign_ups_become_hints_of_low_confidence_and_nothing_else_is_kept(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    control, person, other = lab.world.control, lab.world.org.users[2], lab.world.org.users[3]
    delegate(lab, MAIL_HEADERS)
    control.mail(person.id, WELCOME)
    assert ask(lab).state == "on"
    assert hints(lab, person.id) == [], "the past is not read"
    before = bundle(lab, person.id)
    control.mail(person.id, WELCOME)
    for headers in OTHERS:
        control.mail(other.id, headers)
    lab.clock.forward(days=1)
    done = follow(lab)
    assert done.last is not None
    assert (done.last.messages, done.last.hints, done.last.unread) == (5, 1, 0)
    (hint,) = hints(lab, person.id)
    assert hints(lab, other.id) == []
    assert len(bundle(lab, person.id).grants or ()) == len(before.grants or ()) + 1
    routed = route(lab._stream_record(bundle(lab, person.id)))  # as the table's stream tells of the write
    assert routed is not None
    lab.do(routed)
    lab.settle()
    row = next(row for row in lab.store.apps.summary() if row.app_id == hint.app_id)
    assert (row.verdict, row.kind, row.holders) == ("ai", "account", 1)
    assert "otter" in (row.product or "").lower()
    page = queries_grants.by_principal(
        lab.store, lab.connection_id, bundle(lab, person.id).principal.id, None, 45
    )
    shown = next(row for row in page.items if row.app_id == hint.app_id)
    assert (shown.source, confidence("mail"), confidence("consent")) == ("mail", "low", "high")
    assert shown.scopes == {"mail:sign-up"}
    grant_id = ids.grant_id(bundle(lab, person.id).principal.id, hint.app_id)
    about = {f.rule_id for f in lab.findings() if grant_id in f.open_grants}
    assert about == {"mail-sign-up"}, "a finding of its own, which says that it is a hint"
    assert "Otter" in everything(lab)
    for word in ("Zaphod", "no-reply@", "PRIVATE"):
        assert word not in everything(lab) + caplog.text
    # A full reading knows nothing of mail and leaves it; a second message moves no date.
    control.mail(person.id, WELCOME)
    lab.clock.forward(days=2)
    lab.do(Work(lab.store.tenant_id, "connection.full", lab.connection_id))
    follow(lab)
    assert hints(lab, person.id) == [hint]
    result = lab.world.connector(lab.connection_id).act(
        Action("revoke_grant", person.id, f"mail:{row.product}")
    )
    assert (result.state, bool(result.instructions)) == ("not_possible", True)


def test_switched_off_it_takes_back_what_it_found(lab: Lab) -> None:
    control, person = lab.world.control, lab.world.org.users[2]
    delegate(lab, MAIL_HEADERS)
    ask(lab)
    control.mail(person.id, WELCOME)
    lab.clock.forward(days=1)
    follow(lab)
    assert len(hints(lab, person.id)) == 1
    kept = len(bundle(lab, person.id).grants or ())
    decisions_mail.end(lab.store, lab.connection_id, by="key:k", now=lab.clock.now())
    with pytest.raises(ConflictError):
        decisions_mail.ask(lab.store, lab.connection_id, by="key:k", now=lab.clock.now())
    asked = lab.world.adapter.calls
    off = follow(lab)
    assert (off.state, off.due_at, hints(lab, person.id)) == ("off", None, [])
    assert len(bundle(lab, person.id).grants or ()) == kept - 1
    assert lab.world.adapter.calls == asked, "nothing is asked of Google for it"
    assert not any(lab.store.mail.positions(lab.connection_id, slot) for slot in range(32))
    control.mail(person.id, WELCOME)
    lab.clock.forward(days=1)
    follow(lab)
    assert hints(lab, person.id) == []


def test_a_worker_may_die_anywhere_and_messages_come_twice(lab: Lab) -> None:
    control, delivered = lab.world.control, 0
    delegate(lab, MAIL_HEADERS)
    ask(lab)
    people = [user for user in lab.world.org.users if user.deleted_at is None][:4]
    for user in people:
        control.mail(user.id, WELCOME)
    lab.clock.forward(days=1)
    work = Work(lab.store.tenant_id, "connection.mail", lab.connection_id)
    put = lab.store.documents.put

    for stop in range(1, 40):
        left = [stop]

        def dying(*arguments: Any, left: list[int] = left) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Crash
            return put(*arguments)

        lab.store.documents.put = dying  # type: ignore[method-assign]
        try:
            lab.do(work, "one-message")
        except Crash:
            delivered += 1
        finally:
            lab.store.documents.put = put  # type: ignore[method-assign]
        if left[0] > 0:
            break
    lab.settle()
    assert delivered > 3
    assert [len(hints(lab, user.id)) for user in people] == [1] * len(people)
    revisions = [bundle(lab, user.id).rev for user in people]
    calls = lab.world.adapter.calls
    lab.do(work, "one-message")
    assert lab.world.adapter.calls == calls, "a late copy does nothing"
    assert [bundle(lab, user.id).rev for user in people] == revisions


def test_what_cannot_be_read_stays_where_it_was(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    control, person = lab.world.control, lab.world.org.users[2]
    delegate(lab, MAIL_HEADERS)
    ask(lab)
    control.mail(person.id, WELCOME)
    control.fault("status", path="/gmail/.*/messages/", status=400)
    lab.clock.forward(days=1)
    failed = follow(lab)
    assert failed.last is not None
    assert (failed.last.unread, failed.last.mailboxes, hints(lab, person.id)) == (1, 5, [])
    control.clear_faults()
    lab.clock.forward(days=1)
    follow(lab)
    assert len(hints(lab, person.id)) == 1, "read from where it stood"
    # Whose grants were never read is left out: with a hint they would pass for known.
    known = bundle(lab, person.id)
    assert not reading._readable(replace(known, grants=None))
    control.fault("status", path="^/token$", status=503)
    lab.clock.forward(days=1)
    with pytest.raises(ConnectorError):
        raise_first(lab)


def raise_first(lab: Lab) -> None:
    """A witness is asked while Google is down: nothing is said about the permission."""
    found = lab.store.mail.get(lab.connection_id)
    assert found is not None
    lab.store.mail.put(replace(found, state="asked", due_at=lab.clock.now()))
    follow(lab)


def test_disconnecting_ends_it_and_forgets_positions(lab: Lab) -> None:
    delegate(lab, MAIL_HEADERS)
    ask(lab)
    assert any(lab.store.mail.positions(lab.connection_id, slot) for slot in range(32))
    lab.store.connections.put(replace(lab.connection, status="disconnecting"))
    gone = SimpleNamespace(
        delete_schedule=lambda **_: None, close_channel=lambda _: None, disconnect=lambda: None
    )
    tools = connections.Teardown(lab.store, lab.platform, gone, "group", lambda _: gone)
    connections.disconnect(tools, lab.connection_id, lab.clock.now())
    found = lab.store.mail.get(lab.connection_id)
    assert found is not None
    assert (found.state, found.due_at, lab.connection.mail) == ("off", None, False)
    assert not any(lab.store.mail.positions(lab.connection_id, slot) for slot in range(32))
