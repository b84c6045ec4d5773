"""Google Workspace."""
