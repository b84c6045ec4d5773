"""Salesforce: OAuth tokens of connected apps, agents, sign-ins."""
