"""Reads documents of log lines where they lie: one compiled pass over the bytes of a batch, for those that say nothing new beside text and time.

    {"@timestamp":1795218875.509123,"stream":"stdout","log":"GET /cart 200","kubernetes":{"pod_name":"cart-7d9c5b6f4-x2k8p"}}

A document is walked by its members. The one of the text and that of the time are read; those that nobody asks for are passed over; of all others
key and value are looked up, byte by byte, each below the one before it (`detectors.parts`). So what they say together is known from a
document that the general reader has read. Members that are read or passed over are checked to be valid JSON; the others were, when they were
learned. Everything that is unusual is left to the general reader: a text with an escape, a name that comes twice, anything torn.

Of other files only functions of `detectors` are called, whose sources name the folder of numba's cache (detectors/kernel.py).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from connectors.codecs.known_parts import KNOWN, ODD, UNKNOWN
from detectors.decimals import number, whole
from detectors.kernel import device, kernel
from detectors.octets import ALL_BYTES, HIGH, ONE, eight, first_mark
from detectors.parts import MISSED, Parts, find

MEMBERS_MAX: Final = 64
TIME: Final = 0
IDLE: Final = 1
CARRIED: Final = 2
TEXT: Final = 3
"""What a name stands for: the time, nothing that is asked for, what each line says anew beside its text, the text; further texts, which count where the
ones before are not there, follow."""
CARRIED_MAX: Final = 8
"""Members of one document that each line says anew."""
TEXTS_MAX: Final = 8
ESCAPED: Final = 1
NOT_ASCII: Final = 2
UNCHECKED: Final = 4
BY_HAND: Final = 8
"""Of a string: it has an escape, a byte above 127, an escape that is not checked here; of a text: it is not what stands there."""
_ROOT: Final = -1
_NUMBER_BYTES_MAX: Final = 40
_MICROS_MAX: Final = 9.2e15
_QUOTES: Final = np.uint64(0x2222222222222222)
_BACKSLASHES: Final = np.uint64(0x5C5C5C5C5C5C5C5C)
_BLANKS: Final = np.uint64(0x2020202020202020)
_NS: Final = 1_000_000_000


class Lines(NamedTuple):
    """What is read of each document. Arrays of one length."""

    node: NDArray[np.int64]  # of all that is looked up
    rest: NDArray[np.int64]  # in learning: of all behind text and time, as one part
    start: NDArray[np.int64]  # of the text, as it stands there
    end: NDArray[np.int64]
    time_start: NDArray[np.int64]  # of the time; MISSED where it has been read already, or is not asked for
    time_end: NDArray[np.int64]
    ts_ns: NDArray[np.int64]
    flags: NDArray[np.int8]
    carried: NDArray[np.int64]  # (n, 1 + 2 * CARRIED_MAX), how many members, and where each begins and ends, its name included


class Span(NamedTuple):
    """Of one document: the texts that were found, each start, end and flags, then the time, and the flags of all strings. One array each."""

    texts: NDArray[np.int64]  # 3 * TEXTS_MAX
    time: NDArray[np.int64]  # start, end
    flags: NDArray[np.int64]  # 1
    read: NDArray[np.int64]  # 1: texts, times and carried members that were found
    carried: NDArray[np.int64]  # 1 + 2 * CARRIED_MAX, as in `Lines`


@device
def _string(buffer: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """(the place of the closing quote of a string whose bytes begin at `at`, its flags); MISSED for one that is torn or has a control byte."""
    flags: Any = 0
    high = np.uint64(0)
    place: Any = at
    while place < end:
        word = eight(buffer, np.uint64(place))
        quotes, backslashes = word ^ _QUOTES, word ^ _BACKSLASHES
        marks = ((quotes - ALL_BYTES) & ~quotes) | ((backslashes - ALL_BYTES) & ~backslashes) | ((word - _BLANKS) & ~word)
        marks &= HIGH
        if marks == np.uint64(0):
            high |= word
            place += 8
            continue
        first = first_mark(marks)
        high |= word & ((ONE << (first << np.uint64(3))) - ONE)
        place += np.int64(first)
        if place >= end or (buffer[place] != 34 and buffer[place] != 92):
            return MISSED, 0
        if buffer[place] == 34:
            return place, flags | (NOT_ASCII if high & HIGH else 0)
        flags |= ESCAPED | (0 if place + 1 < end and _is_escape(buffer[place + 1]) else UNCHECKED)
        place += 2
    return MISSED, 0


@device
def _is_escape(byte: int) -> bool:
    return byte in (34, 47, 92, 98, 102, 110, 114, 116)


@device
def _past_blanks(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    while at < end and (buffer[at] == 32 or buffer[at] == 10 or buffer[at] == 13 or buffer[at] == 9):
        at += 1
    return at


@device
def _nested(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """Where an object or an array ends that begins at `at`; whether it is valid is not looked at. MISSED for one that is torn."""
    depth = 0
    while at < end:
        byte = buffer[at]
        if byte == 34:
            at, _ = _string(buffer, at + 1, end)
            if at < 0:
                return MISSED
        elif byte in (123, 91):
            depth += 1
        elif byte in (125, 93):
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return MISSED


@device
def _number(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """Where a number ends; MISSED for what is none, and for one that may be too large."""
    stop, value = number(buffer, at, end)
    if stop < 0 or stop - at > _NUMBER_BYTES_MAX:
        return MISSED
    if value != value:  # noqa: PLR0124  # NaN: only said not to be exact, but an exponent may lead anywhere
        for k in range(at, stop):
            if buffer[k] == 101 or buffer[k] == 69:
                return MISSED
    return stop


@device
def _word(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """Where true, false or null ends; MISSED for all else."""
    if end - at >= 4:
        four = eight(buffer, np.uint64(at)) & np.uint64(0xFFFFFFFF)
        if four in (np.uint64(0x65757274), np.uint64(0x6C6C756E)):
            return at + 4
        if four == np.uint64(0x736C6166) and end - at >= 5 and buffer[at + 4] == 101:
            return at + 5
    return MISSED


@device
def _idle(buffer: NDArray[np.uint8], at: int, end: int, span: Span) -> int:
    """Where a value that nobody asks for ends; MISSED for one that is not a plain scalar."""
    if buffer[at] == 34:
        stop, flags = _string(buffer, at + 1, end)
        span.flags[0] |= flags
        return stop + 1 if stop >= 0 and not flags & UNCHECKED else MISSED
    stop = _word(buffer, at, end)
    return stop if stop >= 0 else _number(buffer, at, end)


@device
def _text(buffer: NDArray[np.uint8], at: int, end: int, which: int, span: Span) -> int:
    """Read a text; where it ends, MISSED when it is not plain, or the second one."""
    if buffer[at] != 34 or which >= TEXTS_MAX or span.texts[3 * which] >= 0:
        return MISSED
    stop, flags = _string(buffer, at + 1, end)
    if stop < 0:
        return MISSED
    span.read[0] += 1
    span.texts[3 * which], span.texts[3 * which + 1], span.texts[3 * which + 2] = at + 1, stop, flags
    span.flags[0] |= flags
    return stop + 1


@device
def _time(buffer: NDArray[np.uint8], at: int, end: int, span: Span) -> int:
    """Read where the time stands; where it ends, MISSED when it is not plain, or the second one."""
    if span.time[0] >= 0:
        return MISSED
    stop = MISSED
    if buffer[at] == 34:
        stop, flags = _string(buffer, at + 1, end)
        if flags & ESCAPED:
            return MISSED
        span.flags[0] |= flags
        stop += stop >= 0
    else:
        stop = _number(buffer, at, end)
    span.read[0] += 1
    span.time[0], span.time[1] = at, stop
    return stop


@device
def _other(buffer: NDArray[np.uint8], begin: int, at: int, end: int, known: tuple[Parts, int], learn: int) -> tuple[int, int]:
    """(where a value that is looked up with its name ends, the node of both below the one given); MISSED for one that is torn."""
    if buffer[at] == 34:
        stop, _ = _string(buffer, at + 1, end)
        stop += stop >= 0
    elif buffer[at] == 123 or buffer[at] == 91:
        stop = _nested(buffer, at, end)
    else:
        stop = at
        while stop < end and buffer[stop] not in (44, 125, 32, 10, 13, 9):
            stop += 1
    if stop < 0:
        return MISSED, MISSED
    parts, parent = known
    return stop, find(parts, buffer, begin, stop, parent, learn) if parent >= _ROOT else MISSED - 1


@device
def _carried(begin: int, stop: int, span: Span) -> int:
    """Keep where a member stands that was checked already; where it ends, MISSED when it is not plain, or one too many."""
    n = span.carried[0]
    if stop < 0 or n >= CARRIED_MAX:
        return MISSED
    span.carried[1 + 2 * n], span.carried[2 + 2 * n] = begin, stop
    span.carried[0] = n + 1
    span.read[0] += 1
    return stop


@device
def _member(
    buffer: NDArray[np.uint8], at: int, end: int, tables: tuple[Parts, Parts], node: int, span: Span, learn: int
) -> tuple[int, int]:
    """Read one member; (where it ends, the node of all looked up so far, below _ROOT where one is new). MISSED for one that is not plain."""
    begin = at
    if at >= end or buffer[at] != 34:
        return MISSED, node
    stop, flags = _string(buffer, at + 1, end)
    if stop < 0 or flags & ESCAPED:
        return MISSED, node
    at = _past_blanks(buffer, stop + 1, end)
    if at >= end or buffer[at] != 58:
        return MISSED, node
    at = _past_blanks(buffer, at + 1, end)
    if at >= end:
        return MISSED, node
    name = find(tables[0], buffer, begin + 1, stop, _ROOT, 0)
    code = tables[0].code[name] if name >= 0 else MISSED
    if code == TIME:
        return _time(buffer, at, end, span), node
    if code >= TEXT:
        return _text(buffer, at, end, code - TEXT, span), node
    if code >= IDLE:  # an object or an array is not plain: where a name comes twice, as both, it would not be known which counts
        stop = _idle(buffer, at, end, span)
        return stop if code == IDLE else _carried(begin, stop, span), node
    stop, node = _other(buffer, begin, at, end, (tables[1], node), learn)
    return stop, node if node >= 0 else MISSED - 1


@device
def _document(
    buffer: NDArray[np.uint8], at: int, end: int, tables: tuple[Parts, Parts], span: Span, options: tuple[int, int]
) -> tuple[bool, int, int]:
    """(whether a document is plain, the node of all that was looked up, that of the rest); MISSED where something is new.

    Behind text and time all is looked up at once, as it stands: where that is known, it need not be walked. `options` are whether to learn, and
    whether there must be a time.
    """
    learn, has_time = options
    span.texts[:] = MISSED
    span.time[:] = MISSED
    span.flags[0] = span.read[0] = span.carried[0] = 0
    node, rest, read = _ROOT, MISSED, MISSED
    at = _past_blanks(buffer, at, end)
    if at >= end or buffer[at] != 123:
        return False, MISSED, MISSED
    for _ in range(MEMBERS_MAX):
        at = _past_blanks(buffer, at + 1, end)
        if read < 0 and span.read[0] - span.carried[0] > has_time and (span.time[0] >= 0 or not has_time):
            read = span.read[0]
            rest = find(tables[1], buffer, at, end, node, learn)
            if rest >= 0 and not learn and tables[1].code[rest] >= 0:
                return True, rest, rest
        at, node = _member(buffer, at, end, tables, node, span, learn)
        if at < 0:
            return False, MISSED, MISSED
        at = _past_blanks(buffer, at, end)
        if at >= end:
            return False, MISSED, MISSED
        if buffer[at] == 125:
            all_of = find(tables[1], buffer, at, at, node, learn) if node >= _ROOT else MISSED
            return _past_blanks(buffer, at + 1, end) == end, all_of, rest if span.read[0] == read else MISSED
        if buffer[at] != 44:
            return False, MISSED, MISSED
    return False, MISSED, MISSED


@device
def _ns(buffer: NDArray[np.uint8], at: int, end: int, scale: int) -> tuple[bool, int]:
    """(whether it is read, nanoseconds) of a time that is a number in units of `scale` nanoseconds."""
    stop, value = whole(buffer, at, end)
    if stop == end:
        return abs(value) <= 9_223_372_036_854_775_807 // scale, value * scale
    stop, fraction = number(buffer, at, end)
    micros = fraction * (scale / 1_000.0)
    if stop != end or not abs(micros) < _MICROS_MAX:
        return False, 0
    rounded: Any = np.int64(np.rint(micros))
    return True, rounded * 1_000


@device
def _begins(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """Where a text begins behind blanks and byte order marks."""
    while at < end:
        if buffer[at] == 32:
            at += 1
        elif end - at >= 3 and buffer[at] == 0xEF and buffer[at + 1] == 0xBB and buffer[at + 2] == 0xBF:
            at += 3
        else:
            break
    return at


@device
def _put(buffer: NDArray[np.uint8], i: int, span: Span, scale: int, embedded: int, lines: Lines) -> bool:
    """Put what was read of a document, but for its node. False when it has no text, or one that may be a document itself."""
    which = 0
    while which < TEXTS_MAX and span.texts[3 * which] < 0:
        which += 1
    if which == TEXTS_MAX:
        return False
    start, end, flags = span.texts[3 * which], span.texts[3 * which + 1], span.flags[0]
    if span.texts[3 * which + 2] & ESCAPED or (
        end > start and buffer[end - 1] >= 128
    ):  # a blank that is not ASCII may stand there
        flags |= BY_HAND
    else:
        start = _begins(buffer, start, end)
        while end > start and buffer[end - 1] == 32:
            end -= 1
    if embedded and start < end and buffer[start] == 123:
        return False
    lines.start[i], lines.end[i], lines.flags[i] = start, end, flags
    for k in range(1 + 2 * span.carried[0]):
        lines.carried[i, k] = span.carried[k]
    lines.time_start[i], lines.time_end[i], lines.ts_ns[i] = span.time[0], span.time[1], 0
    if scale > 0 and span.time[0] >= 0 and buffer[span.time[0]] != 34:
        done, ts_ns = _ns(buffer, span.time[0], span.time[1], scale)
        if done:
            lines.time_start[i], lines.ts_ns[i] = MISSED, ts_ns
    return True


@kernel
def scan(
    buffer: NDArray[np.uint8],
    ends: NDArray[np.int64],
    tables: tuple[Parts, Parts],
    options: tuple[int, int, int, int],
    span: Span,
    lines: Lines,
    verdict: NDArray[np.int8],
) -> None:
    """Read all documents of a batch, which end at `ends` and are followed by PADDING bytes; write a verdict for each.

    KNOWN: what it says is in the columns; UNKNOWN: plain, but with members that are new; ODD: for the general reader. `tables` are the names that
    are no part of what is looked up, and what is; `options` are whether to learn, whether there must be a time, the nanoseconds of its unit
    (0: it is a text), and whether texts may be documents themselves. Where `flags` say so, whether strings are UTF-8 is still to be checked, and the text is
    to be read from the string between `start` and `end`.
    """
    learn, has_time, scale, embedded = options
    start = 0
    for i in range(ends.shape[0]):
        plain, node, rest = _document(buffer, start, ends[i], tables, span, (learn, has_time))
        start = ends[i]
        lines.node[i], lines.rest[i] = node, rest
        if not plain or (has_time and span.time[0] < 0) or not _put(buffer, i, span, scale, embedded, lines):
            verdict[i] = ODD
        elif node < 0 or tables[1].code[node] < 0:
            verdict[i] = UNKNOWN
        else:
            verdict[i] = KNOWN
