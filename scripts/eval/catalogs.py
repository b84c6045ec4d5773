"""The worlds an evaluation is run in: everything listed, nothing listed, ordinary apps unlisted."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal, get_args

from lantern.domain.identification import AppFacts, Identification, identify
from lantern.domain.names import key
from lantern.services.catalog import Catalog
from lantern.services.domains import registrable_domain
from scripts.build.compile_catalog import CALIBRATION, FILE_NAME, Row, write
from scripts.eval.cases import HELD_OUT, Case
from scripts.eval.measure import Judge

World = Literal["listed", "unlisted", "ordinary_unlisted"]
WORLDS: Final[tuple[World, ...]] = get_args(World)


def without(rows: Iterable[Row], cases: Iterable[Case]) -> Iterator[Row]:
    """Leave out every row with a name or domain of the cases."""
    listed = list(cases)
    names = {key(case.name) for case in listed}
    domains = {registrable_domain(case.domain) for case in listed if case.domain}
    for row in rows:
        own = {registrable_domain(domain) for domain in row.product.domains}
        if not own & domains and not {key(name) for name in (*row.names(), row.product.vendor)} & names:
            yield row


def known_in(world: World, rows: Sequence[Row], cases: Sequence[Case]) -> list[Row]:
    """Return what the catalog holds in a world; AI products that share an ordinary app's name stay in all."""
    if world == "listed":
        return list(rows)
    if world == "unlisted":
        return list(without(rows, cases))
    ai = [row for row in rows if row.product.kind == "ai"]
    others = [row for row in rows if row.product.kind != "ai"]
    return sorted(
        [*ai, *without(others, [one for one in cases if not one.is_ai])], key=lambda row: row.product.id
    )


@contextmanager
def judge_of(world: World, rows: Sequence[Row], cases: Sequence[Case]) -> Iterator[Judge]:
    """Give a judge whose catalog knows as much as it does in this world."""
    numbers = (CALIBRATION if world == "listed" else HELD_OUT).read_text(encoding="utf-8")
    with TemporaryDirectory() as folder:
        write(known_in(world, rows, cases), Path(folder) / FILE_NAME, numbers)
        with Catalog(Path(folder) / FILE_NAME) as catalog:

            def judge(facts: AppFacts) -> Identification:
                return identify(facts, catalog, registrable_domain)

            yield judge
