"""Eight bytes of a text at a time, as one whole number: the first byte is the lowest.

Where the processor looks at a byte a step, the text decides how long it takes; eight a step are as quick as one. With the JIT off the same is said in
plain Python.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from detectors.kernel import JIT, device

ALL_BYTES: Final = np.uint64(0x0101010101010101)  # times n: the byte n eight times
HIGH: Final = np.uint64(0x8080808080808080)
LOW_BITS: Final = np.uint64(0x7F7F7F7F7F7F7F7F)
ZEROES: Final = np.uint64(0x3030303030303030)
ABOVE_NINE: Final = np.uint64(0x7676767676767676)  # added to 10 or more it reaches the high bit
ONE, THREE, EIGHT = (np.uint64(n) for n in (1, 3, 8))


def _plain_eight(buffer: NDArray[np.uint8], i: Any) -> Any:
    return np.uint64(int.from_bytes(buffer[int(i) : int(i) + 8].tobytes(), "little"))


def _plain_first(marks: Any) -> Any:
    found = int(marks)
    return np.uint64(((found & -found).bit_length() - 1) >> 3)


def _compiled_eight(context: Any, buffer: Any, i: Any) -> Any:  # noqa: ARG001  # numba's signature
    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = target.make_array(signature.args[0])(target, builder, value=arguments[0]).data
        word = target.get_value_type(types.uint64)
        place = builder.bitcast(builder.gep(data, [arguments[1]]), word.as_pointer())
        loaded = builder.load(place, align=1)
        return loaded if np.little_endian else builder.bswap(loaded)

    return types.uint64(buffer, types.uint64), generate


def _compiled_first(context: Any, marks: Any) -> Any:  # noqa: ARG001  # numba's signature
    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        zeros = builder.cttz(arguments[0], target.get_constant(types.boolean, True))
        return builder.lshr(zeros, target.get_constant(types.uint64, 3))

    return types.uint64(types.uint64), generate


eight: Any = intrinsic(_compiled_eight) if JIT else _plain_eight
"""The eight bytes `buffer[i:i + 8]`. Nothing is checked: the caller sees to it that `buffer` has them all."""
first_mark: Any = intrinsic(_compiled_first) if JIT else _plain_first
"""Which byte, of 0 to 7, is the first that has its high bit set. There must be one, and no other bits."""


@device
def digit_marks(word: Any) -> Any:
    """The high bit of each byte that is a digit."""
    x = word ^ ZEROES
    return ~(((x & LOW_BITS) + ABOVE_NINE) | x) & HIGH


@device
def last(buffer: NDArray[np.uint8], at: Any, size: Any) -> Any:
    """The last `size` < 8 bytes of something, as a number; the buffer goes on for eight."""
    return eight(buffer, np.uint64(at)) & ((ONE << np.uint64(8 * size)) - ONE)


@device
def equal(a: NDArray[np.uint8], at: Any, b: NDArray[np.uint8], by: Any, size: Any) -> bool:
    """Whether `size` bytes of `a` from `at` on are those of `b` from `by` on; both go on for eight more."""
    k = 0
    while k + 8 <= size:
        if eight(a, np.uint64(at + k)) != eight(b, np.uint64(by + k)):
            return False
        k += 8
    return k == size or bool(last(a, at + k, size - k) == last(b, by + k, size - k))


@device
def blank(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """The next place from `at` on that is no white space of JSON."""
    while at < end and (buffer[at] == 32 or 9 <= buffer[at] <= 10 or buffer[at] == 13):
        at += 1
    return at


@device
def is_utf8(buffer: NDArray[np.uint8], at: int, end: int, least: int) -> bool:
    """Whether all of it is UTF-8, no byte below `least`: nothing written longer than it need be, no surrogates, nothing beyond U+10FFFF."""
    while at < end:
        byte = buffer[at]
        at += 1
        if least <= byte < 0x80:
            continue
        more = 1 if 0xC2 <= byte < 0xE0 else 2 if 0xE0 <= byte < 0xF0 else 3 if 0xF0 <= byte < 0xF5 else 0
        if more == 0 or end - at < more:
            return False
        low = 0xA0 if byte == 0xE0 else 0x90 if byte == 0xF0 else 0x80
        high = 0x9F if byte == 0xED else 0x8F if byte == 0xF4 else 0xBF
        if not low <= buffer[at] <= high:
            return False
        for k in range(1, more):
            if buffer[at + k] & 0xC0 != 0x80:
                return False
        at += more
    return True
