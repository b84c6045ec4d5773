"""One Google Workspace customer: its people, its apps and its grants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .extras import Extras
from .grants import GrantTable
from .model import App, User

if TYPE_CHECKING:
    from .activity import ActivityLog


@dataclass(frozen=True, slots=True)
class OrgSpec:
    """What to generate.

    Args:
        employees: 10 to 20,000 (smaller works too).
        seed: everything follows from it.
        domain: primary domain.
        customer_id: Google's immutable id; from the seed when absent.
        anchor: epoch seconds that "today" means; the clock's now when absent.
        grants_per_user: exactly so many grants each (benchmarks); about 14, by popularity, when absent.
        events_per_user_day: `activity` events offered a day and user; 100 with 10,000 people is a million.
        long_tail: so many small unknown apps besides the 147 known ones.
        hostile: adds apps and a person with hostile names.
        machines: so many of the last accounts are shared mailboxes and service accounts, at most 4.
    """

    employees: int = 250
    seed: int = 7
    domain: str = "harbourline.example"
    customer_id: str | None = None
    anchor: float | None = None
    grants_per_user: int | None = None
    events_per_user_day: float = 4.0
    long_tail: int = 0
    hostile: bool = False
    machines: int = 0


class Organisation:
    """People by id and address, apps by client id, grants, and the audit log."""

    log: ActivityLog

    def __init__(
        self,
        spec: OrgSpec,
        customer_id: str,
        domain: str,
        users: list[User],
        apps: Sequence[App],
        grants: GrantTable,
    ) -> None:
        self.spec = spec
        self.customer_id = customer_id
        self.domain = domain
        self.users = users
        self.app_list = list(apps)
        self.apps = {app.client_id: app for app in apps}
        self.grants = grants
        self.extras = Extras()
        self.by_id = {user.id: user for user in users}
        self.by_email = {user.email: user for user in users}

    @property
    def anchor(self) -> float:
        """The epoch seconds at which the generated history ends."""
        return self.spec.anchor or 0.0

    @property
    def admin(self) -> User:
        """The first super administrator."""
        return next(user for user in self.users if user.is_admin and user.can_sign_in)

    def find(self, key: str, *, deleted: bool = False) -> User | None:
        """A user by id or primary address; deleted ones only on request."""
        user = self.by_id.get(key) or self.by_email.get(key.lower())
        if user is None or (user.deleted_at is not None and not deleted):
            return None
        return user

    def add_user(self, user: User) -> User:
        """Take in a new user; the caller chose a free address."""
        self.users.append(user)
        self.by_id[user.id] = user
        self.by_email[user.email] = user
        return user

    def add_app(self, app: App) -> App:
        """Make an app known."""
        if app.client_id not in self.apps:
            self.app_list.append(app)
        self.apps[app.client_id] = app
        return app
