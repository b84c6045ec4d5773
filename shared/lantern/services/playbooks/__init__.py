"""Playbooks at work: start a run, approve or cancel it, carry it out step by step."""

from lantern.services.playbooks.foreseeing import Foreseen, would_happen
from lantern.services.playbooks.requests import Asked, Cause, approve, cancel, decline, start

__all__ = [
    "Asked",
    "Cause",
    "Foreseen",
    "approve",
    "cancel",
    "decline",
    "start",
    "would_happen",
]
