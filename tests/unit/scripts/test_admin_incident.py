"""`incident raise` and `incident list`."""

from scripts.admin_cli.target import Backend
from tests.unit.scripts.conftest import Admin

WORDS = ("--summary", "Tokens were  stolen", "--occurred", "2026-03-13T08:00:00")


def test_an_incident_is_raised_for_all_tenants_and_listed(admin: Admin, backend: Backend) -> None:
    shown = admin("incident", "raise", "openai", *WORDS, "--dry-run")
    assert "Would raise" in shown.out
    assert backend.platform.notices.all() == ()
    done = admin("incident", "raise", "openai", *WORDS, "--json").data
    (notice,) = backend.platform.notices.all()
    assert (notice.id, notice.vendor_id, notice.summary) == (done["id"], "openai", "Tokens were stolen")
    assert notice.raised_by == backend.operator
    assert admin("incident", "raise", "openai", *WORDS, "--url", "https://status.example").code == 0
    listed = admin("incident", "list", "--json").data["data"]
    assert [one["url"] for one in listed] == ["https://status.example", ""]
    assert "Tokens were stolen" in admin("incident", "list").out


def test_what_cannot_be_is_refused(admin: Admin, backend: Backend) -> None:
    for arguments in (
        ("nobody", *WORDS),
        ("openai", "--summary", " ", *WORDS[2:]),
        ("openai", *WORDS[:2], "--occurred", "yesterday"),
        ("openai", *WORDS[:2], "--occurred", "2027-01-01T00:00:00Z"),
        ("openai", *WORDS, "--url", "http://x.example"),
    ):
        assert admin("incident", "raise", *arguments).code == 2, arguments
    assert backend.platform.notices.all() == ()
