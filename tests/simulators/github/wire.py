"""GitHub's error bodies, and lists cut into pages."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from tests.simulators.google.wire import ApiError, Request, Response, json_response

DOCS = "https://docs.github.com/rest"
LIMITS = f"{DOCS}/overview/rate-limits-for-the-rest-api"


class GithubError(ApiError):
    """A refusal in the shape of GitHub's API errors; `reason` is for counters only."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        page: str = DOCS,
        reason: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, reason or str(status), message, headers=headers)
        self.payload = {"message": message, "documentation_url": page, "status": str(status)}


def not_found(page: str = DOCS) -> GithubError:
    """What is hidden from the caller is not found either."""
    return GithubError(404, "Not Found", page=page)


def unprocessable(message: str) -> GithubError:
    """Validation failed."""
    return GithubError(422, message)


def base_of(request: Request) -> str:
    """The address the caller used."""
    return f"http://{request.headers.get('host', '127.0.0.1')}"


def number(request: Request, name: str, default: int, most: int) -> int:
    """A number from the query; GitHub corrects what is out of bounds."""
    text = request.query.get(name, "")
    value = int(text) if text.isdigit() and int(text) > 0 else default
    return min(value, most)


def paged(
    request: Request,
    rows: Sequence[Any],
    path: str,
    *,
    under: tuple[str, str] | None = None,
    default: int = 30,
) -> Response:
    """A numbered page of `rows`, with `Link` to the others; `path` is what the links say."""
    size, page = number(request, "per_page", default, 100), number(request, "page", 1, 1 << 30)
    if request.half_page and size % 2 == 0:
        size, page = size // 2, page * 2 - 1
    part = list(rows[(page - 1) * size : page * size])
    headers = {}
    pages = max(1, -(-len(rows) // size))
    kept = {k: v for k, v in request.query.items() if k not in ("page", "per_page")}

    def link(to: int, rel: str) -> str:
        query = urlencode({**kept, "per_page": size, "page": to})
        return f'<{base_of(request)}{path}?{query}>; rel="{rel}"'

    links = [link(page - 1, "prev")] if page > 1 else []
    if page < pages:
        links += [link(page + 1, "next"), link(pages, "last")]
    if links:
        headers["Link"] = ", ".join(links)
    body: Any = part if under is None else {under[1]: len(rows), under[0]: part}
    return json_response(body, headers=headers)
