"""Logs that records come from."""
