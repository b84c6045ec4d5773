"""Okta: people, the apps they may sign in to, what they consented to, and what apps may do by themselves."""
