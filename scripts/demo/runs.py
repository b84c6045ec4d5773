"""Runs of playbooks from outside: who allows them, what came of their targets."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from scripts.demo.api import Api
from scripts.demo.waiting import DemoFailedError, Patience

Row = dict[str, Any]
GONE: Final = frozenset({"verified", "already_gone"})
DEADLINE_S: Final = 300


@dataclass(frozen=True, slots=True)
class Colleague:
    """A second person: whoever asks for a run may not allow it."""

    api: Api

    def approve(self, run_id: str) -> Row:
        """Allow a run as planned."""
        waiting = self.api.call("GET", f"/v1/playbook-runs/{run_id}")
        return self.api.call("POST", f"/v1/playbook-runs/{run_id}/approve", etag=waiting.etag).body


def colleague(api: Api) -> Colleague:
    """A key of somebody else, made by whoever administers the tenant."""
    key = api.call("POST", "/v1/keys", body={"name": "Second person", "scopes": ["read", "remediate"]}).body
    return Colleague(Api(api.base_url, key["key"]))


def acted(run: Row, steps: Iterable[str]) -> Counter[str]:
    """What these steps came to, over all targets; a target that none of them was for is left out."""
    wanted = frozenset(steps)
    return Counter(m["answer"] for t in run["targets"] for m in t["trail"] if m["step"] in wanted)


def until(
    api: Api, patience: Patience, run_id: str, what: str, done: Callable[[Row], bool], steps: Iterable[str]
) -> Row:
    """Wait until a run is as wanted.

    Raises:
        DemoFailedError: it failed, or it took too long.
    """
    names = tuple(steps)

    def look() -> tuple[Row | None, str]:
        run = api.get(f"/v1/playbook-runs/{run_id}")
        if run["state"] in ("failed", "cancelled"):
            raise DemoFailedError(f"the run of {run['playbook_id']} ended as {run['state']}: {run['error']}")
        standing = ", ".join(f"{count} {word}" for word, count in sorted(acted(run, names).items()))
        return (run if done(run) else None), f"{len(run['targets'])} targets: {standing or 'begun'}"

    return patience.until(what, DEADLINE_S, look)


def remaining_s(api: Api, run: Row) -> tuple[int, ...]:
    """How long access tokens may still work, for each grant of the run where that is known, in seconds."""
    bundle = api.get(f"/v1/evidence/playbook-run/{run['id']}")
    left = (one["remaining_access_s"] for one in bundle["lines"])
    return tuple(int(one) for one in left if one is not None)
