"""Numerics: numpy in, numpy out, one detector a file. No I/O, no clock, nothing of the engine's.

Begin with `contract.py` (what a detector is) and `registry.py` (which there are); `naive.py` says each again, slowly.
"""
