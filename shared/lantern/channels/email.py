"""E-mail by Amazon SES (API v2): plain and HTML parts, and the header by which people unsubscribe.

SES signs with DKIM for the domain of the sender. `List-Unsubscribe` and its one-click form are RFC 2369 and
RFC 8058; mail providers ask for them of whoever sends regularly.
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from lantern.channels.protocol import Sent
from lantern.domain.messages import Outgoing

_NEVER: Final = frozenset(
    {"MessageRejected", "BadRequestException", "AccountSuspendedException", "NotFoundException"}
)


class Ses(Protocol):
    """`ses:SendEmail` of the API v2, as botocore names it."""

    def send_email(self, **kwargs: Any) -> Any:
        """Send one e-mail."""
        ...


@dataclass(frozen=True, slots=True)
class EmailChannel:
    """Sends e-mails. `sender` is the From header; empty where this deployment sends none."""

    ses: Ses
    sender: str

    def send(self, message: Outgoing) -> Sent:
        """Send one e-mail to one address."""
        if not self.sender:
            return Sent("refused", detail="no_sender_configured")
        simple: dict[str, Any] = {
            "Subject": {"Data": message.subject, "Charset": "UTF-8"},
            "Body": {
                "Text": {"Data": message.text, "Charset": "UTF-8"},
                "Html": {"Data": message.html, "Charset": "UTF-8"},
            },
        }
        if message.unsubscribe:
            simple["Headers"] = [
                {"Name": "List-Unsubscribe", "Value": f"<{message.unsubscribe}>"},
                {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"},
            ]
        try:
            answer = self.ses.send_email(
                FromEmailAddress=self.sender,
                Destination={"ToAddresses": [message.to]},
                Content={"Simple": simple},
                EmailTags=[{"Name": "delivery", "Value": message.key}],
            )
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            return Sent("refused" if code in _NEVER else "retry", status, code[:60])
        except BotoCoreError as error:
            return Sent("retry", detail=type(error).__name__)
        return Sent("sent", 200, reference=str(answer.get("MessageId", ""))[:100])
