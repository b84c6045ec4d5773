"""Days as people write them."""

from datetime import datetime


def day(at: datetime) -> str:
    """A day without a locale: 3 March 2026."""
    return f"{at.day} {at:%B %Y}"
