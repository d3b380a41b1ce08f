"""What the stage remembers of incidents that are over: plain structs, part of its state."""

from __future__ import annotations

from typing import Final

import msgspec

NO_PROBLEM: Final = "false"
"""The verdict of people who say that it was none."""


class Later(msgspec.Struct, array_like=True):
    """What came later than the first of an incident: how often, and the sum of how many seconds later."""

    times: int
    seconds: float


class Kind(msgspec.Struct):
    """One kind of incident. Of those that were of it, `id` is the latest; what people said of one is kept until they say otherwise of a later."""

    id: str
    domain: str
    features: dict[str, float]
    last_ns: int
    times: int = 1
    fixed_by: str = ""
    cause: str = ""  # the entity that people named
    verdict: str = ""  # NO_PROBLEM or another word
    began_ns: list[int] = []  # the latest few beginnings
    longest_ns: int = 0  # from beginning to recovery
    later: dict[str, Later] = {}  # by its words


class Past(msgspec.Struct):
    """All kinds, the one seen last at the end."""

    kinds: dict[str, Kind] = {}
