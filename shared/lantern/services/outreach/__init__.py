"""Telling people and systems: what, when, how often, and in which form."""
