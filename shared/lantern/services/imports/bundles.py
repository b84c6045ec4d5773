"""A census as the bundles of one connection: complete for whoever the file names, silent about the others."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from lantern.connectors.protocol import Deadline, Unread
from lantern.domain import ids
from lantern.domain.exports.census import NOT_TOLD, Census, Held
from lantern.domain.inventory import App, Bundle, GrantSource, Observation, ObservedGrant, Principal, Provider
from lantern.domain.tenancy import Connection
from lantern.domain.use import UseRow
from lantern.store.tenant import TenantStore

NOT_TOLD_SCOPE: Final = "lantern:not-told-by-the-export"
"""In place of permissions that a file does not tell: no table knows it, so it is taken as risky."""
_ORGANISATION: Final = "organisation"


def connection_id(tenant_id: str, provider: Provider, source: str = "") -> str:
    """The connection under which a tenant's imports of a provider are kept, apart for each named source."""
    return ids.derived_id("con", tenant_id, "import", provider, *([source] if source else []))


class ImportedBundles:
    """What a file says about the people of one provider; reads like a connector.

    A list says of an account all that it holds; a log of the web (`visits`) only adds to what is known.
    """

    def __init__(
        self, store: TenantStore, connection: Connection, census: Census, *, visits: bool = False
    ) -> None:
        self._store = store
        self._connection = connection
        self._census = census
        self._source: GrantSource = "visit" if visits else "consent"
        self._complete: frozenset[GrantSource] | None = frozenset() if visits else None
        self._held: dict[int, list[Held]] = {}
        for held in census.grants():
            if census.apps[held.app].provider == connection.provider:
                self._held.setdefault(held.person, []).append(held)
        self._number: dict[str, int] = {}

    def principals(self) -> list[Principal]:
        """Everybody the file names here, people who are only listed too."""
        numbers = [
            number
            for number, person in enumerate(self._census.people)
            if number in self._held or person.listed == self._connection.provider
        ]
        found = []
        for number in numbers:
            principal = self._principal(number)
            self._number[principal.id] = number
            found.append(principal)
        return found

    def read(self, principals: Sequence[Principal], deadline: Deadline) -> Iterator[Observation | Unread]:
        """The bundles of these principals; what the file does not say of an account stays as it was."""
        stored = self._store.bundles.batch_get(self._connection.id, [one.id for one in principals])
        for one in principals:
            if deadline.passed():
                return
            yield self._observation(one, stored)

    def uses(self) -> Iterator[UseRow]:
        """The last use of each grant that the file dates."""
        for number, grants in self._held.items():
            principal = self._principal(number)
            for held in grants:
                if held.last_used is not None:
                    yield UseRow(principal.id, self._app(held.app).id, 1, held.last_used)

    def _observation(self, principal: Principal, stored: Mapping[str, Bundle]) -> Observation:
        number = self._number[principal.id]
        known = stored.get(principal.id)
        told = self._principal(number, known.principal if known else None)
        grants = self._held.get(number)
        if grants is None:
            return Observation(told, None)
        return Observation(told, tuple(map(self._grant, grants)), sources=self._complete)

    def _principal(self, number: int, known: Principal | None = None) -> Principal:
        person, connection = self._census.people[number], self._connection
        native = _ORGANISATION if person.kind == "organisation" else person.label.casefold()
        pid = ids.principal_id(connection.provider, connection.organisation_id, native)
        return Principal(
            id=pid,
            connection_id=connection.id,
            native_id=native,
            kind=person.kind,
            status=person.status or (known.status if known else "active"),
            person_id=ids.person_id(pid),
            email=person.label if "@" in person.label else None,
            name=person.name or (known.name if known else None),
            admin=person.admin if person.admin is not None or known is None else known.admin,
        )

    def _grant(self, held: Held) -> ObservedGrant:
        told = held.permissions != NOT_TOLD
        scopes = {one.scope for one in self._census.sets[held.permissions]} if told else {NOT_TOLD_SCOPE}
        return ObservedGrant(self._app(held.app), frozenset(scopes), held.granted_on, self._source)

    def _app(self, number: int) -> App:
        app = self._census.apps[number]
        return App(
            id=ids.app_id(app.provider, app.client_id),
            provider=app.provider,
            client_id=app.client_id,
            name=app.name,
            kind=app.kind,
            publisher=app.publisher,
            domains=app.domains,
            verified_publisher=app.verified_publisher,
        )
