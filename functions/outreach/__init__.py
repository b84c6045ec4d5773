"""The outreach worker."""
