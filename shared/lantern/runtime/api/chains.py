"""Chains as the API shows them: one vendor with data of several connections."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from lantern.domain.blast import Chain
from lantern.domain.inventory import Provider
from lantern.runtime.api.validation import Answer


class LinkAnswer(Answer):
    """One end of a chain."""

    connection_id: str
    provider: Provider
    data: list[str] = Field(description="Kinds of data it reaches there, beyond who people are.")
    apps: list[str] = Field(description="Ids of the apps.")


class ChainAnswer(Answer):
    """The same product, or products of one vendor, with data of several connections."""

    kind: Literal["product", "vendor"]
    name: str
    product_id: str | None
    links: list[LinkAnswer]
    sentence: str = Field(description="What it means, in plain words.")


def chain_answers(found: Iterable[Chain]) -> list[ChainAnswer]:
    """Chains as the API shows them."""
    return [
        ChainAnswer(
            kind=one.kind,
            name=one.name,
            product_id=one.product_id,
            links=[
                LinkAnswer(
                    connection_id=link.connection_id,
                    provider=link.provider,
                    data=list(link.data),
                    apps=list(link.apps),
                )
                for link in one.links
            ],
            sentence=one.sentence,
        )
        for one in found
    ]
