"""No secret in anything that Lantern leaves behind: each one is known and is looked for everywhere."""

import base64
import json
import logging
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from lantern.runtime import observability
from tests.security.story import TYPED, Story

pytestmark = pytest.mark.xdist_group("story")

KINDS = {
    "access token",
    "api key",
    "channel token",
    "client secret",
    "code",
    "id token",
    "link token",
    "page token",
    "refresh token",
    "slack token",
    "verifier",
    "webhook secret",
    "workflow",
}
SHOWN_ONCE = ("api key", "webhook secret")


def needles(story: Story) -> dict[str, str]:
    """What to look for, by kind and number: twenty characters of each secret that nothing else has."""
    found = {}
    for kind, values in story.secrets.items():
        for number, value in enumerate(sorted(values)):
            # Keys begin with their public id, tokens with their kind, JSON web tokens with their header.
            hidden = value if kind == "client secret" else value.rpartition("." if "id" in kind else "_")[2]
            if kind in ("page token", "workflow"):  # after the tenant's id; after the public part
                hidden = value[-30:]
            elif kind not in ("api key", "id token", "client secret"):
                hidden = value[6:] if kind == "webhook secret" else value[5:]
            assert len(hidden) >= 20, (kind, value)
            found[f"{kind} {number}"] = hidden[:20]
    return found


def leaks(story: Story, texts: Iterable[Any], *, but: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """(secret, the text it is in) of every secret in any of the texts, plain or in base64."""
    sought: list[tuple[str, str]] = []
    for name, needle in needles(story).items():
        if not name.startswith(but or ("-",)):
            raw = needle.encode()
            middles = [base64.b64encode(b"x" * pad + raw).decode()[4:-4] for pad in range(3)]
            sought += [(name, form) for form in (needle, *middles)]
    found = []
    for text in texts:
        shown = text if isinstance(text, str) else "\n".join(strings(text))
        found += [(name, shown[:300]) for name, form in sought if form in shown]
    return found


def strings(value: Any) -> Iterator[str]:
    """All text and bytes in a value, keys included."""
    if isinstance(value, bytes | bytearray):
        yield value.decode("latin-1")
        yield base64.b64encode(value).decode()
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from strings(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from strings(item)
    elif value is not None:
        yield str(value)


def test_every_kind_of_secret_was_there_and_everything_went_wrong(story: Story) -> None:
    assert {kind for kind, values in story.secrets.items() if values} == KINDS
    assert story.hits
    assert all(story.hits.values()), story.hits
    assert len(story.raised) > 20
    assert len(story.logged()) > 20
    assert any(record.exc_info for record in story.logged())
    refused = {name: page["statusCode"] for name, page in story.pages.items()}
    assert {name for name, status in refused.items() if status < 400} == {"key", "repaired"}, refused
    assert {attempt["outcome"] for one in story.deliveries for attempt in one["attempts"]} >= {
        "sent",
        "retry",
    }


def test_the_search_finds_what_it_is_for(story: Story) -> None:
    for kind in KINDS:
        secret = next(iter(story.secrets[kind]))
        assert leaks(story, [f"x {secret} y"])
        assert leaks(story, [{"a": [secret.encode()]}])
        assert leaks(story, [base64.b64encode(f"{{'t':'{secret}'}}".encode()).decode()])


def test_no_record_holds_one_before_anything_is_scrubbed(story: Story) -> None:
    plain = logging.Formatter()
    for record in story.logged():
        shown = [record.getMessage(), repr(record.msg), repr(record.args), repr(vars(record))]
        if record.exc_info:
            shown.append(plain.formatException(record.exc_info))
        assert leaks(story, shown) == []


@pytest.fixture
def formatter() -> Iterator[logging.Formatter]:
    """The formatter of the functions' log lines."""
    root = logging.getLogger("lantern")
    kept = (root.handlers, root.level, root.propagate)
    try:
        yield observability.attach("canaries").handlers[0].formatter
    finally:
        root.handlers, root.propagate = kept[0], kept[2]
        root.setLevel(kept[1])


def test_no_line_of_the_log_holds_one(story: Story, formatter: logging.Formatter) -> None:
    lines = [formatter.format(record) for record in story.logged()]
    assert leaks(story, lines) == []
    for line in lines:
        assert len(line.splitlines()) == 1, line
        json.loads(line)
    assert leaks(story, [story.printed.getvalue()]) == []


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_line_that_quotes_a_token_is_scrubbed(
    story: Story, formatter: logging.Formatter, kind: str
) -> None:
    """The second line of defence knows the provider's tokens and our keys by their looks."""
    if kind in ("code", "verifier", "channel token", "workflow"):
        # They look like any random text: what protects them is that they are never in a message.
        extra = {"channel_secret": next(iter(story.secrets[kind]))}
        record = logging.getLogger("lantern.x").makeRecord("x", 40, "f", 1, "m", (), None, extra=extra)
    else:
        secret = next(iter(story.secrets[kind]))
        try:
            raise ValueError(f"quoted {secret}")
        except ValueError as error:
            info = (ValueError, error, error.__traceback__)
        record = logging.LogRecord("lantern.x", 40, "f", 1, "said %s", (secret,), info)
    assert leaks(story, [formatter.format(record)]) == []


def test_no_exception_holds_one(story: Story) -> None:
    assert leaks(story, story.exceptions()) == []


def test_nothing_was_ever_sent_to_aws_in_the_clear(story: Story) -> None:
    calls = story.account.calls
    sealed = [c for c in calls if (c.service, c.operation) == ("kms", "Encrypt")]
    assert sealed, "the refresh token goes to KMS, and nowhere else"
    others = [c for c in calls if c not in sealed]
    sent = {(c.service, c.operation) for c in others}
    for needed in (
        ("sqs", "SendMessage"),
        ("scheduler", "CreateSchedule"),
        ("s3", "PutObject"),
        ("lambda", "Invoke"),
        ("dynamodb", "TransactWriteItems"),
    ):
        assert needed in sent, sent
    mails = [c for c in others if c.operation == "SendEmail"]
    assert mails, "a page's address goes to its person, and nowhere else"
    rest = [c for c in others if c not in mails]
    assert leaks(story, ([call.service, call.operation, call.params] for call in rest)) == []
    assert leaks(story, [call.params for call in mails], but=("page token",)) == []


def test_the_tables_hold_ciphertext_and_hashes_only(story: Story) -> None:
    assert story.connection in json.dumps(story.items, default=str)
    assert leaks(story, story.items) == []


def test_anchors_hold_none(story: Story) -> None:
    assert story.anchors
    assert leaks(story, [*story.anchors, *story.anchors.values()]) == []


def test_answers_and_pages_hold_none_but_what_is_shown_once(story: Story) -> None:
    shown = {secret for kind in SHOWN_ONCE for secret in story.secrets[kind]}
    times = dict.fromkeys(shown, 0)
    for function, answer in story.account.answers:
        body = "\n".join(strings(answer))
        for secret in shown:
            times[secret] += secret in body
        # A page's form leads to its own address.
        own = ("page token",) if function == "People" else ()
        assert leaks(story, [body], but=(*SHOWN_ONCE, "link token", *own)) == [], function
    assert times == dict.fromkeys(shown, 1)


def test_what_an_employee_writes_is_in_no_log(story: Story) -> None:
    """A reason is kept with the answer for who may read it; audit log and queues never hold it."""
    assert any(TYPED in shown for shown in map(_plain, story.items))
    said = [record.getMessage() + repr(vars(record)) for record in story.logged()]
    entries = json.dumps(story.shown["/v1/audit"].json["data"])
    assert not [text for text in (*said, *story.exceptions(), entries) if TYPED in text]
    other = (c.params for c in story.account.calls if c.service not in ("dynamodb", "kms"))
    assert not [text for params in other for text in strings(params) if TYPED in text]


def _plain(item: dict[str, Any]) -> str:
    """The body of an item of the tenants' table."""
    body = item.get("body", {}).get("B", b"")
    return (zlib.decompress(body) if body[:1] == b"\x78" else body).decode("latin-1")
