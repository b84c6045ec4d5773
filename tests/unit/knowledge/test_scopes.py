"""Scope classes: the official labels of a sample, the taxonomy, and what is not known."""

from pathlib import Path

import pytest

from lantern.domain.scopes import SEVERITIES, classify, severity_of, severity_rank, worst
from lantern.services.scopes import Scopes, ScopeTableError
from scripts.build import compile_scopes
from scripts.build.sources import SourceError

_PREFIX = "https://www.googleapis.com/auth/"

# Google's published labels: developers.google.com/workspace/{gmail,drive,chat,meet,docs,sheets} scope pages.
_RESTRICTED = """
    https://mail.google.com/ gmail.readonly gmail.modify gmail.compose gmail.insert gmail.metadata
    gmail.settings.basic gmail.settings.sharing drive drive.readonly drive.metadata drive.metadata.readonly
    drive.activity drive.activity.readonly drive.scripts drive.meet.readonly chat.messages
    chat.messages.readonly chat.delete chat.import chat.admin.delete chat.app.delete
    chat.app.messages.readonly
"""
_SENSITIVE = """
    gmail.send gmail.addons.current.message.readonly gmail.addons.current.message.metadata drive.apps.readonly
    documents documents.readonly spreadsheets spreadsheets.readonly chat.messages.create
    chat.messages.reactions chat.messages.reactions.create chat.messages.reactions.readonly chat.spaces
    chat.spaces.create chat.spaces.readonly chat.memberships chat.memberships.app chat.memberships.readonly
    chat.admin.memberships chat.admin.memberships.readonly chat.admin.spaces chat.admin.spaces.readonly
    chat.app.memberships chat.app.memberships.readonly chat.app.spaces chat.app.spaces.create
    chat.app.spaces.readonly chat.customemojis chat.customemojis.readonly chat.users.readstate
    chat.users.readstate.readonly chat.users.sections chat.users.sections.readonly chat.users.spacesettings
    meetings.space.created meetings.space.readonly calendar contacts.readonly
    admin.directory.user.readonly admin.directory.group.readonly
"""
_PLAIN = """
    openid email profile drive.file drive.appdata drive.appfolder drive.install gmail.labels
    gmail.addons.current.action.compose gmail.addons.current.message.action meetings.space.settings chat.bot
    userinfo.email
"""


@pytest.fixture(scope="session")
def scopes(tmp_path_factory: pytest.TempPathFactory) -> Scopes:
    out = tmp_path_factory.mktemp("scopes")
    compile_scopes.compile_to(out)
    return Scopes(out)


def _full(short: str) -> str:
    return short if short.startswith("https:") or short in {"openid", "email", "profile"} else _PREFIX + short


@pytest.mark.parametrize(
    ("listed", "label"), [(_RESTRICTED, "restricted"), (_SENSITIVE, "sensitive"), (_PLAIN, None)]
)
def test_official_labels(scopes: Scopes, listed: str, label: str | None) -> None:
    found = {short: scopes.classify("google", _full(short)).label for short in listed.split()}
    assert found == dict.fromkeys(found, label)


@pytest.mark.parametrize(
    ("short", "data_class", "access", "severity"),
    [
        ("openid", "identity", "metadata", "none"),
        ("https://mail.google.com/", "mail", "admin", "critical"),
        ("gmail.send", "mail", "send", "high"),
        ("gmail.settings.sharing", "mail", "impersonate", "critical"),
        ("drive", "files", "admin", "critical"),
        ("drive.readonly", "files", "read", "high"),
        ("drive.file", "files", "write", "low"),
        ("calendar.readonly", "calendar", "read", "medium"),
        ("contacts", "contacts", "write", "medium"),
        ("admin.directory.rolemanagement", "directory", "admin", "critical"),
        ("admin.directory.user.security", "security", "admin", "critical"),
        ("admin.directory.device.chromeos.readonly", "device", "read", "medium"),
        ("cloud-platform", "infrastructure", "admin", "critical"),
        ("bigquery", "infrastructure", "write", "high"),
        ("aiplatform", "ai_content", "write", "medium"),
        ("analytics.readonly", "analytics", "read", "low"),
        ("fitness.heart_rate.read", "identity", "read", "high"),
        ("cloud-billing.readonly", "finance", "read", "high"),
        ("source.read_write", "code", "write", "high"),
        ("chat.app.all.messages.readonly", "chat", "read", "critical"),
    ],
)
def test_taxonomy(scopes: Scopes, short: str, data_class: str, access: str, severity: str) -> None:
    found = scopes.classify("google", _full(short))
    assert (found.data_class, found.access, found.severity, found.known) == (
        data_class,
        access,
        severity,
        True,
    )
    assert found.sentence[0].isupper()
    assert not found.sentence.endswith(".")


@pytest.mark.parametrize(
    "scope", ["https://www.googleapis.com/auth/zzz.new", "weird", "", "x" * 9000, "zzz.readonly"]
)
def test_the_unknown_is_said_and_never_low(scopes: Scopes, scope: str) -> None:
    found = scopes.classify("google", scope)
    assert (found.known, found.source, found.data_class, found.label) == (False, "unknown", None, None)
    assert severity_rank(found.severity) >= severity_rank("medium")
    assert len(found.scope) <= 300


def test_a_provider_without_a_table_is_unknown(scopes: Scopes) -> None:
    found = scopes.classify("nobody", "users.read")
    assert (found.known, found.severity) == (False, "high")
    table = scopes.table("google")
    assert table is not None
    with pytest.raises(ValueError, match="google's, not okta's"):
        classify("okta", "okta.users.read", table=table)


def test_the_sentences_of_the_matrix_are_ordered() -> None:
    for data_class in ("mail", "files", "identity", "directory"):
        ranks = [
            severity_rank(severity_of(data_class, access))
            for access in ("metadata", "read", "admin", "impersonate")
        ]
        assert ranks == sorted(ranks)
        assert severity_of(data_class, "impersonate") == "critical"


def test_worst(scopes: Scopes) -> None:
    classes = [scopes.classify("google", _full(short)) for short in ("openid", "drive.readonly", "email")]
    assert worst(classes) == "high"
    assert worst([]) == SEVERITIES[0]


def test_damaged_table(tmp_path: Path) -> None:
    (tmp_path / "scopes-google.json").write_text('{"format": 99}')
    with pytest.raises(ScopeTableError, match=r"scopes-google\.json"):
        Scopes(tmp_path).classify("google", "openid")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("rows: {mail: {a: {access: reed, says: Read it}}}", "t.yaml: rows: mail: a: access"),
        ("rows: {post: {a: {access: read, says: Read it}}}", "t.yaml: rows: post"),
        ("rows: {mail: {a: {access: read, label: secret, says: Read it}}}", "a: label secret is not one of"),
        (
            "rows: {mail: {a: {access: read, says: Read}}, files: {a: {access: read, says: Read}}}",
            "a is in two groups",
        ),
        (
            "rows: {mail: {a: {access: read, says: Read}, A/: {access: read, says: Read}}}",
            "A/ is in two groups",
        ),
        ("rows: {mail: {a: {access: read, says: Read, delegated: low}}}", "a: delegated is for tables"),
        (
            "scales: {odd: {read: high, write: low}}\nrows: {}",
            "scale odd: read is worse than write",
        ),
        (
            "rows: {}\nfamilies: [{patterns: [a.*], data: mail, noun: mail, scale: none}]",
            "a.*: scale none is not there",
        ),
    ],
)
def test_errors_name_file_scope_and_field(tmp_path: Path, body: str, said: str) -> None:
    head = "provider: t\ncounts: person\nlabels: [restricted]\noperations: {read: ['*.read']}\n"
    (tmp_path / "t.yaml").write_text(head + body, encoding="utf-8")
    with pytest.raises(SourceError) as caught:
        compile_scopes.compile_to(tmp_path / "out", tmp_path)
    assert said in str(caught.value)


@pytest.mark.parametrize("provider", ["web", "okta", "google", "nobody"])
def test_a_visit_is_classed_for_every_provider_and_never_as_a_risk(scopes: Scopes, provider: str) -> None:
    found = scopes.classify(provider, "web:visit")
    assert found.known
    assert found.severity in ("none", "low")
    assert not scopes.classify(provider, "web:visits").known
