"""Which topics a consumer subscribes to: those that are named, and those that match a pattern at the time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from engine.config.topic_patterns import is_pattern, matches

REFRESH_SECONDS: Final = 60.0
"""How often the broker is asked for new topics, unless `topic.metadata.refresh.interval.ms` says more often."""


class Wanted:
    """Names and patterns, and what came of them. `refuse` gives a sentence for a topic that must not be read, else ""."""

    def __init__(
        self,
        topics: Sequence[str],
        *,
        ours: Collection[str],
        refuse: Callable[[str], str],
        refresh_seconds: float = REFRESH_SECONDS,
        our_head: str = "",
    ) -> None:
        self.named = [topic for topic in topics if not is_pattern(topic)]
        self.current: list[str] = []
        self.refused: dict[str, str] = {}
        self._patterns = [topic for topic in topics if is_pattern(topic)]
        self._ours = frozenset(ours)
        self._our_head = our_head  # what names of further ones of ours begin with
        self._refuse = refuse
        self._refresh_seconds = min(refresh_seconds, REFRESH_SECONDS)
        self._next = 0.0

    def is_time(self, now: float) -> bool:
        """Whether the broker is to be asked again; never without a pattern."""
        if not self._patterns or now < self._next:
            return False
        self._next = now + self._refresh_seconds
        return True

    def settle(self, known: Iterable[str]) -> tuple[bool, list[str]]:
        """Take the broker's topics: whether `current` is another than before, and a sentence for each topic newly refused.

        A pattern never means the broker's own topics (`__…`) or ours.
        """
        found = [name for name in sorted(known) if self._is_meant(name)]
        sentences = {name: sentence for name in found if (sentence := self._refuse(name))}
        news = [sentence for name, sentence in sentences.items() if name not in self.refused]
        self.refused = sentences
        wanted = [*self.named, *(name for name in found if name not in sentences)]
        changed = wanted != self.current
        self.current = wanted
        return changed, news

    def _is_meant(self, name: str) -> bool:
        if self._our_head and name.startswith(self._our_head):
            return False
        if name.startswith("__") or name in self._ours or name in self.named:
            return False
        return any(matches(pattern, name) for pattern in self._patterns)
