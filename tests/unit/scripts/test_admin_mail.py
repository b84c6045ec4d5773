"""`mail on|off|status`."""

from scripts.admin_cli.target import Backend
from tests.unit.scripts.conftest import Admin
from tests.unit.scripts.test_admin_tenants import connection


def test_headers_of_mail_are_asked_for_shown_and_ended(admin: Admin, backend: Backend, tenant: str) -> None:
    store = backend.tenant(tenant)
    store.connections.put(connection("con_a"))
    assert admin("mail", "status", tenant, "con_a", "--json").data["state"] == "never_asked"
    assert admin("mail", "off", tenant, "con_a").code == 1
    assert admin("mail", "on", tenant, "con_a", "--json").data["state"] == "asked"
    asked = store.mail.get("con_a")
    assert asked is not None
    assert (asked.asked_by, store.connections.get("con_a").mail) == (backend.operator, True)
    assert "asked" in admin("mail", "status", tenant, "con_a").out
    assert admin("mail", "off", tenant, "con_a", "--json").data["state"] == "ending"
    refused = admin("mail", "on", tenant, "con_a")
    assert refused.code == 1
    assert "taken back" in refused.err
    assert admin("mail", "on", tenant, "con_b").code == 2
