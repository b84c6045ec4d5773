"""`queue list|peek|replay`."""

import json
from typing import Annotated, Any, Final

import typer

from scripts.admin_cli.deadletters import (
    LETTERS,
    NAMES,
    SOURCES,
    Letter,
    Name,
    attempts,
    depth,
    held,
    kept_because,
    replay,
    why,
)
from scripts.admin_cli.errors import FOUND, CliError, bad_input
from scripts.admin_cli.terminal import ago, inert
from scripts.admin_cli.verbs import Desk, verb

app = typer.Typer(no_args_is_help=True, help="Work queues and their dead letters.")

SURVEY: Final = 500
"""Letters that are looked at for ages and for finding one by id."""

QueueName = Annotated[str, typer.Argument(metavar="QUEUE", help=f"One of {', '.join(NAMES)}.")]

_STREAM: Final = (
    "Changes that the router could not turn into messages. Messages that were decided on are sent again "
    "within 15 minutes from the outbox; changed accounts are scored by the next run (`sync run TENANT` "
    "now)."
)


def _queue(text: str) -> Name:
    if text not in NAMES:
        raise bad_input("QUEUE", f"{inert(text, 40)!r} is no queue.", f"Use one of: {', '.join(NAMES)}.")
    return text


@verb(app, "list")
def listing(desk: Desk) -> None:
    """List the queues: how much waits, and how many dead letters of which age there are."""
    backend, now = desk.backend, desk.now()
    rows: list[dict[str, Any]] = []
    for name in NAMES:
        dead = depth(backend.sqs, backend.outputs[LETTERS[name]])
        oldest = None
        if dead.waiting:
            with held(backend, name, SURVEY) as letters:
                oldest = letters[0].sent_at if letters else None
        source = depth(backend.sqs, backend.outputs[SOURCES[name]]) if name in SOURCES else None
        rows.append(
            {
                "queue": name,
                "waiting": source.waiting if source else None,
                "in_flight": source.in_flight if source else None,
                "delayed": source.delayed if source else None,
                "dead_letters": dead.waiting,
                "dead_letters_being_looked_at": dead.in_flight,
                "oldest_dead_letter_at": oldest,
            }
        )

    def show() -> None:
        columns = ("queue", "waiting", "in flight", "put off", "dead letters", "oldest of them sent")
        desk.out.table(
            columns,
            [
                (
                    *(r["queue"], r["waiting"], r["in_flight"], r["delayed"], r["dead_letters"]),
                    ago(r["oldest_dead_letter_at"], now) if r["oldest_dead_letter_at"] else None,
                )
                for r in rows
            ],
            empty="No queue.",
        )
        if any(r["dead_letters"] for r in rows):
            desk.out.remark(
                "Next: queue peek QUEUE says what they are and why; queue replay QUEUE puts back."
            )

    desk.out.result({"data": rows}, show)


@verb(app, "peek")
def peek(
    desk: Desk,
    queue: QueueName,
    message: Annotated[str | None, typer.Option("--id", help="One message.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=SURVEY, help="How many, oldest first.")] = 10,
) -> None:
    """Explain dead letters without consuming them: kind, tenant, attempts, and why where that is known."""
    name, backend, now = _queue(queue), desk.backend, desk.now()
    tried = attempts(backend.sqs, backend.outputs[SOURCES[name]]) if name in SOURCES else None
    with held(backend, name, SURVEY) as letters:
        chosen = _chosen(letters, message, name)[:limit]
        left = len(letters) - len(chosen)
    data = [{**_fields(one), "attempts": tried, "why": _why(desk, name, one)} for one in chosen]

    def show() -> None:
        for one, row in zip(chosen, data, strict=True):
            desk.out.line(f"{one.id}  sent {ago(one.sent_at, now)}", "bold")
            facts = [(key, row[key]) for key in ("kind", "tenant_id", "connection_id", "cause") if row[key]]
            if row["body"]:
                facts.append(("body", json.dumps(row["body"])))
            facts.append(("attempts", f"{tried} on the queue" if tried else None))
            facts.append(("why", row["why"] or "not recorded; look for the tenant in the worker's log"))
            desk.out.facts(facts)
            desk.out.line("")
        if not chosen:
            desk.out.line("No dead letter.", "green")
        if name == "stream" and chosen:
            desk.out.remark(_STREAM)
        if left:
            desk.out.remark(f"{left} more; --limit shows them.")

    desk.out.result({"queue": name, "data": data, "more": left}, show)


@verb(app, "replay")
def put_back(
    desk: Desk,
    queue: QueueName,
    message: Annotated[
        str | None, typer.Option("--id", help="One message, as `queue peek` names it.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every message.")] = False,
) -> None:
    """Put dead letters back on their queue. Nothing is lost; what would only come back stays."""
    name, backend = _queue(queue), desk.backend
    if name not in SOURCES:
        raise CliError("Changes of the stream cannot be put back: it has gone on.", _STREAM)
    if (message is None) != everything:
        raise bad_input("--id", "give either --id or --all.", f"`queue peek {name}` shows the ids.")
    replayed: list[str] = []
    kept: list[dict[str, str]] = []
    seen: set[str] = set()
    while True:
        with held(backend, name, SURVEY) as letters:
            fresh = [one for one in _chosen(letters, message, name) if one.id not in seen]
            for one in fresh:
                seen.add(one.id)
                reason = kept_because(backend, one)
                if reason is None:
                    replay(backend, name, one)
                    letters.remove(one)
                    replayed.append(one.id)
                else:
                    kept.append({"id": one.id, "reason": reason})
        if message is not None or not fresh:
            break

    def show() -> None:
        desk.out.line(f"{len(replayed)} put back on {name}, {len(kept)} kept.")
        for one in kept:
            desk.out.line(f"  {one['id']}: {inert(one['reason'])}.", "yellow")

    desk.out.result({"queue": name, "replayed": replayed, "kept": kept}, show)
    if kept:
        raise typer.Exit(FOUND)


def _chosen(letters: list[Letter], message: str | None, name: Name) -> list[Letter]:
    if message is None:
        return letters
    found = [one for one in letters if one.id == message]
    if not found:
        raise bad_input(
            "--id",
            f"there is no dead letter {inert(message, 60)} on {name} just now.",
            f"`queue peek {name}` shows what is there; somebody else may be looking at it (2 minutes).",
        )
    return found


def _why(desk: Desk, name: Name, one: Letter) -> str | None:
    if name != "stream":
        return why(desk.backend, one)
    try:
        failure = json.loads(one.body)
        batch = failure["DDBStreamBatchInfo"]
        condition = failure["requestContext"]["condition"]
        return f"{condition}: {batch['batchSize']} changes of {batch['approximateArrivalOfFirstRecord']}"
    except (ValueError, KeyError, TypeError):
        return None


def _fields(one: Letter) -> dict[str, Any]:
    work = one.work
    return {
        "id": one.id,
        "sent_at": one.sent_at,
        "received_in_all": one.received,
        "tenant_id": work.tenant_id if work else None,
        "kind": work.kind if work else None,
        "connection_id": work.connection_id if work else None,
        "body": dict(work.body) if work else None,
        "hop": work.hop if work else None,
        "cause": work.cause if work else None,
    }
