"""Handing on what may come twice: of many at once one is, and what could not be is not remembered."""

from collections.abc import Callable
from datetime import datetime

from lantern.domain.work import Work
from lantern.store.platform import PlatformStore


def hand_on(
    platform: PlatformStore,
    send: Callable[[Work], None],
    work: Work,
    sight: tuple[str, str],
    ttl_s: int,
    now: datetime,
) -> None:
    """Send a message unless its sight (source, id) is remembered.

    Should sending fail the sight is forgotten, so that a repetition has its effect.
    """
    if not platform.first_sight(*sight, ttl_s, now):
        return
    try:
        send(work)
    except Exception:
        platform.forget_sight(*sight, now)
        raise
