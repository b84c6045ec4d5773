"""Slack: workspaces and Enterprise organisations."""
