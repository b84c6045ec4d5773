"""Judging what discovery stored: who is this app, what can it reach, how risky is it, which rules break."""
