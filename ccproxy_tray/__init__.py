"""Keeps Claude Code alive: one loopback endpoint in front of an ordered chain of model providers."""

__version__ = "0.1.0"
