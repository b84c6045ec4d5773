"""Whose a new account is, by the index of addresses: it is stored under its person with its first write."""

from collections.abc import Iterable, Mapping
from typing import Final

from lantern.domain.inventory import Principal
from lantern.domain.people import Account, Bearer, account
from lantern.store.tenant import TenantStore

_FEW: Final = 16
"""Up to so many addresses are looked up by themselves; for more, the index is read once."""


class Newcomers:
    """The persons that new accounts of one connection belong to, as far as that is beyond doubt.

    An address that somebody bears at this connection already is in doubt: the newcomer may be the next to
    have it. Joining decides, and repairs whatever is left here.
    """

    def __init__(self, store: TenantStore, connection_id: str) -> None:
        self._people = store.people
        self._connection = connection_id
        self._whole: Mapping[bytes, Bearer] | None = None
        self._met: set[str] = set()

    def meet(self, principals: Iterable[Principal]) -> dict[str, str]:
        """Principal id → person id, for those that are known by an address."""
        new = [one for one in map(account, principals) if one.human and one.addresses]
        if not new:
            return {}
        known = self._known({address for one in new for address in one.addresses})
        found: dict[str, str] = {}
        for one in new:
            person = self._person(one, known)
            if person is not None:
                found[one.id] = person
            self._met |= one.addresses
        return found

    def _person(self, one: Account, known: Mapping[str, Bearer]) -> str | None:
        if one.addresses & self._met:
            return None
        bearers = [known[address] for address in one.addresses if address in known]
        persons = {bearer.person_id for bearer in bearers}
        if len(persons) != 1 or any(self._connection in bearer.connections for bearer in bearers):
            return None
        return persons.pop()

    def _known(self, addresses: set[str]) -> dict[str, Bearer]:
        if self._whole is None and len(addresses) <= _FEW:
            return self._people.bearers(addresses)
        if self._whole is None:
            self._whole = self._people.all_bearers().bearers
        prints = {address: self._people.fingerprint(address) for address in addresses}
        return {address: self._whole[mark] for address, mark in prints.items() if mark in self._whole}
