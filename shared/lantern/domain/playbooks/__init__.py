"""Playbooks: what is done about a cause, step by step, target by target, within brakes."""
