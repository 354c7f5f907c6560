"""Upstream accounts: what is sent to each, and how each one's answers are read."""
