"""The index of people: whose an address is, and which accounts a person has. Both packed, 64 parts each.

An address is in no key and no body: a fingerprint keyed by the tenant stands for it. Parts are derived from
bundles, written where they differ, and only on the revision they were computed from.
"""

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from lantern.domain import ids
from lantern.domain.columns import Reader, Writer, pack_principal, unpack_principal
from lantern.domain.people import Bearer, PersonRecord
from lantern.store.documents import Doc, Documents
from lantern.store.keys import Key

PARTS: Final = 64
_VERSION: Final = 1
_FINGERPRINT: Final = 10
_PERSON: Final = 10
_SHIFT: Final = 2  # the upper 6 bits of a byte
_WIDE: Final = 31  # the bit that stands for every further connection
_DEPARTED, _ADMIN, _NO_ADMIN = 1, 2, 4
_names: Final = msgspec.json.Decoder(tuple[str, ...])


@dataclass(frozen=True, slots=True)
class PersonPart:
    """A part of the persons, with the tenant's connections as of the last joining."""

    connections: tuple[str, ...]
    records: Mapping[str, PersonRecord]


@dataclass(frozen=True, slots=True)
class AddressIndex:
    """The whole index of addresses as it was read; `revisions` are those a replacement is written on."""

    bearers: Mapping[bytes, Bearer]
    docs: Mapping[int, Doc]


class PeopleRepository:
    """Whose addresses are, and persons of more than one account."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._keys = documents.keys
        self._secret = documents.keys.prefix.encode()

    def fingerprint(self, address: str) -> bytes:
        """What stands for a normal address; another one in every tenant."""
        return hmac.digest(self._secret, address.encode(), hashlib.sha256)[:_FINGERPRINT]

    # --- addresses ------------------------------------------------------------------------------
    def bearers(self, addresses: Iterable[str]) -> dict[str, Bearer]:
        """Whose these normal addresses are, as far as known. One request."""
        prints = {address: self.fingerprint(address) for address in addresses}
        parts = sorted({_part(print_) for print_ in prints.values()})
        found: dict[bytes, Bearer] = {}
        for doc in self._documents.batch_get(map(self._keys.addresses, parts)).values():
            found.update(_decode_addresses(doc.body))
        return {address: found[print_] for address, print_ in prints.items() if print_ in found}

    def all_bearers(self) -> AddressIndex:
        """The whole index. One request, consistent: what the next index is computed from."""
        keys = {self._keys.addresses(number): number for number in range(PARTS)}
        docs = self._documents.batch_get(keys, consistent=True)
        found: dict[bytes, Bearer] = {}
        for doc in docs.values():
            found.update(_decode_addresses(doc.body))
        return AddressIndex(found, {keys[key]: doc for key, doc in docs.items()})

    def put_bearers(self, bearers: Mapping[str, Bearer], before: AddressIndex) -> int:
        """Make the index say exactly this; returns how many parts were written.

        Raises:
            RevisionConflictError: somebody else wrote it since `before` was read.
        """
        parts: dict[int, dict[bytes, Bearer]] = defaultdict(dict)
        for address, bearer in bearers.items():
            print_ = self.fingerprint(address)
            parts[_part(print_)][print_] = bearer
        return sum(
            self._replace(
                self._keys.addresses(number),
                "addresses",
                _encode_addresses(parts[number]),
                doc,
                len(parts[number]),
            )
            for number in range(PARTS)
            if (doc := before.docs.get(number)) is not None or parts.get(number)
        )

    # --- persons --------------------------------------------------------------------------------
    def record(self, person_id: str) -> tuple[PersonRecord | None, PersonPart | None]:
        """A person of several accounts, and the part it is or would be in. One request."""
        doc = self._documents.get(self.part_key(person_id))
        part = decode_persons(doc.body) if doc else None
        return (part.records.get(person_id) if part else None), part

    def records(self, person_ids: Iterable[str]) -> dict[str, PersonRecord]:
        """Those of these persons that have several accounts. One request."""
        wanted = set(person_ids)
        found: dict[str, PersonRecord] = {}
        for doc in self._documents.batch_get({self.part_key(one) for one in wanted}).values():
            records = decode_persons(doc.body).records
            found |= {name: records[name] for name in wanted & records.keys()}
        return found

    def all_records(self) -> dict[str, PersonRecord]:
        """All persons of several accounts. One query."""
        docs = self._documents.query(self._keys.persons())
        return {name: one for doc in docs for name, one in decode_persons(doc.body).records.items()}

    def part_key(self, person_id: str) -> Key:
        """The part that a person is in."""
        return self._keys.person_part(_part(ids.pack_person(person_id)))

    def put_records(self, records: Mapping[str, PersonRecord], connections: Iterable[str]) -> int:
        """Make the persons of several accounts be exactly these; returns how many parts were written.

        Raises:
            RevisionConflictError: somebody else wrote them meanwhile.
        """
        names = tuple(sorted(connections))
        parts: dict[int, dict[str, PersonRecord]] = defaultdict(dict)
        for name, one in records.items():
            parts[_part(ids.pack_person(name))][name] = one
        keys = {number: self._keys.person_part(number) for number in range(PARTS)}
        stored = self._documents.batch_get(keys.values(), consistent=True)
        return sum(
            self._replace(key, "persons", _encode_persons(parts[number], names), stored.get(key), 1)
            for number, key in keys.items()
        )

    def put_record(self, one: PersonRecord) -> bool:
        """Replace the record of a person that is known; False where it is not, or says the same.

        Raises:
            RevisionConflictError: somebody else wrote the part meanwhile.
        """
        key = self.part_key(one.person_id)
        doc = self._documents.get(key, consistent=True)
        part = decode_persons(doc.body) if doc else None
        if doc is None or part is None or part.records.get(one.person_id) in (None, one):
            return False
        body = _encode_persons({**part.records, one.person_id: one}, part.connections)
        return self._replace(key, "persons", body, doc, 1) == 1

    def _replace(self, key: Key, kind: str, body: tuple[bytes, bytes], old: Doc | None, size: int) -> int:
        packed, digest = body
        if (old is None and not size) or (old is not None and old.digest == digest):
            return 0
        rev = old.rev if old else 0
        self._documents.put(Doc(key, kind, packed, rev=rev + 1, digest=digest), rev)
        return 1


def _part(raw: bytes) -> int:
    return raw[0] >> _SHIFT


def _encode_addresses(bearers: Mapping[bytes, Bearer]) -> tuple[bytes, bytes]:
    names = sorted({cid for one in bearers.values() for cid in one.connections})
    places = {cid: min(place, _WIDE) for place, cid in enumerate(names)}
    prints = sorted(bearers)
    masks = [sum({1 << places[cid] for cid in bearers[print_].connections}) for print_ in prints]
    out = Writer()
    out.blob(msgspec.json.encode(names))
    out.count(len(prints))
    out.ids(bytes, prints)  # type: ignore[arg-type] # fingerprints are bytes already
    out.ids(ids.pack_person, [bearers[print_].person_id for print_ in prints])
    out.numbers("I", masks)
    return out.finish(_VERSION), hashlib.sha256(out.payload()).digest()[:8]


def _decode_addresses(packed: bytes) -> dict[bytes, Bearer]:
    source = Reader(packed, frozenset({_VERSION}))
    names = _names.decode(source.blob())
    length = source.count()
    prints: list[bytes] = source.ids(bytes, _FINGERPRINT, length)  # type: ignore[arg-type,assignment] # as above
    persons = source.ids(ids.unpack_person, _PERSON, length)
    masks = source.numbers("I", length)
    source.end()
    sets = {mask: _connections(mask, names) for mask in set(masks)}
    return {
        print_: Bearer(person, sets[mask])
        for print_, person, mask in zip(prints, persons, masks, strict=True)
    }


def _connections(mask: int, names: tuple[str, ...]) -> frozenset[str]:
    first = {name for place, name in enumerate(names[:_WIDE]) if mask >> place & 1}
    return frozenset(first | (set(names[_WIDE:]) if mask >> _WIDE & 1 else set()))


def _encode_persons(records: Mapping[str, PersonRecord], names: tuple[str, ...]) -> tuple[bytes, bytes]:
    persons = sorted(records)
    rows = [records[name] for name in persons]
    known = sorted({*names, *(cid for one in rows for cid, _ in one.accounts)})
    places = {cid: place for place, cid in enumerate(known)}
    out = Writer()
    out.blob(msgspec.json.encode(known))
    out.count(len(rows))
    out.ids(ids.pack_person, persons)
    out.numbers("B", [_flags(one) for one in rows])
    out.numbers("H", [len(one.accounts) for one in rows])
    out.numbers("H", [places[cid] for one in rows for cid, _ in one.accounts])
    out.ids(pack_principal, [pid for one in rows for _, pid in one.accounts])
    return out.finish(_VERSION), hashlib.sha256(out.payload()).digest()[:8]


def _flags(one: PersonRecord) -> int:
    admin = 0 if one.admin is None else _ADMIN if one.admin else _NO_ADMIN
    return admin | (_DEPARTED if one.departed else 0)


def decode_persons(packed: bytes) -> PersonPart:
    """A part of the persons of its packed form.

    Raises:
        CodecError: damaged or unknown bytes.
    """
    source = Reader(packed, frozenset({_VERSION}))
    names = _names.decode(source.blob())
    length = source.count()
    persons = source.ids(ids.unpack_person, _PERSON, length)
    flags, sizes = source.numbers("B", length), source.numbers("H", length)
    places = source.numbers("H", sum(sizes))
    principals = source.ids(unpack_principal, _PERSON, sum(sizes))
    source.end()
    rows = iter(zip(places, principals, strict=True))
    return PersonPart(
        names,
        {
            person: PersonRecord(
                person,
                tuple((names[place], pid) for place, pid in (next(rows) for _ in range(size))),
                departed=bool(flag & _DEPARTED),
                admin=True if flag & _ADMIN else False if flag & _NO_ADMIN else None,
            )
            for person, flag, size in zip(persons, flags, sizes, strict=True)
        },
    )
