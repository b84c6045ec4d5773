"""Mail that says "your account is there": a hint that somebody signed up to a product by e-mail. Pure.

It reads who sent a message and its subject, nothing else. A sender can be forged and a subject says
anything, so this is a hint to look, never proof of an account; what is not clearly one is not told.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from typing import Final, Literal

from lantern.domain.addresses import resolve
from lantern.domain.catalog import CatalogLookup, Registrable
from lantern.domain.visit_targets import Resolve

Said = Literal["created", "confirm", "invited"]
"""What a message says: the account is there, an address is to be confirmed, or somebody else invited the
person."""

LONGEST: Final = 500
"""Characters of a header that are looked at; the rest of a longer one is not."""

_LABEL: Final = "[A-Za-z0-9-]{1,63}"
_ADDRESS: Final = re.compile(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@({_LABEL}(?:\.{_LABEL}){{1,5}})")
_ANGLED: Final = re.compile(r"[^<>]*<(?P<address>[^<>\s]+)>\s*")


def _words(*phrases: str) -> re.Pattern[str]:
    return re.compile(rf"\b({'|'.join(phrases)})\b")


# English, German, French and Spanish: what services write. Each must stand there as words, at any place.
_SUBJECTS: Final[tuple[tuple[Said, re.Pattern[str]], ...]] = (
    (
        "invited",
        _words(
            "invited you",
            "you('ve| have|'re| are)( been)? invited",
            "invitation to join",
            "lädt (dich|sie) ein",
            "vous (a|ont) invité",
            "te ha invitado",
        ),
    ),
    (
        "confirm",
        _words(
            r"(verify|confirm|validate) (your|the) (\w+ )?(e-?mail|account|sign-?up|registration)",
            "e-?mail (verification|confirmation)",
            r"activate your (\w+ )?account",
            "complete your (sign-?up|registration)",
            "bestätige(n sie)? (deine|ihre) (e-?mail|registrierung|anmeldung)",
            "confirmez votre (e-?mail|adresse|compte)",
            "confirma tu (correo|cuenta)",
        ),
    ),
    (
        "created",
        _words(
            "welcome (to|aboard)",
            "thanks for (signing up|joining|registering)",
            r"(your|an?) (\w+ )?account (is|has been|was) (ready|created|activated|set up)",
            "get(ting)? started with",
            "willkommen bei",
            "bienvenue (sur|chez)",
            "bienvenid[oa]s? a",
        ),
    ),
)
# Somebody who has the account already gets these: they say nothing of a new one.
_OLD: Final = _words(
    "welcome back",
    "passwor[dt]",
    "new (sign-?in|login|device)",
    "sign-?in (code|link|attempt)",
    "login code",
    "newsletter",
    "webinar",
    "receipt",
    "invoice",
    "changed?",
)


@dataclass(frozen=True, slots=True)
class MailHeaders:
    """The headers of one message: every `From` and every `Subject` it has, and when it came in."""

    senders: Sequence[str]
    subjects: Sequence[str]
    at: datetime


@dataclass(frozen=True, slots=True)
class SignUp:
    """A hint that an account was made: the listed product, and the host that the mail came from."""

    product_id: str
    said: Said
    host: str
    at: datetime


def sign_up(
    mail: MailHeaders,
    catalog: CatalogLookup,
    registrable: Registrable,
    consumer_domains: Collection[str],
) -> SignUp | None:
    """What a message hints at; None for what is not clearly about an account with one listed product.

    The sender's name counts for nothing: anybody may call himself a vendor. The address counts if its host
    belongs to one listed product alone; the domain of a mail service or a platform belongs to nobody.

    Args:
        mail: the headers.
        catalog: whose hosts are whose.
        registrable: answers the registrable domain of a host.
        consumer_domains: domains at which anybody gets an address.
    """
    host = sender_host(mail.senders)
    said = what_it_says(mail.subjects)
    if host is None or said is None or {host, registrable(host)} & set(consumer_domains):
        return None
    products = {product.id: found for found, product in resolve([host], catalog, registrable).own}
    if len(products) != 1:
        return None
    ((product, found),) = products.items()
    return SignUp(product, said, found, mail.at)


def sender_host(senders: Sequence[str]) -> str | None:
    """The host of the one address a message came from; None where there is none, or more than one.

    RFC 5322 allows several senders and comments; no service sends such mail, and forgers do.
    """
    if len(senders) != 1 or len(senders[0]) > LONGEST:
        return None
    text = senders[0].strip()
    angled = _ANGLED.fullmatch(text)
    address = angled["address"] if angled else text
    found = _ADDRESS.fullmatch(address)
    return found[1].lower() if found else None


def what_it_says(subjects: Sequence[str]) -> Said | None:
    """What the subject says of an account; None where it says nothing of a new one."""
    if len(subjects) != 1:
        return None
    text = _plain(subjects[0])
    if _OLD.search(text):
        return None
    return next((said for said, pattern in _SUBJECTS if pattern.search(text)), None)


def _plain(subject: str) -> str:
    """A subject as words: decoded (RFC 2047), compatible letters made alike, invisible ones left out."""
    text = subject[:LONGEST]
    try:
        parts = decode_header(text)
    except (HeaderParseError, ValueError):
        parts = [(text, None)]
    words = []
    for part, charset in parts:
        if isinstance(part, str):
            words.append(part)
            continue
        try:
            words.append(part.decode(charset or "ascii", "replace"))
        except LookupError:
            words.append(part.decode("ascii", "replace"))
    folded = unicodedata.normalize("NFKC", "".join(words))
    visible = "".join(
        " " if unicodedata.category(c) in ("Cc", "Zs", "Zl", "Zp") else c
        for c in folded
        if unicodedata.category(c) not in ("Cf", "Cs", "Co", "Cn")
    )
    return " ".join(visible.casefold().replace("\u2019", "'").split())


@dataclass(frozen=True, slots=True)
class Told:
    """An account with an AI product that a message hints at: the product and its domains, and since when."""

    key: str
    name: str
    domains: tuple[str, ...]
    on: date


Recognise = Callable[[MailHeaders], Told | None]
"""What a message hints at; None for all that is no hint of an account with a listed AI product."""


def recogniser(
    catalog: CatalogLookup, registrable: Registrable, consumer_domains: Collection[str], leads: Resolve
) -> Recognise:
    """A function that keeps of mail what is a person's own sign-up to an AI product, and nothing else.

    An invitation is left out: it says what somebody else did. So is every product that is not AI: what
    people sign up to otherwise is none of our business.

    Args:
        catalog: whose hosts are whose.
        registrable: answers the registrable domain of a host.
        consumer_domains: domains at which anybody gets an address.
        leads: which product a host is.
    """

    def recognise(mail: MailHeaders) -> Told | None:
        found = sign_up(mail, catalog, registrable, consumer_domains)
        if found is None or found.said == "invited":
            return None
        target = leads(found.host)
        if target.kind != "product":
            return None
        return Told(target.key, target.name, target.domains, found.at.date())

    return recognise
