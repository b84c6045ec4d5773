"""Ways out to people and systems."""
