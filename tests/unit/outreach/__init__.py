"""Outreach without I/O: noise, channels, templates."""
