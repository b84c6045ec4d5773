"""The link in an alert's e-mail by which its reader ends such e-mails. The webhooks function serves it.

Opening it changes nothing, because scanners of mail open every link; a POST does (RFC 8058, and the button of
the page). It can end e-mails to one address of one channel and nothing else, and says nothing of either.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Final

from lantern.connectors.pushing import Receipt
from lantern.domain.work import Work
from lantern.services.once import hand_on
from lantern.store.platform import ChannelRoute, PlatformStore

SOURCE: Final = "unsubscribe"
_MARK: Final = "unsubscribe"
_ONCE_S: Final = 3_600
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_PAGE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<title>{title}</title><body style="font:16px/1.5 system-ui,sans-serif;max-width:32em;margin:3em auto;'
    'padding:0 1em"><h1 style="font-size:1.3em">{title}</h1>{body}</body></html>'
)
_ASK: Final = (
    "<p>Lantern will send no more alerts to this address from this channel.</p>"
    '<form method="post"><button style="font:inherit;padding:.5em 1em">Unsubscribe</button></form>'
)


def link_id(token: str) -> str:
    """Under which name a link is kept: not the token itself."""
    return f"{_MARK}_{hashlib.sha256(token.encode()).hexdigest()[:40]}"


def link(token: str, tenant_id: str, channel_id: str, expires_at: datetime) -> ChannelRoute:
    """What a link leads to."""
    return ChannelRoute(link_id(token), tenant_id, channel_id, _MARK, expires_at)


def receive(
    platform: PlatformStore, send: Callable[[Work], None], now: datetime, token: str, method: str
) -> Receipt:
    """Show the page, or take the POST."""
    route = platform.get_channel(link_id(token))
    if route is None or route.secret_hash != _MARK:
        return _page(404, "This link is no longer valid", "")
    if method != "POST":
        return _page(200, "Unsubscribe from these alerts?", _ASK)
    body = {"channel_id": route.connection_id, "link": route.channel_id}
    work = Work(route.tenant_id, "outreach.unsubscribe", body=body, cause="link")
    hand_on(platform, send, work, (SOURCE, route.channel_id), _ONCE_S, now)
    return _page(200, "You are unsubscribed", "<p>An administrator can add you again.</p>")


def _page(status: int, title: str, body: str) -> Receipt:
    text = _PAGE.format(title=title, body=body)
    return Receipt(status=status, body=text, content_type="text/html; charset=utf-8", headers=_HEADERS)
