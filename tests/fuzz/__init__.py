"""Codecs under bytes that no test thought of: `make fuzz`."""
