"""Files of evidence, written where an auditor finds them, and the check of the whole audit log."""

import json
from dataclasses import dataclass
from pathlib import Path

from scripts.demo.api import Api
from scripts.demo.waiting import DemoFailedError


@dataclass(frozen=True, slots=True)
class Evidence:
    """One bundle: its two files, what it says came of the targets, and how many audit entries it holds."""

    kind: str
    page: Path
    data: Path
    outcomes: dict[str, int]
    entries: int


def write(api: Api, directory: Path, kind: str, subject_id: str, name: str) -> Evidence:
    """Fetch a bundle as JSON and as a page, and write both.

    Raises:
        DemoFailedError: the part of the audit chain in it is not sound.
    """
    bundle = api.get(f"/v1/evidence/{kind}/{subject_id}")
    if not bundle["proof"]["sound"]:
        raise DemoFailedError(f"the evidence of {kind} {subject_id} breaks at {bundle['proof']['first_bad']}")
    directory.mkdir(parents=True, exist_ok=True)
    page, data = directory / f"{name}.html", directory / f"{name}.json"
    page.write_text(api.text(f"/v1/evidence/{kind}/{subject_id}", format="html"))
    data.write_text(json.dumps(bundle, indent=2) + "\n")
    return Evidence(kind, page, data, dict(bundle["outcomes"]), len(bundle["proof"]["entries"]))


def audit_is_sound(api: Api) -> int:
    """Have the whole audit log verified; returns the number of entries.

    Raises:
        DemoFailedError: an entry is not what was written.
    """
    cursor: str | None = None
    while True:
        answer = api.get("/v1/audit/verify", **({"cursor": cursor} if cursor else {}))
        if not answer["sound"]:
            raise DemoFailedError(f"the audit log breaks at entry {answer['first_bad_seq']}")
        cursor = answer["next_cursor"]
        if cursor is None:
            return int(answer["verified_through"])
