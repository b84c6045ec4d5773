"""The discovery worker."""
