"""A push message from a provider: verify on the raw bytes, know the channel, drop what was seen, enqueue.

What it says is only a hint: it names an account to read again. A forged or lost one costs a read or
fifteen minutes, never a wrong fact. Answers say nothing about why: 200, 401, 404 or 413.

This is what a provider waits for, so it imports neither pydantic nor PynamoDB nor boto3.
"""

import hmac
import importlib
import importlib.util
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from lantern.connectors.protocol import Hint
from lantern.domain.work import Work
from lantern.services.web import WebRequest
from lantern.store.platform import PlatformStore

log = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 1_000_000
SEEN_S: Final = 7 * 86_400
"""How long a message is remembered: longer than any provider repeats one."""
_SOURCE: Final = re.compile(r"[a-z]{2,20}")
