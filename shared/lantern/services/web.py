"""API Gateway REST proxy events as plain requests, for the two functions that face browsers and providers.

Only the standard library: the webhook function's cold start is part of what providers wait for.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class WebRequest:
    """What arrived: header names are lower case, every header and parameter keeps all its values."""

    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, Sequence[str]] = field(repr=False)
    headers: Mapping[str, Sequence[str]] = field(repr=False)
    body: bytes = field(repr=False)
    request_id: str

    def header(self, name: str) -> str | None:
        """The value of a header; None where it is absent or occurs more than once."""
        values = self.headers.get(name, ())
        return values[0] if len(values) == 1 else None

    def cookie(self, name: str) -> str | None:
        """The value of a cookie; None where it is absent or occurs more than once."""
        pairs = (
            pair.strip().partition("=") for line in self.headers.get("cookie", ()) for pair in line.split(";")
        )
        values = [value for key, _, value in pairs if key == name]
        return values[0] if len(values) == 1 else None


def read(event: Mapping[str, Any]) -> WebRequest:
    """The request in a proxy event.

    Raises:
        ValueError: the body is not what its encoding says.
    """
    query = event.get("multiValueQueryStringParameters") or {
        name: [value] for name, value in (event.get("queryStringParameters") or {}).items()
    }
    headers: dict[str, list[str]] = {}
    raw = event.get("multiValueHeaders") or {n: [v] for n, v in (event.get("headers") or {}).items()}
    for name, values in raw.items():
        headers.setdefault(name.lower(), []).extend(str(value) for value in values)
    return WebRequest(
        path=str(event.get("path") or ""),
        parameters=event.get("pathParameters") or {},
        query=query,
        headers=headers,
        body=_body(event),
        request_id=str((event.get("requestContext") or {}).get("requestId") or "unknown"),
    )


def _body(event: Mapping[str, Any]) -> bytes:
    body = str(event.get("body") or "").encode("utf-8", "surrogatepass")
    if not event.get("isBase64Encoded"):
        return body
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise ValueError("body is not base64") from error


def answer(status: int, headers: Mapping[str, str], body: str = "") -> dict[str, Any]:
    """The proxy response."""
    return {"statusCode": status, "headers": dict(headers), "body": body, "isBase64Encoded": False}
