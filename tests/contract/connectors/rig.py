"""What a rig gives to the conformance suite: a connected organisation, and what is its provider's own.

A provider's rig is a dataclass on top of this one, in `<provider>_rig.py`, made by a context manager named
like the provider. It overrides what differs.
"""

from collections.abc import Collection
from typing import Any, ClassVar, Literal

from lantern.connectors import registry
from lantern.connectors.protocol import Action, Connector, Deadline
from lantern.domain.inventory import Principal


class Rig:
    """The simulator with access given; `connector` is as production makes it.

    `api_paths` match the provider's API, `secret_paths` also what gives tokens out; `act_paths` is the call
    that takes access away. `needed` are the permissions without which something is refused aloud.
    `answers_bare_lists` names what the provider lists as a bare array, where `[]` is a true answer.
    """

    simulator: Any
    io: registry.Io
    connector: Connector
    refresh_token: str

    api_paths: ClassVar[str]
    secret_paths: ClassVar[str]
    act_paths: ClassVar[tuple[str, str]]
    needed: ClassVar[Collection[str]]
    client_secret: str
    remaining_access_s: ClassVar[int] = 3600
    answers_bare_lists: ClassVar[frozenset[Literal["grants", "changes"]]] = frozenset()

    def deadline(self, seconds: float = 1e9) -> Deadline:
        """So many of the rig's seconds from now."""
        return Deadline(self.io.clock, self.io.clock.monotonic() + seconds)

    def everything(self) -> list[Principal]:
        """Every page of the listing."""
        found: list[Principal] = []
        cursor: str | None = None
        while True:
            page = self.connector.principals(cursor)
            found += page.principals
            cursor = page.cursor
            if cursor is None:
                return found

    def everybody(self) -> list[Principal]:
        """All of the listing that `truth` tells of."""
        return self.everything()

    def truth(self) -> dict[str, Any]:
        """By native id: the account's state, and its grants as client id → scopes."""
        return dict(self.simulator.control.truth())

    def victim(self, people: list[Principal]) -> Principal:
        """An account whose bundle can fail while all others are read."""
        return next(p for p in people if self.truth()[p.native_id]["grants"])

    def target(self) -> tuple[str, Action]:
        """An act that takes an app away, and from whom."""
        native_id, client_id = next(
            (key, next(iter(told["grants"])))
            for key, told in self.truth().items()
            if told["state"] == "active" and told["grants"]
        )
        return native_id, Action("revoke_grant", native_id, client_id)

    def secrets(self) -> list[str]:
        """Whatever must be in no log."""
        return [self.refresh_token, self.client_secret, *self.simulator.tokens.access]

    def clear(self) -> None:
        """No faults any more."""
        self.simulator.control.clear_faults()
