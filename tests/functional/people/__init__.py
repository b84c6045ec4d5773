"""Guiding people: questions, requests, reviews, and the pages they meet."""
