"""Writes the golden files of the newest codec version: run it once when a version is added, never again."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from lantern.domain import codec, packed
from lantern.domain.history import entries_of
from lantern.domain.inventory import Bundle, GrantSource
from lantern.domain.use import UseRow
from tests.contract.store.factories import Organisation


def sample_v2() -> Bundle:
    """A bundle with what version 2 brought: aliases, a shared account, what grants rest on."""
    bundle = Organisation(seed=5).bundle(1, grants=12)
    sources: tuple[GrantSource, ...] = ("consent", "application", "assignment", "seat")
    return replace(
        bundle,
        principal=replace(bundle.principal, kind="shared", aliases=("team@example-company.com",)),
        grants=tuple(
            replace(grant, source=sources[number % len(sources)])
            for number, grant in enumerate(bundle.grants or ())
        ),
    )


def sample_v3() -> Bundle:
    """A bundle with what version 3 brought: whom the directory names as the manager."""
    bundle = sample_v2()
    named = replace(bundle.principal, kind="user", manager="boss@example-company.com")
    return replace(bundle, principal=named)


def main() -> None:
    here = Path(__file__).parent
    (here / f"bundle_v{codec.VERSION}.bin").write_bytes(codec.encode(sample_v3()))
    organisation = Organisation(seed=5)
    holders: dict[str, frozenset[str]] = {}
    for bundle in (organisation.bundle(number, grants=5) for number in range(6)):
        for grant in bundle.grants or ():
            holders[grant.app_id] = holders.get(grant.app_id, frozenset()) | {bundle.principal.id}
    (here / f"holders_v{packed.VERSION}.bin").write_bytes(packed.encode_holders(holders)[0])
    bundle = replace(Organisation(seed=5).bundle(1, grants=4), rev=3)
    (here / f"changes_v{packed.VERSION}.bin").write_bytes(packed.encode_changes(list(entries_of(bundle))))
    rows = [
        UseRow(bundle.principal.id, grant.app_id, number * 1000, date(2026, 3, 1 + number))
        for number, grant in enumerate(bundle.grants or ())
    ]
    (here / f"use_v{packed.VERSION}.bin").write_bytes(packed.encode_use(rows))


if __name__ == "__main__":
    main()
