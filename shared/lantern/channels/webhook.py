"""Outgoing webhooks as the Standard Webhooks specification has them: signed, with a stable id."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Protocol

from standardwebhooks import Webhook

from lantern.channels.protocol import Sent
from lantern.channels.safe_http import Answer
from lantern.domain.messages import Outgoing

AGENT: Final = "Lantern-Webhooks/1"
GONE: Final = 410


class Poster(Protocol):
    """Sends one body to a customer's address."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """One attempt; never raises for what the other side is or does."""
        ...


@dataclass(frozen=True, slots=True)
class WebhookChannel:
    """Posts events, signed with each secret of `Outgoing.secret`, the newest first: so one can be rotated."""

    poster: Poster

    def send(self, message: Outgoing) -> Sent:
        """Sign and post; every status but 2xx is a failure, and 410 means that nobody wants any more."""
        body = message.payload.encode()
        answer = self.poster.post(message.to, body, headers(message))
        return outcome(answer, message.at)


def headers(message: Outgoing) -> dict[str, str]:
    """The headers of one attempt: the id of all attempts, the time of this one, a signature per secret."""
    at = message.at.astimezone(UTC)
    signed = [
        Webhook(secret).sign(message.key, at, message.payload)
        for secret in message.secret.split(" ")
        if secret
    ]
    return {
        "Content-Type": "application/json",
        "User-Agent": AGENT,
        "webhook-id": message.key,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signed),
    }


def outcome(answer: Answer, now: datetime) -> Sent:
    """What an answer of a customer's server means."""
    if answer.status is None:
        refused = answer.problem == "refused_address"
        return Sent("refused" if refused else "retry", detail=answer.problem)
    if 200 <= answer.status < 300:
        return Sent("sent", answer.status)
    if answer.status == GONE:
        return Sent("refused", answer.status, "gone")
    detail = "redirect" if 300 <= answer.status < 400 else f"status_{answer.status}"
    return Sent("retry", answer.status, detail, retry_after(answer.retry_after, now))


def retry_after(text: str, now: datetime) -> float | None:
    """Seconds of a `Retry-After` header (RFC 9110): a number or a date; None where it says neither."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        # Years and offsets of twenty digits overflow.
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())
