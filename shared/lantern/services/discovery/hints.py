"""Answer hints: read again the bundles somebody said may have changed."""

import logging
from collections.abc import Iterable, Mapping
from datetime import date

from lantern.connectors.protocol import Hint
from lantern.domain import ids
from lantern.domain.errors import ConnectorError
from lantern.domain.inventory import Principal
from lantern.domain.work import Work
from lantern.services.discovery.bundles import BundleWriter, Tally
from lantern.services.discovery.context import Discovery

log = logging.getLogger(__name__)


def read_bundle(task: Discovery, work: Work) -> None:
    """Read the one bundle a push named (`body.native_id`).

    Raises:
        ConnectorError: its grants could not be read; the message is delivered again later.
    """
    hint = Hint(
        native_id=work.body["native_id"],
        event_id=work.body.get("event_id"),
        account=work.body.get("about") == "account",
    )
    tally = answer(task, [hint])
    if tally.unread:
        reason = next(iter(tally.unread.values()))
        raise ConnectorError("transient", "The account could not be read just now.", detail=reason)


def answer(task: Discovery, hints: Iterable[Hint]) -> Tally:
    """Read every account that `hints` name, once each, and store what changed."""
    now = task.clock.now()
    accounts, dates = _accounts(task, hints)
    writer = BundleWriter(
        task.store,
        task.connector,
        task.connection,
        cause="hint",
        indexed=True,
        baseline=False,
        clock=task.clock.now,
    )
    tally = writer.refresh(accounts, task.deadline, now, dates=dates)
    if tally.unread:
        log.info("hinted bundles stay unknown", extra={"count": len(tally.unread)})
    return tally


def _accounts(
    task: Discovery, hints: Iterable[Hint]
) -> tuple[list[Principal], Mapping[str, Mapping[str, date]]]:
    """The accounts to read, once each, and the grant dates learned on the way.

    A hint by address, or one that says so, is about the account itself (suspended, renamed): the provider is
    asked for it anew. Another by id is about its grants: what is stored of a known account is good enough to
    read them, and also where the provider knows the account no more.
    """
    accounts: dict[str, Principal] = {}
    named: dict[str, Hint] = {}
    dates: dict[str, dict[str, date]] = {}
    for hint in hints:
        if hint.native_id is None or hint.account:
            account = task.connector.principal(hint)
            if account is not None:
                accounts[account.id] = account
        if hint.native_id is None:
            continue
        principal = _principal_id(task, hint.native_id)
        named[principal] = hint
        for client, at in hint.granted_at.items():
            dates.setdefault(principal, {})[_app_id(task, client)] = at.date()
    known = task.store.bundles.batch_get(task.connection.id, list(named))
    for principal, hint in named.items():
        bundle = known.get(principal)
        asked = task.connector.principal(hint) if bundle is None and principal not in accounts else None
        account = asked or (bundle.principal if bundle else None)
        if account is not None:
            accounts.setdefault(principal, account)
    return list(accounts.values()), dates


def _principal_id(task: Discovery, native_id: str) -> str:
    connection = task.connection
    return ids.principal_id(connection.provider, connection.organisation_id, native_id)


def _app_id(task: Discovery, client_id: str) -> str:
    return ids.app_id(task.connection.provider, client_id)
