"""The short way for remote write: samples of known series by `remote_scan`, all else by the library.

What the library reads teaches the short way which series the labels of a plain request are of. When the table is full it begins anew. This way
changes what decoding costs and nothing of what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from connectors.codecs import remote_scan
from connectors.codecs.columns import NOT_FINITE, VALUE_MAX, ColumnsBuilder
from connectors.codecs.known_parts import KNOWN, ODD, KnownParts, left
from connectors.codecs.remote_scan import REFERENCES_MAX
from detectors.parts import PADDING
from engine.errors import Reject
from engine.records import Coded

STALE: Final = "a NaN: the series has ended, or has no value"
_PADDING: Final = bytes(PADDING)
_MILLISECOND_NS: Final = 1_000_000


class SampleReader:
    """Reads requests of one catalog, of at most `samples_max` samples each."""

    def __init__(self, samples_max: int) -> None:
        self._samples_max = samples_max
        self._known = KnownParts()
        series = np.zeros(REFERENCES_MAX + 4, np.int32)
        self._symbols = remote_scan.Symbols(np.zeros(remote_scan.SYMBOLS_MAX, np.int32), series, series.view(np.uint8))

    def take(self, rows: NDArray[np.int32], bodies: Sequence[bytes], out: ColumnsBuilder) -> list[tuple[int, bool]]:
        """Put the samples of all bodies that are known, as of these rows; returns the places of the others, and whether each can be learned.

        A series whose key is b"" gives nothing.
        """
        self._known.renew()
        samples, verdict, _ = self._scan(bodies, learn=False)
        number = samples.bits.view(np.float64)
        is_stale, is_dropped = np.isnan(number), samples.code == self._known.words.find(b"")
        is_beyond = ~(np.abs(number) < VALUE_MAX) & ~is_stale
        told = np.bincount(samples.row[~is_dropped], minlength=len(bodies))
        verdict[(verdict == KNOWN) & (told == 0)] = ODD
        keep = (verdict[samples.row] == KNOWN) & ~is_dropped
        for row in rows[samples.row[keep & is_stale]].tolist():
            out.reject(row, Reject.STALE, STALE)
        for at in np.flatnonzero(keep & is_beyond).tolist():
            name = self._known.words.word(int(samples.code[at])).decode()
            out.reject(int(rows[samples.row[at]]), Reject.UNLIMITED, f"{name}: {NOT_FINITE}")
        keep &= ~is_stale & ~is_beyond
        keys = Coded(self._known.words, samples.code[keep])
        out.bulk(rows[samples.row[keep]], keys, samples.ms[keep] * _MILLISECOND_NS, number[keep])
        return left(verdict)

    def learn(self, body: bytes, keys: Sequence[bytes], symbols: int) -> None:
        """Remember the keys of all series of a plain body with so many texts; nothing when they are not as many as the keys."""
        size = len(body) if not symbols else 5 * len(body) + 8 * len(keys)  # a reference of one byte is kept in four
        if not self._known.make_room(len(keys) + symbols, size):
            return
        _, verdict, series = self._scan([body], learn=True)
        if verdict[0] != ODD and len(series) == len(keys):
            self._known.name(series.tolist(), list(keys))

    def _scan(self, bodies: Sequence[bytes], *, learn: bool) -> tuple[remote_scan.Samples, NDArray[np.int8], NDArray[np.int64]]:
        """The samples, a verdict on each body, and in learning the node of each series."""
        joined = b"".join([*bodies, _PADDING])
        sizes = np.fromiter(map(len, bodies), np.int64, len(bodies))
        n = int(np.minimum(sizes // remote_scan.SAMPLE_BYTES_MIN, self._samples_max).sum()) + 1
        numbers = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.uint64)
        series = np.empty(len(joined) // remote_scan.SERIES_BYTES_MIN if learn else 0, np.int64)
        samples = remote_scan.Samples(np.empty(n, np.int32), *numbers, series)
        state = np.array([0, 0, learn, 0, 0], np.int64)
        verdict = np.empty(len(bodies), np.int8)
        tables = self._known.table, samples, self._symbols
        remote_scan.scan(np.frombuffer(joined, np.uint8), np.cumsum(sizes), self._samples_max, tables, state, verdict)
        n = int(state[0])
        read = remote_scan.Samples(samples.row[:n], samples.code[:n], samples.ms[:n], samples.bits[:n], series)
        return read, verdict, series[: int(state[4])]
