"""Admin SDK Directory API: customers, users, tokens, application passwords."""

import base64
import binascii
import json
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from .access import Caller, Gate
from .extras import AppPassword
from .model import Grant, User, digest
from .partial import parse_mask, select
from .wire import Request, Response, bad_request, invalid_input, json_response, not_authorized, not_found
from .world import World

PAGE_TOKEN_S = 3 * 86400
"""`users.list` page tokens live three days (discovery document)."""
NEVER = "1970-01-01T00:00:00.000Z"
DELETED_KEPT_S = 20 * 86400
"""Deleted users can be listed and restored for 20 days."""


class Directory:
    """The Directory methods; each takes the request and the variable parts of its path."""

    def __init__(self, world: World, gate: Gate) -> None:
        self._world = world
        self._gate = gate

    # -- customers and users ---------------------------------------------------------------------

    def get_customer(self, request: Request, key: str) -> Response:
        """`customers.get`."""
        caller = self._gate.admit(request, "directory.customers.get")
        org = caller.org
        if key not in {"my_customer", org.customer_id}:
            raise not_authorized()
        answer = {
            "kind": "admin#directory#customer",
            "etag": _etag(org.customer_id, org.domain),
            "id": org.customer_id,
            "customerDomain": org.domain,
            "alternateEmail": f"owner@{org.domain.partition('.')[0]}.invalid",
            "customerCreationTime": _iso(org.anchor - 3000 * 86400),
            "language": "en",
            "postalAddress": {"countryCode": "GB", "organizationName": org.domain.partition(".")[0].title()},
        }
        return _answer(request, answer)

    def list_users(self, request: Request) -> Response:
        """`users.list`."""
        caller = self._gate.admit(request, "directory.users.list")
        query = request.query
        size = page_size(query, default=100, most=500)
        self._check_audience(caller, query)
        with self._world.lock:
            users = self._matching(caller, query)
            start = self._start(users, query)
            if request.half_page:
                size = max(1, size // 2)
            page = users[start : start + size]
            answer: dict[str, Any] = {"kind": "admin#directory#users"}
            if page:
                answer["users"] = [self._user(caller, user) for user in page]
            if start + size < len(users):
                answer["nextPageToken"] = self._page_token(query, page[-1])
        answer["etag"] = _etag(json.dumps(answer, sort_keys=True))
        return _answer(request, answer)

    def get_user(self, request: Request, key: str) -> Response:
        """`users.get`."""
        caller = self._gate.admit(request, "directory.users.get")
        with self._world.lock:
            return _answer(request, self._user(caller, self._find(caller, key)))

    def _check_audience(self, caller: Caller, query: dict[str, str]) -> None:
        customer, domain = query.get("customer"), query.get("domain")
        if customer is None and domain is None:
            raise bad_request()
        if customer is not None and customer not in {"my_customer", caller.org.customer_id}:
            raise not_authorized()
        if domain is not None and domain.lower() != caller.org.domain:
            raise not_found("domain")

    def _matching(self, caller: Caller, query: dict[str, str]) -> list[User]:
        show_deleted = query.get("showDeleted", "false").lower() == "true"
        horizon = self._world.clock.now() - DELETED_KEPT_S
        users = [
            user
            for user in caller.org.users
            if (user.deleted_at is not None) == show_deleted
            and (user.deleted_at is None or user.deleted_at > horizon)
        ]
        keep = _search(query.get("query", ""))
        return sorted((u for u in users if keep(u)), key=_order(query), reverse=_descending(query))

    def _page_token(self, query: dict[str, str], last: User) -> str:
        """Names the last user listed, so that people who come and go shift nobody out of the listing."""
        value = {"k": _order(query)(last), "q": _query_digest(query), "t": int(self._world.clock.now())}
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()

    def _start(self, users: list[User], query: dict[str, str]) -> int:
        token = query.get("pageToken")
        if not token:
            return 0
        try:
            value = json.loads(base64.urlsafe_b64decode(token))
            (name, number), made, digest_ = value["k"], int(value["t"]), value["q"]
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise invalid_input("pageToken") from None
        if digest_ != _query_digest(query) or self._world.clock.now() - made > PAGE_TOKEN_S:
            raise invalid_input("pageToken")
        key, last = _order(query), (str(name), str(number))
        if _descending(query):
            return sum(key(user) >= last for user in users)
        return bisect_right(users, last, key=key)

    def _find(self, caller: Caller, key: str) -> User:
        user = caller.user if key == "me" else caller.org.find(key)
        if user is None:
            raise not_found("userKey")
        return user

    def _user(self, caller: Caller, user: User) -> dict[str, Any]:
        name = {"givenName": user.given, "familyName": user.family, "fullName": f"{user.given} {user.family}"}
        answer: dict[str, Any] = {
            "kind": "admin#directory#user",
            "id": user.id,
            "primaryEmail": user.email,
            "name": name,
            "isAdmin": user.is_admin,
            "isDelegatedAdmin": bool(user.privileges) and not user.is_admin,
            "lastLoginTime": _iso(user.last_login_at) if user.last_login_at else NEVER,
            "creationTime": _iso(user.created_at),
            "agreedToTerms": user.last_login_at is not None,
            "suspended": user.suspended_at is not None,
            "archived": user.archived_at is not None,
            "changePasswordAtNextLogin": False,
            "ipWhitelisted": False,
            "emails": [{"address": user.email, "primary": True}],
            "customerId": caller.org.customer_id,
            "orgUnitPath": user.org_unit,
            "isMailboxSetup": True,
            "isEnrolledIn2Sv": True,
            "isEnforcedIn2Sv": True,
            "includeInGlobalAddressList": True,
        }
        if user.title or user.department:
            job = {"title": user.title, "department": user.department, "primary": True}
            answer["organizations"] = [job]
        if user.manager:
            answer["relations"] = [{"value": user.manager, "type": "manager"}]
        if user.suspended_at is not None:
            answer |= {"suspensionReason": "ADMIN", "suspensionTime": _iso(user.suspended_at)}
        if user.archived_at is not None:
            answer["archivalTime"] = _iso(user.archived_at)
        if user.deleted_at is not None:
            answer["deletionTime"] = _iso(user.deleted_at)
        answer["etag"] = _etag(user.id, str(answer))
        return answer

    # -- tokens ----------------------------------------------------------------------------------

    def list_tokens(self, request: Request, key: str) -> Response:
        """`tokens.list`: not paged; `items` is absent when the user granted nothing."""
        caller = self._gate.admit(request, "directory.tokens.list")
        with self._world.lock:
            user = self._find(caller, key)
            items = [_token(user, grant) for grant in caller.org.grants.held_by(user)]
        answer: dict[str, Any] = {"kind": "admin#directory#tokenList", "etag": _etag(user.id, str(items))}
        if items:
            answer["items"] = items
        return _answer(request, answer)

    def get_token(self, request: Request, key: str, client_id: str) -> Response:
        """`tokens.get`."""
        caller = self._gate.admit(request, "directory.tokens.get")
        with self._world.lock:
            user = self._find(caller, key)
            grant = caller.org.grants.get(user, client_id)
        if grant is None:
            raise not_found("clientId")
        return _answer(request, _token(user, grant))

    def delete_token(self, request: Request, key: str, client_id: str) -> Response:
        """`tokens.delete`: every scope of the client goes; 204."""
        caller = self._gate.admit(request, "directory.tokens.delete")
        with self._world.lock:
            user = self._find(caller, key)
            if not self._world.revoke(caller.org, user, client_id):
                raise not_found("clientId")
        return Response(204)

    def list_asps(self, request: Request, key: str) -> Response:
        """`asps.list`: not paged; `items` is absent when there is none."""
        caller = self._gate.admit(request, "directory.asps.list")
        with self._world.lock:
            user = self._find(caller, key)
            held = caller.org.extras.passwords.get(user.id, [])
            items = [_asp(user, one) for one in held]
        answer: dict[str, Any] = {"kind": "admin#directory#aspList", "etag": _etag(user.id, str(items))}
        if items:
            answer["items"] = items
        return _answer(request, answer)

    def delete_asp(self, request: Request, key: str, code: str) -> Response:
        """`asps.delete`; 204, or 404 when there is no such password."""
        caller = self._gate.admit(request, "directory.asps.delete")
        with self._world.lock:
            user = self._find(caller, key)
            held = caller.org.extras.passwords.get(user.id, [])
            kept = [one for one in held if str(one.code) != code]
            if len(kept) == len(held):
                raise not_found("codeId")
            caller.org.extras.passwords[user.id] = kept
        self._world.touch(caller.org)
        return Response(204)

    def sign_out(self, request: Request, key: str) -> Response:
        """`users.signOut`: ends web and device sessions; 204."""
        caller = self._gate.admit(request, "directory.users.signOut")
        with self._world.lock:
            user = self._find(caller, key)
        self._world.signed_out.append(user.id)
        return Response(204)


def _asp(user: User, one: AppPassword) -> dict[str, Any]:
    return {
        "kind": "admin#directory#asp",
        "etag": _etag(user.id, str(one.code)),
        "codeId": one.code,
        "name": one.name,
        "creationTime": str(one.made),
        "lastTimeUsed": str(one.used),
        "userKey": user.id,
    }


def _token(user: User, grant: Grant) -> dict[str, Any]:
    return {
        "kind": "admin#directory#token",
        "etag": _etag(user.id, grant.client_id, *grant.scopes),
        "clientId": grant.client_id,
        "displayText": grant.name,
        "anonymous": grant.anonymous,
        "nativeApp": grant.native,
        "userKey": user.id,
        "scopes": list(grant.scopes),
    }


def page_size(query: dict[str, str], *, default: int, most: int) -> int:
    """`maxResults`, which Google refuses outside its bounds."""
    try:
        size = int(query.get("maxResults", default))
    except ValueError:
        raise invalid_input("maxResults") from None
    if not 1 <= size <= most:
        raise invalid_input("maxResults")
    return size


def _order(query: dict[str, str]) -> Callable[[User], tuple[str, str]]:
    keys: dict[str, Callable[[User], tuple[str, str]]] = {
        "email": lambda u: (u.email, u.id),
        "givenName": lambda u: (u.given, u.id),
        "familyName": lambda u: (u.family, u.id),
    }
    try:
        return keys[query.get("orderBy", "email")]
    except KeyError:
        raise invalid_input("orderBy") from None


def _descending(query: dict[str, str]) -> bool:
    return query.get("sortOrder") == "DESCENDING"


def _search(query: str) -> Callable[[User], bool]:
    """The parts of the users search language that matter here: isSuspended, isAdmin, isArchived, email."""
    tests = [_clause(clause) for clause in query.split()]
    return lambda user: all(test(user) for test in tests)


def _clause(clause: str) -> Callable[[User], bool]:
    name, separator, value = clause.partition("=" if "=" in clause else ":")
    wanted, text = value.lower() == "true", value.strip("'\"").lower()
    if name == "email":
        if separator == ":" and text.endswith("*"):
            return lambda user: user.email.startswith(text[:-1])
        return lambda user: user.email == text
    states: dict[str, Callable[[User], bool]] = {
        "isSuspended": lambda user: user.suspended_at is not None,
        "isArchived": lambda user: user.archived_at is not None,
        "isAdmin": lambda user: user.is_admin,
    }
    if name not in states:
        raise invalid_input("query")
    return lambda user: states[name](user) == wanted


def _query_digest(query: dict[str, str]) -> str:
    names = ("customer", "domain", "showDeleted", "query", "orderBy", "sortOrder")
    return digest(*(query.get(name, "") for name in names))[:12]


def _answer(request: Request, payload: dict[str, Any]) -> Response:
    fields = request.query.get("fields")
    return json_response(select(payload, parse_mask(fields)) if fields else payload)


def _etag(*parts: str) -> str:
    return f'"{digest(*parts)[:32]}"'


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"
