"""Foreshock's domain: a deterministic stream processor and the thin process around it.

Read `records/`, `errors.py` and `ports.py` first: they are the nouns and the contracts that everything else is made of.
"""

__version__ = "0.1.0"
