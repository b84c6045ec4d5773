"""The work addresses of members, which only GitHub's GraphQL API tells.

An organisation that verified its domains sees which verified addresses of its members are on them
(`User.organizationVerifiedDomainEmails`). Others see none: then an account has no address.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lantern.connectors.github.api import GithubApi
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED
from lantern.connectors.resolution import CallError, ErrorResolution

MOST: Final = 100
"""Nodes that one query may name."""
_QUERY: Final = (
    "query($ids:[ID!]!,$org:String!){nodes(ids:$ids){"
    "...on User{databaseId organizationVerifiedDomainEmails(login:$org)}}}"
)
_REFUSED: Final = frozenset({"FORBIDDEN", "INSUFFICIENT_SCOPES", "NOT_FOUND"})
_FAILED: Final = ErrorResolution("transient", "provider_error", "GitHub had a problem answering.", retry=True)


def addresses(
    api: GithubApi, organisation: str, nodes: Sequence[str], halt: Halt
) -> Mapping[str, tuple[str, ...]]:
    """Addresses by account id, in lower case and sorted; who has none is absent.

    Args:
        api: GitHub's API, spending the quota of GraphQL.
        organisation: the organisation's present name.
        nodes: node ids of accounts, at most `MOST`.
        halt: when to stop.

    Raises:
        CallError: GitHub did not answer; that an address may not be seen is no failure.
    """
    if not nodes:
        return {}
    asked = {"query": _QUERY, "variables": {"ids": list(nodes), "org": organisation}}
    body = api.send("POST", "/graphql", halt, json=asked).body
    if not isinstance(body, Mapping):
        raise CallError(GARBLED, detail="graphql: no object")
    # GraphQL answers 200 to what it refuses, and says so beside what it can give.
    refused = {row.get("type") for row in body.get("errors") or () if isinstance(row, Mapping)}
    if refused - _REFUSED:
        raise CallError(_FAILED, detail="graphql: errors")
    data = body.get("data")
    rows = data.get("nodes") if isinstance(data, Mapping) else None
    if not isinstance(rows, list) and not refused:
        raise CallError(GARBLED, detail="graphql: no nodes")
    return dict(found for row in rows or () if (found := _address(row)))


def _address(row: Any) -> tuple[str, tuple[str, ...]] | None:
    given = row.get("organizationVerifiedDomainEmails") if isinstance(row, Mapping) else None
    number = row.get("databaseId") if isinstance(row, Mapping) else None
    texts = sorted({text.lower() for text in given or () if isinstance(text, str) and "@" in text})
    return (str(number), tuple(texts)) if texts and isinstance(number, int) else None
