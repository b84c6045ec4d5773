"""Logs and metrics: Powertools attached to the standard library's logging, secrets scrubbed.

Code in `lantern` logs through stdlib `logging`; a function calls `attach` once. No tracer: importing it
costs more than everything else together.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE: Final = "Lantern"
_SCRUBBED: Final = "[scrubbed]"
_MAX_TEXT: Final = 2_000

_SECRETS: Final = re.compile(
    r"lnt_[a-z0-9]{1,12}_[0-9a-v]{16}_[0-9A-Za-z]+"  # our keys
    r"|ya29\.[\w.-]+|1//[\w-]{20,}|GOCSPX-[\w-]+"  # Google access, refresh and client secrets
    r"|xox[a-z]-[\w-]+|gh[a-z]_\w{20,}|github_pat_\w+"  # Slack, GitHub
    r"|eyJ[\w-]{10,}\.[\w-]+\.[\w-]*"  # JSON web tokens
    r"|whsec_[\w+/=-]+|\b[a-z0-9]{20}\.[\w-]{43}\b"  # secrets of webhooks, addresses of people's pages
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"  # AWS access keys
    r"|(?i:bearer|basic)\s+[\w.~+/=-]{8,}"
)
_MAIL: Final = re.compile(r"[\w.+'%-]+@[\w-]+(?:\.[\w-]+)+")
_NAMES: Final = re.compile(
    r"(?i)secret|password|authorization|cookie|access_token|refresh_token|id_token|client_assertion|^code$|verifier"
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def scrub_text(text: str) -> str:
    """Text without secrets, addresses, control and direction characters, of bounded length."""
    text = _MAIL.sub(_SCRUBBED, _SECRETS.sub(_SCRUBBED, text[: _MAX_TEXT * 4]))
    return _CONTROL.sub(" ", text)[:_MAX_TEXT]


def scrub(value: Any, *, depth: int = 4) -> Any:
    """A value for a log line: what is named like a secret goes, all text is scrubbed."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping) and depth:
        return {
            scrub_text(str(name)): _SCRUBBED if _NAMES.search(str(name)) else scrub(item, depth=depth - 1)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset) and depth:
        return [scrub(item, depth=depth - 1) for item in value]
    return scrub_text(str(value))


class ScrubbingFormatter(logging.Formatter):
    """Wraps a formatter so that nothing leaves unscrubbed, tracebacks included."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """The scrubbed line."""
        clean = logging.makeLogRecord(record.__dict__)
        clean.msg = record.msg if isinstance(record.msg, Mapping) else record.getMessage()
        clean.msg = scrub(clean.msg)
        clean.args = None
        for name, value in record.__dict__.items():
            if name not in _STANDARD:
                setattr(clean, name, _SCRUBBED if _NAMES.search(name) else scrub(value))
        line = self._inner.format(clean)
        # Tracebacks are made by the inner formatter: exception messages may quote anything.
        return _CONTROL.sub(" ", _MAIL.sub(_SCRUBBED, _SECRETS.sub(_SCRUBBED, line)))


_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


def attach(service: str) -> Logger:
    """Send the logs of all of `lantern` through one Powertools logger, as JSON and scrubbed.

    Call it once per process, when the function is first invoked.
    """
    logger = Logger(service=service)
    for handler in logger.handlers:
        if handler.formatter is not None and not isinstance(handler.formatter, ScrubbingFormatter):
            handler.setFormatter(ScrubbingFormatter(handler.formatter))
    root = logging.getLogger("lantern")
    root.handlers = list(logger.handlers)
    root.setLevel(logger.log_level)
    root.propagate = False
    return logger


def count(name: str, value: float = 1, **dimensions: str) -> None:
    """A metric in the embedded format; dimensions are few words, never a tenant or an id."""
    with single_metric(name=name, unit=MetricUnit.Count, value=value, namespace=NAMESPACE) as metric:
        for dimension, word in dimensions.items():
            metric.add_dimension(name=dimension, value=word)
