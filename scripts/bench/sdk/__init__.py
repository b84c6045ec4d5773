"""Reads by the providers' own clients, each run in `.venv-bench` as a process of its own; see `beside`."""
