"""Brokers that we can start ourselves."""
