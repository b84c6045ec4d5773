"""The consent flow."""
