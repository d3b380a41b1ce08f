"""Enumerations whose members are looked up often."""

from __future__ import annotations

from enum import StrEnum


class Word(StrEnum):
    """Members hash as their text does. `enum` hashes them by a method in Python, which takes longer than a look-up with it."""

    __hash__ = str.__hash__
