"""Reads the samples of known series in requests of remote write where they lie: one compiled pass over the unpacked bodies of a batch.

A request that is as Prometheus writes it (fields in their order, plain samples with a time) is walked by the lengths that it states, each
checked against the end of what it lies in. In version 1 a series is the bytes of its labels. In version 2 the texts of a request are looked up
one by one, and a series is the sequence of their nodes that its references give, with its type and unit. What is known was read by the library
before: so whatever these bytes say, and whether they are valid at all, is known. Every other request is left to the library as a whole:
one with a native histogram, with families, a time that is none, a field that is unknown, out of order or torn.

Of other files only functions of `detectors` are called, whose sources name the folder of numba's cache (detectors/kernel.py).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from connectors.codecs.known_parts import KNOWN, ODD, UNKNOWN
from detectors.kernel import device, kernel
from detectors.octets import eight
from detectors.parts import LENGTH_BYTES, LONG_BYTES, MISSED, Parts, find, varint, within

SAMPLE_BYTES_MIN: Final = 4
"""A tag and a length, a time; a number that is zero is not written."""
SERIES_BYTES_MIN: Final = 2
SYMBOLS_MAX: Final = 65_536
"""Texts of one request that are looked up."""
REFERENCES_MAX: Final = 128
"""Of one series: names and values of its labels."""
_MS_MAX: Final = 9_223_372_036_854
_SYMBOL_ROOT, _SERIES_ROOT_1, _SERIES_ROOT_2 = 1 << 40, 1 << 41, 1 << 42
"""What texts and series are parts of: none is a node."""
_SERIES_1, _LABEL, _SAMPLE, _EXEMPLAR_1 = 0x0A, 0x0A, 0x12, 0x1A
_SYMBOL, _SERIES_2, _REFERENCES, _EXEMPLAR_2, _METADATA, _CREATED = 0x22, 0x2A, 0x0A, 0x22, 0x2A, 0x30
_NO_UNIT: Final = -2
_TYPE, _HELP, _UNIT = 0x08, 0x18, 0x20
_VALUE, _TIMESTAMP, _START = 0x09, 0x10, 0x18
_COUNT, _IS_UNKNOWN, _LEARN, _ROW, _SERIES = range(5)


class Samples(NamedTuple):
    """What is read of each sample, arrays of one length; and the node of each series, for learning."""

    row: NDArray[np.int32]
    code: NDArray[np.int64]
    ms: NDArray[np.int64]
    bits: NDArray[np.uint64]
    series: NDArray[np.int64]


class Symbols(NamedTuple):
    """The texts of one request of version 2, and what one of its series is: type, unit, references."""

    node: NDArray[np.int32]  # SYMBOLS_MAX
    series: NDArray[np.int32]  # REFERENCES_MAX + 4, two of them behind the last
    octets: NDArray[np.uint8]  # the same memory as `series`


_Tables = tuple[Parts, Samples, Symbols]


@device
def _sample(buffer: NDArray[np.uint8], at: int, end: int, code: int, samples: Samples, state: NDArray[np.int64]) -> bool:
    """Read one sample into the columns. False for one that is not plain."""
    bits = np.uint64(0)
    ms: Any = MISSED
    while at < end:
        tag: Any = np.int64(buffer[at])
        at += 1
        if tag == _VALUE:
            if end - at < 8:
                return False
            bits = eight(buffer, np.uint64(at))
            at += 8
        elif tag == _TIMESTAMP:
            ms, at = varint(buffer, at, end, LONG_BYTES)
        elif tag == _START:
            _, at = varint(buffer, at, end, LONG_BYTES)
        else:
            return False
        if at < 0:
            return False
    n = state[_COUNT]
    if ms < 0 or ms > _MS_MAX or n >= samples.row.shape[0]:
        return False
    samples.row[n], samples.code[n], samples.ms[n], samples.bits[n] = state[_ROW], code, ms, bits
    state[_COUNT] = n + 1
    return True


@device
def _samples(buffer: NDArray[np.uint8], at: int, end: int, node: int, tables: _Tables, state: NDArray[np.int64]) -> bool:
    """Read the samples of one series, which fill the bytes up to `end`. False when anything is not plain."""
    parts, samples, _ = tables
    code = parts.code[node] if node >= 0 else MISSED
    if code < 0:
        state[_IS_UNKNOWN] = 1
    if state[_LEARN]:
        if state[_SERIES] >= samples.series.shape[0]:
            return False
        samples.series[state[_SERIES]] = node
        state[_SERIES] += 1
    while at < end:
        first, at = within(buffer, at + 1, end)
        if at < 0 or not _sample(buffer, first, at, code, samples, state):
            return False
    return True


@device
def _run(buffer: NDArray[np.uint8], at: int, end: int, tag: int) -> int:
    """Where fields of one tag, which have a length, end; MISSED when one is torn."""
    while at < end and buffer[at] == tag:
        _, at = within(buffer, at + 1, end)
        if at < 0:
            return MISSED
    return at


@device
def _series_1(buffer: NDArray[np.uint8], at: int, end: int, tables: _Tables, state: NDArray[np.int64]) -> bool:
    """Read one series of version 1. False when anything is not plain."""
    samples = _run(buffer, at, end, _LABEL)
    if samples < 0:
        return False
    exemplars = _run(buffer, samples, end, _SAMPLE)
    if exemplars < 0 or _run(buffer, exemplars, end, _EXEMPLAR_1) != end:
        return False
    node = find(tables[0], buffer, at, samples, _SERIES_ROOT_1, state[_LEARN])
    return _samples(buffer, samples, exemplars, node, tables, state)


@device
def _references(buffer: NDArray[np.uint8], at: int, end: int, count: int, symbols: Symbols) -> int:
    """Put the nodes of the texts that a series refers to; how many. MISSED for one that is out of range, and too many."""
    n = 0
    while at < end:
        reference, at = varint(buffer, at, end, LENGTH_BYTES)
        if at < 0 or reference >= count or n >= REFERENCES_MAX:
            return MISSED
        symbols.series[2 + n] = symbols.node[reference]
        n += 1
    return n


@device
def _metadata(buffer: NDArray[np.uint8], at: int, end: int, count: int, symbols: Symbols) -> bool:
    """Put the type and the text of the unit of a series. False when anything is not plain."""
    symbols.series[0], symbols.series[1] = 0, _NO_UNIT
    if at == end:
        return True
    at, stop = within(buffer, at + 1, end)
    if at < 0 or stop != end:
        return False
    while at < end:
        tag: Any = np.int64(buffer[at])
        number, at = varint(buffer, at + 1, end, LENGTH_BYTES)
        if at < 0 or number >= SYMBOLS_MAX:
            return False
        if tag == _TYPE:
            symbols.series[0] = number
        elif tag == _UNIT:
            if number >= count:
                return False
            symbols.series[1] = symbols.node[number] if number else _NO_UNIT
        elif tag != _HELP:
            return False
    return True


@device
def _all_found(symbols: Symbols, n: int) -> bool:
    """Whether all texts of a series are in the table: else another, as new, would be taken for it."""
    found = True
    for k in range(1, n):
        found &= symbols.series[k] != MISSED
    return found


@device
def _created(buffer: NDArray[np.uint8], at: int, end: int) -> bool:
    """Whether only the time at which counting began stands there, or nothing."""
    if at < end and buffer[at] == _CREATED:
        _, at = varint(buffer, at + 1, end, LONG_BYTES)
    return at == end


@device
def _series_2(buffer: NDArray[np.uint8], at: int, end: int, count: int, tables: _Tables, state: NDArray[np.int64]) -> bool:
    """Read one series of version 2, of a request with `count` texts. False when anything is not plain."""
    parts, _, symbols = tables
    if at >= end or buffer[at] != _REFERENCES:
        return False
    first, samples = within(buffer, at + 1, end)
    n = _references(buffer, first, samples, count, symbols) if samples >= 0 else MISSED
    exemplars = _run(buffer, samples, end, _SAMPLE) if n >= 0 else MISSED
    about = _run(buffer, exemplars, end, _EXEMPLAR_2) if exemplars >= 0 else MISSED
    if about < 0:
        return False
    created = about
    if about < end and buffer[about] == _METADATA:
        _, created = within(buffer, about + 1, end)
    if created < 0 or not _created(buffer, created, end) or not _metadata(buffer, about, created, count, symbols):
        return False
    node = MISSED
    if _all_found(symbols, n + 2):
        node = find(parts, symbols.octets, 0, 4 * (n + 2), _SERIES_ROOT_2, state[_LEARN])
    return _samples(buffer, samples, exemplars, node, tables, state)


@device
def _request_1(buffer: NDArray[np.uint8], at: int, end: int, tables: _Tables, state: NDArray[np.int64]) -> bool:
    while at < end and buffer[at] == _SERIES_1:
        first, at = within(buffer, at + 1, end)
        if at < 0 or not _series_1(buffer, first, at, tables, state):
            return False
    return at == end


@device
def _request_2(buffer: NDArray[np.uint8], at: int, end: int, tables: _Tables, state: NDArray[np.int64]) -> bool:
    symbols = tables[2]
    count = 0
    while at < end and buffer[at] == _SYMBOL:
        first, at = within(buffer, at + 1, end)
        if at < 0 or count >= SYMBOLS_MAX:
            return False
        node = find(tables[0], buffer, first, at, _SYMBOL_ROOT, state[_LEARN])
        if node < 0:
            state[_IS_UNKNOWN] = 1
        symbols.node[count] = node
        count += 1
    while at < end and buffer[at] == _SERIES_2:
        first, at = within(buffer, at + 1, end)
        if at < 0 or not _series_2(buffer, first, at, count, tables, state):
            return False
    return at == end


@kernel
def scan(
    buffer: NDArray[np.uint8],
    ends: NDArray[np.int64],
    samples_max: int,
    tables: _Tables,
    state: NDArray[np.int64],
    verdict: NDArray[np.int8],
) -> None:
    """Read all requests of a batch, which end at `ends` and are followed by PADDING bytes; write a verdict for each.

    KNOWN: its samples, at most `samples_max`, are in the columns, with the codes of their series. UNKNOWN: plain, but with parts that are new;
    ODD: for the library. Neither leaves samples, but in learning (state[2]), where new parts are put into the table and all plain samples and
    the nodes of all series are kept. state[0] is the number of samples, state[4] that of series.
    """
    start = 0
    state[_COUNT] = state[_SERIES] = 0
    for i in range(ends.shape[0]):
        before, plain = state[_COUNT], start < ends[i]
        state[_IS_UNKNOWN], state[_ROW] = 0, i
        if plain and buffer[start] == _SERIES_1:
            plain = _request_1(buffer, start, ends[i], tables, state)
        elif plain:
            plain = _request_2(buffer, start, ends[i], tables, state)
        start = ends[i]
        if not plain or state[_COUNT] == before or state[_COUNT] - before > samples_max:
            verdict[i] = ODD
            state[_COUNT] = before
        else:
            verdict[i] = UNKNOWN if state[_IS_UNKNOWN] else KNOWN
            if state[_IS_UNKNOWN] and not state[_LEARN]:
                state[_COUNT] = before
