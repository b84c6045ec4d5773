"""Playbooks: pages, ways through, brakes."""
