"""Whose account is it: the organisation's, somebody's private one, or another organisation's?"""

from collections.abc import Collection
from typing import Literal

from lantern.domain.catalog import Registrable

AccountKind = Literal["own", "consumer", "outside"]


def account_kind(
    email: str | None,
    consumer_domains: Collection[str],
    own_domains: Collection[str] | None,
    registrable: Registrable,
) -> AccountKind | None:
    """Return whose account an e-mail address belongs to; None where that cannot be told.

    Args:
        email: the account's address, None where the provider did not say.
        consumer_domains: domains at which anybody gets an address.
        own_domains: the organisation's registrable domains; None while they are not known, and then only
            a consumer's address can be told.
        registrable: answers the registrable domain of a host.
    """
    if email is None or "@" not in email:
        return None
    host = email.rpartition("@")[2].strip().lower().rstrip(".")
    domain = registrable(host) or host
    if own_domains is not None and (domain in own_domains or host in own_domains):
        return "own"
    if host in consumer_domains or domain in consumer_domains:
        return "consumer"
    return None if own_domains is None else "outside"


def is_personal(kind: AccountKind | None) -> bool:
    """Say whether an account is known not to be the organisation's own.

    An address whose domain is no consumer's is taken for the organisation's while its domains are not known:
    it is the organisation's directory that lists it.
    """
    return kind in ("consumer", "outside")
