"""Control of what is beside people and grants: extensions, visits, sign-ins, Gemini, passwords, mail."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .extras import AppPassword, Extension, Mail, Mailbox, Site, Visits
from .model import digest, mix

if TYPE_CHECKING:
    from .simulator import GoogleSimulator


def extension_id(name: str) -> str:
    """A plausible extension id: 32 letters from a to p."""
    return "".join("abcdefghijklmnop"[int(letter, 16)] for letter in digest("extension", name)[:32])


class ExtrasControl:
    """Verbs of `Control`."""

    def __init__(self, simulator: "GoogleSimulator") -> None:
        self._simulator = simulator

    # -- Chrome ----------------------------------------------------------------------------------

    def add_extension(
        self,
        name: str,
        id: str | None = None,  # noqa: A002 - an argument over HTTP
        customer: str | None = None,
        **more: Any,
    ) -> str:
        """Make an extension known, or change it; `more` are fields of `Extension`. Returns its id."""
        org = self._simulator.world.org(customer)
        identifier = id or extension_id(name)
        with self._simulator.world.lock:
            known = org.extras.extensions.get(identifier)
            profiles = known.profiles if known else []
            org.extras.extensions[identifier] = Extension(identifier, name, **{"profiles": profiles, **more})
        self._simulator.world.touch(org)
        return identifier

    def install_extension(self, user: str, id: str) -> None:  # noqa: A002 - an argument over HTTP
        """Somebody's profile has the extension from now on."""
        org, found = self._simulator.world.need(user)
        with self._simulator.world.lock:
            one = org.extras.extensions[id]
            if found.email not in one.profiles:
                one.profiles.append(found.email)
            parameters = [
                {"name": "APP_ID", "value": one.id},
                {"name": "APP_NAME", "value": one.name},
                {"name": "PROFILE_USER_NAME", "value": found.email},
                {"name": "EXTENSION_ACTION", "value": "INSTALL"},
            ]
            now = self._simulator.world.clock.now()
            item = org.log.add(
                "chrome", found, "BROWSER_EXTENSION_INSTALL", parameters, now, type_="CHROME_BROWSER"
            )
        self._simulator.world.announce(org, "chrome", found, item)

    def uninstall_extension(self, user: str, id: str) -> None:  # noqa: A002 - an argument over HTTP
        """Somebody's profile has it no longer."""
        org, found = self._simulator.world.need(user)
        with self._simulator.world.lock:
            org.extras.extensions[id].profiles.remove(found.email)
        self._simulator.world.touch(org)

    def visit(
        self,
        user: str,
        app: str,
        domain: str,
        category: str = "Artificial Intelligence",
        at: float | None = None,
        visits: int = 1,
        transfers: int = 0,
    ) -> None:
        """Somebody visits a site in managed Chrome, and maybe sends content there."""
        org, found = self._simulator.world.need(user)
        when = self._simulator.world.clock.now() if at is None else at
        with self._simulator.world.lock:
            site = org.extras.sites.setdefault(app, Site(app, domain, category))
            seen = site.visits.setdefault(found.email, Visits(when, when, 0))
            seen.first, seen.last = min(seen.first, when), max(seen.last, when)
            seen.count += visits
            site.transfers += transfers
        self._simulator.world.touch(org)

    def forget_site(self, app: str, user: str | None = None, customer: str | None = None) -> None:
        """Chrome's report tells of a site, or of one person's visits there, no more."""
        org = self._simulator.world.org(customer)
        with self._simulator.world.lock:
            if user is None:
                del org.extras.sites[app]
            else:
                del org.extras.sites[app].visits[self._simulator.world.need(user)[1].email]
        self._simulator.world.touch(org)

    # -- audit -----------------------------------------------------------------------------------

    def saml(self, user: str, app: str, at: float | None = None, ok: bool = True) -> None:
        """Somebody signs in to an app by SAML, or tries to."""
        parameters: list[dict[str, Any]] = [
            {"name": "application_name", "value": app},
            {"name": "initiated_by", "value": "sp"},
            {"name": "orgunit_path", "value": "/"},
            {"name": "saml_status_code", "value": "SUCCESS_URI" if ok else "AUTHN_FAILED"},
        ]
        self._log("saml", user, "login_success" if ok else "login_failure", parameters, at, "login")

    def gemini(
        self, user: str, app: str = "docs", action: str = "summarize", at: float | None = None
    ) -> None:
        """Somebody uses Gemini in a Workspace app."""
        parameters: list[dict[str, Any]] = [
            {"name": "app_name", "value": app},
            {"name": "action", "value": action},
            {"name": "event_category", "value": "active_generate"},
            {"name": "feature_source", "value": "side_panel"},
        ]
        name = "feature_utilization"
        self._log("gemini_in_workspace_apps", user, name, parameters, at, "ai_usage_event")

    def _log(
        self,
        application: str,
        user: str,
        name: str,
        parameters: list[dict[str, Any]],
        at: float | None,
        type_: str,
    ) -> None:
        world = self._simulator.world
        org, found = world.need(user)
        with world.lock:
            when = world.clock.now() if at is None else at
            item = org.log.add(application, found, name, parameters, when, type_=type_)
        world.announce(org, application, found, item)

    # -- app passwords and sessions --------------------------------------------------------------

    def add_password(self, user: str, name: str, at: float | None = None) -> int:
        """Somebody makes an app password; returns its code id."""
        org, found = self._simulator.world.need(user)
        with self._simulator.world.lock:
            org.extras.codes += 1
            made = int(self._simulator.world.clock.now() if at is None else at)
            held = org.extras.passwords.setdefault(found.id, [])
            held.append(AppPassword(org.extras.codes, name, made))
        self._simulator.world.touch(org)
        return org.extras.codes

    def passwords_of(self, user: str) -> list[str]:
        """The names of somebody's app passwords."""
        org, found = self._simulator.world.need(user)
        return [one.name for one in org.extras.passwords.get(found.id, [])]

    def signed_out(self) -> list[str]:
        """Ids of accounts whose sessions were ended, in order."""
        return list(self._simulator.world.signed_out)

    # -- mail ------------------------------------------------------------------------------------

    def mail(self, user: str, headers: Sequence[Sequence[str]], at: float | None = None) -> str:
        """A message comes in; `headers` are pairs of name and value. Returns its id."""
        world = self._simulator.world
        org, found = world.need(user)
        with world.lock:
            box = org.extras.mailboxes.setdefault(found.id, Mailbox())
            box.history += 7
            identifier = f"{mix(box.history, org.spec.seed):016x}"
            when = world.clock.now() if at is None else at
            box.mails.append(Mail(identifier, box.history, when, [(n, v) for n, v in headers]))
        world.touch(org)
        return identifier
