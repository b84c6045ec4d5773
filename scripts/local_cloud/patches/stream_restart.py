"""Gap: after a restart a stream is silent until it has as many records as before.

Lambda's place in a stream is saved as a count of records, the records are not. What the stream held last is
saved with its tables, so that nothing is read twice and what was not read yet still is.
"""

import copy
from typing import Any

from ministack.services import dynamodb

from scripts.local_cloud.patches.seam import private, wrap

_STATE = "local_cloud_streams"
_KEPT = 1_000  # records: far more than a poller is ever behind


def apply() -> None:
    """Save the end of every stream, and restore it."""
    wrap(dynamodb, "get_state", _with_streams)
    wrap(dynamodb, "_restore_state", _restoring_streams)


def _with_streams(original: Any) -> Any:
    records, trimmed = private(dynamodb, "_stream_records"), private(dynamodb, "_stream_trimmed")

    def get_state() -> Any:
        kept, before = type(records)(), type(trimmed)()
        for (account, region, table), found in records.all_items():
            last = found[-_KEPT:]
            kept.set_scoped(account, region, table, copy.deepcopy(last))
            gone = trimmed.get_scoped(account, region, table, 0) + len(found) - len(last)
            before.set_scoped(account, region, table, gone)
        return {**original(), _STATE: {"records": kept, "trimmed": before}}

    return get_state


def _restoring_streams(original: Any) -> Any:
    records, trimmed = private(dynamodb, "_stream_records"), private(dynamodb, "_stream_trimmed")

    def restore(data: Any) -> None:
        original(data)
        streams = (data or {}).get(_STATE, {})
        records.update(streams.get("records", {}))
        trimmed.update(streams.get("trimmed", {}))

    return restore
