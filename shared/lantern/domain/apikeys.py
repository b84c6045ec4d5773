"""API keys: their form, their checksum, what their scopes allow.

A key reads `lnt_<environment>_<id>_<secret><checksum>`. The checksum lets a mistyped or made-up key be
refused without a read, and secret scanners recognise one without asking anybody. Only a hash of the
key is ever stored.
"""

import hashlib
import hmac
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from lantern.domain import ids

Scope = Literal["read", "write", "remediate", "admin"]

SCOPES: Final[tuple[Scope, ...]] = ("read", "write", "remediate", "admin")

IMPLIES: Final[Mapping[str, frozenset[Scope]]] = {
    "read": frozenset({"read"}),
    "write": frozenset({"read", "write"}),
    "remediate": frozenset({"read", "remediate"}),
    "admin": frozenset(SCOPES),
}
"""What each scope allows. `write` decides but never touches a provider, `remediate` acts but decides
nothing else; `admin` can issue any key, so pretending that it holds less would protect nobody."""

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH: Final = 43
_CHECKSUM_LENGTH: Final = 6
_FORM: Final = re.compile(
    r"(?P<signed>lnt_(?P<environment>[a-z0-9]{1,12})_(?P<id>[0-9a-v]{16})_[0-9A-Za-z]{43})"
    r"(?P<checksum>[0-9A-Za-z]{6})"
)


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key at the only moment when its text is known.

    `text` goes to the customer once and nowhere else; `hash` is what is stored, `last4` what people
    recognise a key by.
    """

    id: str
    text: str = field(repr=False)
    hash: str
    last4: str


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A well-formed key somebody presented: nothing is known yet of whether it was ever issued."""

    id: str
    environment: str
    hash: str = field(repr=False)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def _checksum(signed: str) -> str:
    return _base62(zlib.crc32(signed.encode("ascii")), _CHECKSUM_LENGTH)


def _hash(text: str) -> str:
    # The secret has 256 random bits: a fast hash is safe, there is nothing to guess.
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def issue(environment: str, random: ids.RandomBytes) -> IssuedKey:
    """A fresh key for an environment (`[a-z0-9]`, at most 12 characters).

    Raises:
        ValueError: the environment's name does not fit into a key.
    """
    key_id = ids.new_id("key", random)
    secret = _base62(int.from_bytes(random(32), "big"), _SECRET_LENGTH)
    signed = f"lnt_{environment}_{key_id.removeprefix('key_')}_{secret}"
    text = signed + _checksum(signed)
    if not _FORM.fullmatch(text):
        raise ValueError(f"environment {environment!r} must be 1 to 12 characters of [a-z0-9]")
    return IssuedKey(id=key_id, text=text, hash=_hash(text), last4=text[-4:])


def parse(text: str) -> PresentedKey | None:
    """Take a presented key apart; None where its form or its checksum is wrong."""
    match = _FORM.fullmatch(text)
    if match is None or not hmac.compare_digest(_checksum(match["signed"]), match["checksum"]):
        return None
    return PresentedKey(id=f"key_{match['id']}", environment=match["environment"], hash=_hash(text))


def same_hash(presented: str, stored: str) -> bool:
    """Whether two key hashes are equal, in time that does not depend on where they differ."""
    return hmac.compare_digest(presented.encode(), stored.encode())


def allowed(scopes: Iterable[str]) -> frozenset[Scope]:
    """Everything that the scopes of a key allow together; unknown words allow nothing."""
    held: frozenset[Scope] = frozenset()
    for scope in scopes:
        held |= IMPLIES.get(scope, frozenset())
    return held
