"""The oracle of `burn`: one objective as a list of its events by minute."""

from __future__ import annotations

from detectors.burn import RINGS


class NaiveBurn:
    """`events` has (minute in which it was counted, bad, total)."""

    def __init__(self) -> None:
        self.events: list[tuple[int, float, float]] = []

    def count(self, minutes: int, now: int) -> tuple[float, float]:
        """Bad events and all in the window, which begins at a mark."""
        distance = next(distance for _, distance, size in RINGS if distance * (size - 2) >= minutes)
        began = (now - minutes) // distance * distance
        inside = [(bad, total) for minute, bad, total in self.events if began <= minute < now]
        return sum(bad for bad, _ in inside), sum(total for _, total in inside)

    def burn(self, budget: float, minutes: int, now: int) -> float:
        """The share that was bad over the share that may be, as far as the window is known."""
        bad, total = self.count(minutes, now)
        known = now - self.events[0][0] if self.events else 0
        return bad / total / budget * min(known / minutes, 1.0) if total else 0.0
