"""A catalog that remembers what it was asked: which names and labels a codec found, before any rule took labels away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from engine.config.tree import Source
from engine.detect.catalog import SourceCatalog
from engine.records import Series

ENTRIES_MAX: Final = 200_000
"""Names and labels that are remembered; a sample is bounded in bytes, so that it seldom holds more."""


class Entry(NamedTuple):
    """One series as its producer labels it, under the key that the source's rules make of it."""

    key: bytes
    name: str
    labels: Mapping[str, str]
    kind: str  # as declared, "" when nobody did
    unit: str


class Ledger:
    """Implements ports.Catalog over the source's own."""

    def __init__(self, source: Source) -> None:
        self._catalog = SourceCatalog(source)
        self.series_max = self._catalog.series_max
        self.metrics: list[Entry] = []
        self.streams: list[Entry] = []

    def metric(self, name: str, labels: Mapping[str, str], *, kind: str = "", unit: str = "") -> bytes:
        """As ports.Catalog."""
        key = self._catalog.metric(name, labels, kind=kind, unit=unit)
        if len(self.metrics) < ENTRIES_MAX:
            self.metrics.append(Entry(key, name, dict(labels), kind, unit))
        return key

    def stream(self, labels: Mapping[str, str]) -> bytes:
        """As ports.Catalog."""
        key = self._catalog.stream(labels)
        if len(self.streams) < ENTRIES_MAX:
            self.streams.append(Entry(key, "", dict(labels), "", ""))
        return key

    def event(self, name: str, labels: Mapping[str, str]) -> tuple[bytes, str]:
        """As ports.Catalog."""
        return self._catalog.event(name, labels)

    def describe(self, key: bytes) -> Series:
        """As ports.Catalog."""
        return self._catalog.describe(key)
