"""Lantern: find every AI tool an organisation uses, judge what it reaches, govern it, act."""
