"""`catalog vendor`: what changed in the profile of a vendor, told without a deploy."""

from pathlib import Path

import pytest

from lantern.domain.blast import ReachState, VendorReach
from scripts.admin_cli.target import Backend
from tests.unit.scripts.conftest import NOW, Admin

PAGE = "https://openai.com/policies/terms"
SET = ("catalog", "vendor", "set", "openai", "trains-on-business-data", "yes")
WHERE = ("--source", PAGE, "--date", "2026-03-10")


def test_a_change_is_previewed_published_once_listed_and_taken_back(
    admin: Admin, backend: Backend, tenant: str
) -> None:
    other = str(admin("tenant", "create", "Other", "--json").data["id"])
    reach = VendorReach("openai", "OpenAI", 3, 2, 1, ())
    state = ReachState(NOW, ())
    backend.tenant(tenant).reach.put_all([reach], state)

    shown = admin(*SET, *WHERE, "--dry-run")
    assert (shown.code, backend.platform.catalog.version()) == (0, 0)
    assert f"openai trains_on_business_data: no → yes · 2026-03-10, {PAGE}" in shown.out
    assert "Used by 1 of 2 tenants. Nothing was published." in shown.err
    dry = admin(*SET, *WHERE, "--dry-run", "--json").data
    assert (dry["published"], dry["tenants"]) == (False, {"using": [tenant], "of": 2})
    assert other not in dry["tenants"]["using"]

    done = admin(*SET, *WHERE, "--note", "told by  mail", "--json").data
    assert (done["published"], done["version"], done["by"]) == (True, 1, backend.operator)
    assert (done["note"], done["vendor"]) == ("told by mail", "OpenAI")
    assert done["changes"] == [
        {
            "vendor_id": "openai", "what": "trains_on_business_data", "before": "no", "after": "yes",
            "source": PAGE, "date": "2026-03-10", "taken_back": False,
        }
    ]  # fmt: skip
    again = admin(*SET, *WHERE)
    assert (again.code, "Nothing changes" in again.out) == (0, True)
    assert admin(*SET, *WHERE, "--json").data["changes"] == []
    assert backend.platform.catalog.version() == 1

    told = admin("catalog", "vendor", "set", "OpenAI", "retention", "90", *WHERE)
    assert "openai retention: 30 days → 90 days" in told.out
    assert "Published as version 2." in told.out
    assert "15 minutes" in told.err

    gone = admin("catalog", "vendor", "retract", "openai/retention", "--note", "a mistake")
    assert "openai retention: 90 days → 30 days (taken back)" in gone.out
    listed = admin("catalog", "vendor", "list", "--json").data
    assert listed["version"] == 3
    assert [(one["id"], one["before"], one["after"], one["source"]) for one in listed["data"]] == [
        ("openai/trains_on_business_data", "no", "yes", PAGE)
    ]
    assert [(one["version"], one["note"]) for one in listed["history"]] == [
        (3, "a mistake"),
        (2, ""),
        (1, "told by mail"),
    ]
    table = admin("catalog", "vendor", "list").out
    assert "openai/trains_on_business_data" in table
    assert "(taken back)" in table
    assert "openai/retention" in admin("catalog", "overlay", "list").out


def test_products_and_vendors_are_published_beside_each_other(
    admin: Admin, backend: Backend, tmp_path: Path
) -> None:
    admin(*SET, *WHERE)
    file = tmp_path / "update.yaml"
    file.write_text("note: n\nretractions: [grammarly]\n", encoding="utf-8")
    admin("catalog", "publish", str(file))
    admin("catalog", "vendor", "set", "openai", "dpa", "no", *WHERE)
    current = backend.platform.catalog.current()
    assert [one.id for one in current.entries] == ["grammarly"]
    assert [one.id for one in current.vendors] == ["openai/dpa", "openai/trains_on_business_data"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody", "soc2", "yes", *WHERE), "VENDOR: 'nobody' has no profile"),
        (("openai", "revision", "yes", *WHERE), "FIELD: does not fit: a profile says trains_on"),
        (("openai", "soc2", "perhaps", *WHERE), "VALUE: does not fit: soc2 is yes, no or unknown"),
        (("openai", "soc2", "no", "--source", "openai.com", "--date", "2026-03"), "--source: does not fit"),
        (
            ("openai", "soc2", "no", "--source", PAGE, "--date", "2027-01"),
            "--date: does not fit: the date is",
        ),
        (("openai", "soc2", "no", "--source", PAGE), "--date"),
    ],
)
def test_what_cannot_be_said_is_named(
    admin: Admin, backend: Backend, arguments: tuple[str, ...], said: str
) -> None:
    ran = admin("catalog", "vendor", "set", *arguments)
    assert ran.code == 2
    assert said in ran.err, ran.err
    assert backend.platform.catalog.version() == 0


def test_only_what_was_said_is_taken_back_and_with_a_reason(admin: Admin) -> None:
    missing = admin("catalog", "vendor", "retract", "openai/soc2", "--note", "n")
    assert (missing.code, "We say nothing under openai/soc2" in missing.err) == (1, True)
    assert admin("catalog", "vendor", "retract", "openai/soc2", "--note", " ").code == 2
