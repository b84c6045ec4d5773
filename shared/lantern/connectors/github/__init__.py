"""GitHub: an organisation that installed Lantern's GitHub App."""
