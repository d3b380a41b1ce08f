"""Lines at the time that they themselves say, where their records bring none but Kafka's: for any format."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.line_times import LineTimes
from engine.ports import Catalog, Codec
from engine.records import Decoded, Record


class HeaderTimesCodec:
    """Another codec's lines. One that has a time of its document's keeps it."""

    def __init__(self, codec: Codec, zone: str) -> None:
        self._codec = codec
        self._times = LineTimes(zone)

    def decode(self, records: Sequence[Record], catalog: Catalog) -> Decoded:
        """As `ports.Codec`."""
        decoded = self._codec.decode(records, catalog)
        lines = decoded.lines
        if not len(lines.row):
            return decoded
        of_record = np.array([record.ts_ns for record in records], np.int64)[lines.row]
        ts_ns = lines.ts_ns.copy()
        for i in np.flatnonzero(ts_ns == of_record).tolist():
            ts_ns[i] = self._times.read(lines.text[i], int(of_record[i]))
        return decoded._replace(lines=lines._replace(ts_ns=ts_ns))
