"""Filling accounts with real files (spec RUN-6)."""
