"""Optimistic concurrency over HTTP: ETag and If-Match (RFC 9110)."""

import hashlib

from lantern.runtime.problems import ProblemError


def revision_etag(rev: int) -> str:
    """The entity tag of a record: its revision, quoted."""
    return f'"{rev}"'


def content_etag(representation: bytes) -> str:
    """The entity tag of something without a revision of its own: a hash of its representation."""
    return f'"{hashlib.sha256(representation).hexdigest()[:16]}"'


def require_match(if_match: str | None) -> None:
    """Refuse a change that does not say which revision it is based on.

    Raises:
        ProblemError: `precondition_required`.
    """
    if not if_match:
        raise ProblemError("precondition_required", "Send If-Match with the ETag that you read.")


def check_match(if_match: str | None, etag: str) -> None:
    """Refuse unless `if_match` lists `etag` or is `*`; weak tags never match, as RFC 9110 says.

    Raises:
        ProblemError: `precondition_failed`; it carries the current ETag.
    """
    if if_match is None:
        return
    given = [part.strip() for part in if_match.split(",")]
    if etag not in given and given != ["*"]:
        raise ProblemError(
            "precondition_failed",
            "It was changed meanwhile; read it again and decide anew.",
            headers={"ETag": etag},
        )
