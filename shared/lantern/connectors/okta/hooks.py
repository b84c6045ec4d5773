"""Event hooks: Okta posts events to an address, with a secret in a header (there is no signature)."""

from datetime import timedelta
from typing import Any, Final

from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED
from lantern.connectors.okta.api import OktaApi, segment
from lantern.connectors.okta.events import ACCOUNT, ASSIGNED, BY_ADMIN, DELETED, GRANTED
from lantern.connectors.okta.push import SECRET_HEADER
from lantern.connectors.protocol import Channel, ChannelRequest, Clock
from lantern.connectors.resolution import CallError, ErrorResolution

_HOOKS: Final = "/api/v1/eventHooks"
_SURE: Final = tuple(sorted(ACCOUNT | ASSIGNED | {"user.lifecycle.delete.initiated"}))
_ALL: Final = tuple(sorted({*_SURE, *GRANTED, *BY_ADMIN, *DELETED}))
"""Which events may be hooked differs by organisation and date; the log is followed beside."""
_NO_HOOKS: Final = ErrorResolution(
    "system", "forbidden", "Okta does not let Lantern create event hooks: no administrator role covers it."
)


def open_hook(api: OktaApi, request: ChannelRequest, clock: Clock, halt: Halt) -> Channel:
    """Create a hook and have Okta verify our address; one that cannot be verified is deleted again.

    Hooks to other addresses of ours are left over from attempts that ended half-way, and deleted: an
    organisation has room for 25.
    """
    try:
        hook = _create(api, request, _ALL, halt)
    except CallError as error:
        if error.reason == "forbidden" and not error.resolution.connection_wide:
            # The scope is there, and no role behind it: the connection works all the same.
            raise CallError(_NO_HOOKS, status=error.status, codes=error.codes, detail=error.detail) from None
        if error.status != 400:
            raise
        hook = _create(api, request, _SURE, halt)
    try:
        api.send("POST", f"{_HOOKS}/{segment(hook)}/lifecycle/verify", halt)
    except CallError:
        close_hook(api, hook, halt)
        raise
    _sweep(api, request, hook, halt)
    return Channel(
        id=request.id,
        resource_id=hook,
        purpose=request.purpose,
        expires_at=clock.now() + timedelta(seconds=request.ttl_s),
        detail=request.event,
    )


def close_hook(api: OktaApi, hook: str, halt: Halt) -> None:
    """Deactivate and delete a hook (in that order: an active one cannot be deleted); gone already is done."""
    path = f"{_HOOKS}/{segment(hook)}"
    try:
        api.send("POST", f"{path}/lifecycle/deactivate", halt)
    except CallError as error:
        if error.reason == "not_found":
            return
        raise
    api.removed(path, halt)


def _create(api: OktaApi, request: ChannelRequest, kinds: tuple[str, ...], halt: Halt) -> str:
    scheme = {"type": "HEADER", "key": SECRET_HEADER, "value": request.secret}
    body: dict[str, Any] = {
        "name": f"Lantern {request.id}",
        "events": {"type": "EVENT_TYPE", "items": list(kinds)},
        "channel": {
            "type": "HTTP",
            "version": "1.0.0",
            "config": {"uri": request.address, "method": "POST", "authScheme": scheme, "headers": []},
        },
    }
    answer = api.send("POST", _HOOKS, halt, json=body).body
    hook = answer.get("id") if isinstance(answer, dict) else None
    if not isinstance(hook, str) or not hook:
        raise CallError(GARBLED, detail="event hook without id")
    return hook


def _sweep(api: OktaApi, request: ChannelRequest, keep: str, halt: Halt) -> None:
    ours = request.address.removesuffix(request.id)
    try:
        rows = list(api.rows(_HOOKS, halt))
    except CallError as error:
        if error.reason != "forbidden":
            raise
        return  # tidiness alone is no reason to go without a hook
    for row in rows:
        channel = row.get("channel")
        config = channel.get("config") if isinstance(channel, dict) else None
        address, hook = config.get("uri") if isinstance(config, dict) else None, row.get("id")
        if isinstance(address, str) and isinstance(hook, str) and hook != keep and address.startswith(ours):
            close_hook(api, hook, halt)
