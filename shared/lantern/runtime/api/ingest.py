"""Ingest: feeds of an inventory and logs of the web, in a request or, where they are large, by the bucket."""

from datetime import datetime
from typing import Any, Final

from pydantic import Field

from lantern.domain.imports import ImportKind
from lantern.domain.inventory import ConsentProvider
from lantern.runtime.api.imports import ImportAnswer, answer_of
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import MAX_UPLOAD_BYTES, Answer, Question, Strict

INVENTORY_TYPES: Final = ("text/csv", "application/json", "application/gzip")
LOG_TYPES: Final = (
    "text/csv", "text/plain", "text/tab-separated-values", "application/json", "application/x-ndjson",
    "application/gzip",
)  # fmt: skip
_SOURCE: Final = "Names the feed. What one source says is kept apart from what others say."


class InventoryQuery(Question):
    """Whose feed it is."""

    source: str = Field("", description=_SOURCE, max_length=64)
    provider: ConsentProvider | None = Field(
        None, description="Whose permissions the feed lists, where its rows do not tell."
    )


class LogQuery(Question):
    """Whose log it is."""

    source: str = Field("", description=_SOURCE, max_length=64)


class UploadBody(Strict):
    """A file that will be sent to the bucket; all of it is signed, so nothing else can be sent there."""

    kind: ImportKind = Field(description="What the file is: an export, a feed of an inventory, a log.")
    content_type: str = Field(description="Media type of the file; application/gzip where it is packed.")
    size: int = Field(description="Its length in bytes: at most 64 MiB, of a log 512 MiB.", ge=1)
    sha256: str = Field(description="SHA-256 of the file, in hex.", pattern="^[0-9a-f]{64}$")
    source: str = Field("", description=_SOURCE, max_length=64)
    provider: ConsentProvider | None = Field(
        None, description="Whose permissions a CSV list holds, where its rows do not tell."
    )


class UploadAnswer(Answer):
    """Where to send the file: one PUT with exactly these headers."""

    upload_id: str = Field(description="Also the id of the import: see /v1/imports.")
    method: str
    url: str | None = Field(description="Null where a request is repeated: an address is told once.")
    headers: dict[str, str]
    expires_at: datetime


def ingest_inventory(call: Call[InventoryQuery, bytes]) -> Reply:
    """Accept a feed of an inventory."""
    return _take(call, "inventory", call.query.source, call.query.provider)


def ingest_logs(call: Call[LogQuery, bytes]) -> Reply:
    """Accept a log."""
    return _take(call, "logs", call.query.source, None)


def _take(call: Call[Any, bytes], kind: ImportKind, source: str, provider: ConsentProvider | None) -> Reply:
    # Few requests hand in a file: the readers are imported by those that do.
    from lantern.services.imports.accept import Intake, take

    intake = Intake(kind, call.caller.actor, call.tools.now(), call.tools.random, provider, source)
    record = take(call.store, call.body, intake)
    return Reply(answer_of(record), status=202, location=f"/v1/imports/{record.id}")


def open_upload(call: Call[Any, UploadBody]) -> Reply:
    """Make an address for a file."""
    from lantern.services.imports import accept

    body = call.body
    intake = accept.Intake(
        kind=body.kind,
        by=call.caller.actor,
        now=call.tools.now(),
        random=call.tools.random,
        provider=body.provider,
        source=body.source,
        media_type=body.content_type,
    )
    # The tenant is the authorizer's: nothing in a request says whose part of the bucket it is.
    drops = call.tools.drops(call.caller.tenant_id)
    record, upload = accept.open_upload(call.store, drops, intake, size=body.size, sha256=body.sha256)
    answer = UploadAnswer(
        upload_id=record.id,
        method="PUT",
        url=upload.url,
        headers=dict(upload.headers),
        expires_at=upload.expires_at,
    )
    kept = answer.model_copy(update={"url": None})
    return Reply(answer, status=201, location=f"/v1/imports/{record.id}", replay=kept)


def complete_upload(call: Call[Any, None]) -> Reply:
    """Have a file read now."""
    from lantern.services.imports.accept import complete

    record = complete(call.store, call.path["upload_id"], by=call.caller.actor, now=call.tools.now())
    return Reply(answer_of(record), status=202, location=f"/v1/imports/{record.id}")


ROUTES = (
    Route(
        method="POST",
        path="/v1/ingest/inventory",
        operation="ingestInventory",
        tag="Ingest",
        summary="Hand in a feed of an inventory",
        description=(
            "CSV or JSON records with `user` and one of `app`, `client_id`, `domain`; also `scopes`, "
            "`granted_at`, `last_used`, `user_status`, `admin`, `provider`, `publisher`. What a "
            "record says of an account replaces what the same source said of it before; accounts it "
            f"does not name stay. The same feed again writes nothing. At most {MAX_UPLOAD_BYTES} "
            "bytes; a larger one goes by POST /v1/ingest/uploads."
        ),
        handler=ingest_inventory,
        scope="write",
        query=InventoryQuery,
        upload=INVENTORY_TYPES,
        answer=ImportAnswer,
        status=202,
        problems=("conflict",),
    ),
    Route(
        method="POST",
        path="/v1/ingest/logs",
        operation="ingestLogs",
        tag="Ingest",
        summary="Hand in a log of the web",
        description=(
            "A log of Zscaler, Netskope, Cisco Umbrella, Squid or Cloudflare Gateway, or CSV with "
            "time, user and host; which it is, is found out. Kept is who went to products that are AI "
            "or have AI inside, on which day, how often, and how many bytes; everything else is only "
            f"counted. The same log again counts nothing. At most {MAX_UPLOAD_BYTES} bytes; a larger "
            "one goes by POST /v1/ingest/uploads."
        ),
        handler=ingest_logs,
        scope="write",
        query=LogQuery,
        upload=LOG_TYPES,
        answer=ImportAnswer,
        status=202,
        problems=("conflict",),
    ),
    Route(
        method="POST",
        path="/v1/ingest/uploads",
        operation="openUpload",
        tag="Ingest",
        summary="Get an address for a large file",
        description=(
            "Answers with an address that takes this one file within 15 minutes: PUT it there with "
            "the headers as they are told. Once it has come it is read like any import: see "
            "/v1/imports/{upload_id}."
        ),
        handler=open_upload,
        scope="write",
        body=UploadBody,
        answer=UploadAnswer,
        status=201,
    ),
    Route(
        method="POST",
        path="/v1/ingest/uploads/{upload_id}/complete",
        operation="completeUpload",
        tag="Ingest",
        summary="Have an uploaded file read",
        description=(
            "Reading begins by itself once the file has come. Where it has not begun after a minute, "
            "this begins it; asking more than once does no harm."
        ),
        handler=complete_upload,
        scope="write",
        answer=ImportAnswer,
        status=202,
    ),
)
