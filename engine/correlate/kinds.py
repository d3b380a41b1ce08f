"""What the stage remembers of incidents that are over: plain structs, part of its state."""

from __future__ import annotations

import msgspec


class Kind(msgspec.Struct):
    """One kind of incident. Of those that were of it, `id` is the latest; what people said of one is kept until they say otherwise of a later."""

    id: str
    domain: str
    features: dict[str, float]
    last_ns: int
    times: int = 1
    fixed_by: str = ""
    cause: str = ""  # the entity that people named
    is_harmless: bool = False  # they said that it was no problem


class Past(msgspec.Struct):
    """All kinds, the one seen last at the end."""

    kinds: dict[str, Kind] = {}
