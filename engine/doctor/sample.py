"""Some records of one topic, and how they were come by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from engine.records import Record

RECORDS_MAX: Final = 2_000
BYTES_MAX: Final = 16 * 2**20
PARTITIONS_MAX: Final = 64
"""Of a topic with more, so many are looked at, evenly spread."""


@dataclass(slots=True)
class Sample:
    """The newest records of each partition, by partition and offset."""

    topic: str
    records: list[Record]
    partitions: dict[int, int] = field(default_factory=dict)
    """Every partition there is, and how many records it holds."""
    damaged: list[str] = field(default_factory=list)
    """A sentence for each partition whose log cannot be read any further."""
    is_timed: bool = True
    """Whether its records' times are those of a log; a file may know none."""
    cut: bool = False
    """Whether a limit of time or bytes came before the limit of records."""

    def bytes(self) -> int:
        """Of all bodies."""
        return sum(len(record.value or b"") for record in self.records)
