"""What the stage remembers of signs that followed one another: plain structs, part of its state."""

from __future__ import annotations

import msgspec


class Follows(msgspec.Struct, array_like=True, frozen=True):
    """How often one sign followed another, in units that grow with time, and the sum of how many seconds later."""

    weight: float
    seconds: float


class Leads(msgspec.Struct):
    """Weights of incidents, of signs by `domain` and sign, and of what followed them. An incident that ends now weighs `unit`."""

    total: float = 0.0
    unit: float = 1.0
    signs: dict[str, float] = {}
    follows: dict[str, dict[str, Follows]] = {}
