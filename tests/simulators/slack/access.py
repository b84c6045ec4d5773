"""Who calls, with which permissions, on which plan; and paging."""

import base64
from collections.abc import Sequence
from typing import Any, TypeVar

from tests.simulators.google.wire import Request

from .model import SlackClient, Token
from .oauth import Tokens
from .tiers import Tiers
from .wire import SlackError
from .world import World

T = TypeVar("T")
CURSOR_S = 3600


class Gate:
    """Lets calls in, as Slack does: limit, token, kind of token, plan, permission."""

    def __init__(self, world: World, tokens: Tokens, tiers: Tiers) -> None:
        self.world = world
        self.tokens = tokens
        self.tiers = tiers
        self.failing: dict[str, str] = {}

    def enter(
        self,
        request: Request,
        method: str,
        *scopes: str,
        kinds: str = "bot user",
        plans: str = "free pro enterprise",
    ) -> tuple[Token, dict[str, str]]:
        """The token and the arguments of a call.

        Raises:
            SlackError: it may not.
        """
        arguments = {**request.query, **request.form()} if request.method == "POST" else dict(request.query)
        refusing = 403 if method == "audit" else 200
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not value:
            raise SlackError("not_authed", 401 if method == "audit" else 200)
        token = self.tokens.access.get(value)
        if token is None:
            raise SlackError("invalid_auth", 401 if method == "audit" else 200)
        if token.revoked:
            raise SlackError("token_revoked", 401 if method == "audit" else 200)
        if self.world.members[token.user].deleted and token.kind == "user":
            raise SlackError("account_inactive", 401 if method == "audit" else 200)
        # One limit per method and workspace; the audit log's is the organisation's.
        self.tiers.spend(method, "" if method == "audit" else token.team)
        if method in self.failing:
            raise SlackError(self.failing[method])
        if token.kind not in kinds.split():
            raise SlackError("not_allowed_token_type", refusing)
        if self.world.plan not in plans.split():
            raise SlackError("paid_only" if "pro" in plans.split() else "feature_not_enabled", refusing)
        lacking = [scope for scope in scopes if scope not in token.scopes]
        if lacking:
            raise SlackError(
                "missing_scope", refusing, needed=",".join(scopes), provided=",".join(sorted(token.scopes))
            )
        return token, arguments

    def org_token(self, token: Token) -> None:
        """Administration of an organisation takes a token of its own, of an owner or administrator."""
        member = self.world.members[token.user]
        if token.team:
            raise SlackError("app_management_app_not_installed_on_org")
        if not (member.org_admin or member.org_owner):
            raise SlackError("not_an_admin")

    def client(self, token: Token) -> SlackClient:
        """Whose token it is."""
        return self.tokens.clients[token.client_id]

    def page(
        self,
        request: Request,
        rows: Sequence[T],
        arguments: dict[str, str],
        what: str,
        *,
        default: int,
        most: int,
    ) -> tuple[list[T], dict[str, Any]]:
        """A page of rows by cursor. Cursors are opaque and expire."""
        text = arguments.get("limit") or str(default)
        if not text.isdigit() or not 1 <= int(text) <= most:
            raise SlackError("invalid_limit")
        size, start, now = int(text), 0, self.world.clock.now()
        if arguments.get("cursor"):
            start = self._read(arguments["cursor"], what, now)
        if request.half_page:
            size = max(1, size // 2)
        end = start + size
        following = f"{what}:{end}:{int(now)}" if end < len(rows) else ""
        cursor = base64.b64encode(following.encode()).decode()
        return list(rows[start:end]), {"next_cursor": cursor}

    @staticmethod
    def _read(cursor: str, what: str, now: float) -> int:
        try:
            name, end, made = base64.b64decode(cursor, validate=True).decode().split(":")
            if name == what and now - int(made) <= CURSOR_S:
                return int(end)
        except ValueError:
            pass
        raise SlackError("invalid_cursor")
