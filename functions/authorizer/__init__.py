"""The authorizer."""
