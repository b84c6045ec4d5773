"""E-mail by Amazon SES (API v2): plain and HTML parts, and the header by which people unsubscribe.

SES signs with DKIM for the domain of the sender. `List-Unsubscribe` and its one-click form are RFC 2369 and
RFC 8058; mail providers ask for them of whoever sends regularly.

SES takes a mail to an address that bounced or complained before, answers that all is well, and drops it. So
the suppression list is asked first: whoever relies on such an address sees that nothing arrives there.
"""

import logging
from dataclasses import dataclass
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from lantern.channels.protocol import Sent
from lantern.domain.messages import Outgoing

_NEVER: Final = frozenset(
    {"MessageRejected", "BadRequestException", "AccountSuspendedException", "NotFoundException"}
)


log = logging.getLogger(__name__)


class Ses(Protocol):
    """`ses:SendEmail` and `ses:GetSuppressedDestination` of the API v2, as botocore names them."""

    def send_email(self, **kwargs: Any) -> Any:
        """Send one e-mail."""
        ...

    def get_suppressed_destination(self, **kwargs: Any) -> Any:
        """Why an address gets no e-mails; refuses with `NotFoundException` where it gets them."""
        ...


@dataclass(frozen=True, slots=True)
class EmailChannel:
    """Sends e-mails.

    Attributes:
        ses: the client.
        sender: the From header; empty where this deployment sends none.
        configuration: name of the configuration set, which says what is suppressed; may be empty.
    """

    ses: Ses
    sender: str
    configuration: str = ""

    def send(self, message: Outgoing) -> Sent:
        """Send one e-mail to one address."""
        if not self.sender:
            return Sent("refused", detail="no_sender_configured")
        if self._suppressed(message.to):
            return Sent("refused", detail="suppressed")
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
        more = {"ConfigurationSetName": self.configuration} if self.configuration else {}
        try:
            answer = self.ses.send_email(
                FromEmailAddress=self.sender,
                Destination={"ToAddresses": [message.to]},
                Content={"Simple": simple},
                EmailTags=[{"Name": "delivery", "Value": message.key}],
                **more,
            )
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            return Sent("refused" if code in _NEVER else "retry", status, code[:60])
        except BotoCoreError as error:
            return Sent("retry", detail=type(error).__name__)
        return Sent("sent", 200, reference=str(answer.get("MessageId", ""))[:100])

    def _suppressed(self, address: str) -> bool:
        try:
            self.ses.get_suppressed_destination(EmailAddress=address)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            if code != "NotFoundException":
                # Not known, which is no reason to keep a message back.
                log.warning("the suppression list was not read: %s", code[:60])
            return False
        except BotoCoreError as error:
            log.warning("the suppression list was not read: %s", type(error).__name__)
            return False
        return True
