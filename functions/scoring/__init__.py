"""The scoring worker."""
