"""Employees guided instead of blocked: questions, requests for access, reviews."""
