"""Compiled playbooks, read back."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from lantern.domain.errors import LanternError, NotFoundError
from lantern.domain.playbooks.model import FORMAT, Playbook

FILE_NAME: Final = "playbooks.json"


class PlaybookError(LanternError):
    """A compiled file that cannot be used."""


class _File(msgspec.Struct, frozen=True):
    format: int
    playbooks: tuple[Playbook, ...]


@dataclass(frozen=True, slots=True)
class Playbooks:
    """All playbooks of a release, in the order of their ids."""

    books: tuple[Playbook, ...] = ()

    def get(self, playbook_id: str) -> Playbook:
        """A playbook.

        Raises:
            NotFoundError: there is none of this id.
        """
        for one in self.books:
            if one.id == playbook_id:
                return one
        raise NotFoundError("playbook", playbook_id)

    def answering(self, word: str | None) -> Playbook | None:
        """The playbook that a rule names as its response, by id or by a word that it responds to."""
        return next((one for one in self.books if word and (word == one.id or word in one.responds_to)), None)

    @property
    def ids(self) -> Iterable[str]:
        """Their ids."""
        return tuple(one.id for one in self.books)


def load_playbooks(source: Path | bytes) -> Playbooks:
    """Read compiled playbooks.

    Raises:
        PlaybookError: not a file of this format.
    """
    raw = source.read_bytes() if isinstance(source, Path) else source
    try:
        found = msgspec.json.decode(raw, type=_File)
    except msgspec.MsgspecError as error:
        raise PlaybookError(f"not compiled playbooks: {error}") from error
    if found.format != FORMAT:
        raise PlaybookError(f"not compiled playbooks of format {FORMAT}")
    return Playbooks(found.playbooks)
