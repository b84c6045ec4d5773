"""The slash command in Slack, read. Standard library only, see `push`.

Slack posts a form to one address for all workspaces, signed like its events, and wants an answer within three
seconds ("Implementing slash commands"). What is read here is who typed what; who that is here, and whether
they may, is decided where people are known. What was typed is cut to one short line.
"""

import hashlib
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

from lantern.connectors.pushing import Receipt, Reply
from lantern.connectors.slack.presses import is_slack

ADDRESS: Final = "commands"
"""The last part of the address that Slack posts to."""
LONGEST: Final = 400
_MOST_FIELDS: Final = 40
_ID: Final = 200
WAIT: Final = '{"response_type":"ephemeral","text":"One moment, please."}'


def read(body: bytes, unreadable: Receipt) -> Receipt:
    """What a verified command says.

    Args:
        body: the form as it was signed.
        unreadable: the answer to what is no form of Slack's.
    """
    try:
        fields = parse_qs(
            body.decode("ascii"), strict_parsing=True, max_num_fields=_MOST_FIELDS, keep_blank_values=True
        )
    except ValueError:
        return unreadable
    if fields.get("ssl_check") == ["1"]:
        return Receipt()
    user, trigger = _one(fields, "user_id"), _one(fields, "trigger_id")
    enterprise = _one(fields, "is_enterprise_install") == "true"
    organisation = _one(fields, "enterprise_id" if enterprise else "team_id")
    back = next(iter(fields.get("response_url", ())), "")
    if not (user and trigger and organisation and is_slack(back)):
        return unreadable
    text = " ".join(next(iter(fields.get("text", ())), "").split())[:LONGEST]
    # A trigger is made for one use of the command.
    moment = hashlib.sha256(f"{organisation}#{user}#{trigger}".encode()).hexdigest()
    said = {"user": user, "text": text, "back": back}
    reply = Reply(organisation, moment, said, command=True)
    return Receipt(body=WAIT, content_type="application/json", replies=(reply,))


def _one(fields: Mapping[str, list[str]], name: str) -> str | None:
    values = fields.get(name, [])
    return values[0] if len(values) == 1 and 0 < len(values[0]) <= _ID else None
