"""The evaluation set: `tests/eval/*.tsv`, one real app a line as name, domain, truth."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast, get_args

from lantern.domain.names import key

Truth = Literal["ai", "embedded_ai", "not_ai", "any"]
Group = Literal["best_known", "long_tail", "ordinary", "hard_negatives", "variants"]

FOLDER: Final = Path(__file__).resolve().parents[2] / "tests" / "eval"
HELD_OUT: Final = FOLDER / "held_out.json"
"""The calibration measured without the evaluated products; `make calibrate` writes it."""
GROUPS: Final[tuple[Group, ...]] = get_args(Group)


class CaseError(Exception):
    """A line of the evaluation set is wrong; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Case:
    """One app and what it really is. `any` marks a trap whose verdict is open: it must only not crash."""

    group: Group
    name: str
    domain: str | None
    truth: Truth

    @property
    def is_ai(self) -> bool:
        """Whether it is an AI app, not an ordinary one with AI features."""
        return self.truth == "ai"


def read_cases(folder: Path = FOLDER) -> list[Case]:
    """Return all cases in the order of their files.

    Raises:
        CaseError: If a line has not three fields or an unknown truth.
    """
    cases: list[Case] = []
    for group in GROUPS:
        lines = (folder / f"{group}.tsv").read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, start=1):
            fields = line.split("\t")
            if len(fields) != 3 or not fields[0] or fields[2] not in get_args(Truth):
                raise CaseError(f"{group}.tsv: {number}: expected name, domain and truth")
            cases.append(Case(group, fields[0], fields[1] or None, cast("Truth", fields[2])))
    return cases


def ambiguous_names(cases: Iterable[Case]) -> frozenset[str]:
    """Return the name keys that stand for AI and for ordinary apps in the set: no name alone can tell."""
    truths: dict[str, set[bool]] = defaultdict(set)
    for case in cases:
        truths[key(case.name)].add(case.is_ai)
    return frozenset(name for name, kinds in truths.items() if len(kinds) > 1)


def by_group(cases: Sequence[Case]) -> dict[Group, list[Case]]:
    """Return the cases of each group."""
    grouped: dict[Group, list[Case]] = {group: [] for group in GROUPS}
    for case in cases:
        grouped[case.group].append(case)
    return grouped
