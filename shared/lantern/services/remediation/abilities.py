"""What can be done about a target at its provider: by which act, with what to expect, or by hand and how."""

from typing import Final, Literal

from lantern.connectors import manifests
from lantern.connectors.protocol import ActFact
from lantern.domain.assets import Asset
from lantern.domain.jobs import JobKind
from lantern.domain.tenancy import Connection
from lantern.services.remediation.targets import ASSET_KINDS, act_of

Expected = Literal["verified", "applied", "manual", "failed"]
"""What an act is expected to come to, in the words of actions."""
ANYTHING: Final = "*"
_KEYS: Final = frozenset({"api_key"})
"""Assets that are taken away by deleting them: whoever needs a key makes a new one."""


def asset_act(kind: JobKind, asset: Asset, provider: str) -> JobKind:
    """How an asset is disabled: a key that its provider can only delete is deleted."""
    if kind != "disable_asset" or _fact("disable_asset", asset, provider) is not None:
        return kind
    deletes = asset.kind in _KEYS and _fact("delete_asset", asset, provider) is not None
    return "delete_asset" if deletes else kind


def unable(
    kind: JobKind, asset: Asset | None, connection: Connection, account: str | None
) -> tuple[str, ...]:
    """The steps by hand for an asset or the sessions of an account that no API of its provider acts on.

    Empty where one does, or where it is about neither.
    """
    if kind == "end_sessions" and act_of(kind) not in manifests.manifest(connection.provider).acts:
        return _sign_out(account, connection)
    if asset is None or kind not in ASSET_KINDS or _fact(kind, asset, connection.provider) is not None:
        return ()
    return steps_for(asset, connection)


def steps_for(asset: Asset, connection: Connection) -> tuple[str, ...]:
    """What an administrator does about an asset: hand it over, or delete it; reading again notices both."""
    address = asset.facts.get("url") or asset.facts.get("address")
    known = isinstance(address, str) and address.startswith("https://")
    title = manifests.manifest(connection.provider).title
    return (
        f"As an administrator of {connection.name}, open {address if known else title}.",
        f"Find the {asset.kind.replace('_', ' ')} {asset.name!r} (id {asset.native_id}).",
        "Hand it over to somebody who answers for it from now on; if nobody needs it, delete or disable it.",
        "Lantern reads the list again and notices a new owner, or that it is gone.",
    )


def _sign_out(account: str | None, connection: Connection) -> tuple[str, ...]:
    title = manifests.manifest(connection.provider).title
    return (
        f"As an administrator of {connection.name}, open the members of {title}.",
        f"Deactivate {account or 'the account'}, or sign it out everywhere.",
        "Lantern reads the account again and notices when it is no longer active.",
    )


def expected(kind: JobKind, connection: Connection, *, of: str) -> Expected:
    """What an act on something of this kind is expected to come to.

    Args:
        kind: what is asked.
        connection: where.
        of: kind of app, account (`organisation`) or asset that it is about.
    """
    fact = manifests.manifest(connection.provider).acts.get(act_of(kind))
    if kind in ASSET_KINDS and (fact is None or (fact.assets and of not in fact.assets)):
        return "manual"
    if fact is None:
        return "manual" if kind == "end_sessions" else "failed"
    if fact.by_hand & {of, ANYTHING}:
        return "manual"
    if connection.granted_scopes and not fact.scopes <= connection.granted_scopes:
        return "manual"
    # No provider lists sessions: that they ended is what it says, and nothing to verify it by.
    return "applied" if kind == "end_sessions" else "verified"


def _fact(kind: JobKind, asset: Asset, provider: str) -> ActFact | None:
    fact = manifests.manifest(provider).acts.get(act_of(kind))
    return fact if fact is not None and (not fact.assets or asset.kind in fact.assets) else None
