"""Asking memory for what will be needed soon, while the processor computes something else.

A line that comes from memory takes a hundred nanoseconds, and a kernel needs some of each series. Every row of `feed` names the row of a
series that comes a chunk later (`next`), and each kernel asks for its part of that when it works on this one: a few lines at a
time, so that none has to queue, and long before anybody waits for them. Nothing is computed from it: results are the same with and without.
"""

from __future__ import annotations

from typing import Any, Final

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from detectors.contract import Row
from detectors.kernel import JIT

LINE_BYTES: Final = 64
_ir: Any = vars(cgutils)["ir"]
_READ: Final = 0
_SECOND_CACHE: Final = 2
_DATA: Final = 1


def _prefetch(builder: Any, row: Any, at: Any) -> None:
    """The processor's own instruction for the line that holds byte `at` of a row."""
    place = builder.gep(builder.bitcast(row, cgutils.voidptr_t), [at])
    word = cgutils.int32_t
    function = _ir.FunctionType(_ir.VoidType(), [cgutils.voidptr_t, word, word, word])
    prefetch = builder.module.declare_intrinsic("llvm.prefetch", [cgutils.voidptr_t], function)
    builder.call(prefetch, [place, word(_READ), word(_SECOND_CACHE), word(_DATA)])


def _one(context: Any, row: Any, at: Any) -> Any:  # noqa: ARG001  # numba's signature
    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        _prefetch(builder, *arguments)
        return target.get_dummy_value()

    return types.void(row, types.int64), generate


def _all(context: Any, row: Any) -> Any:  # noqa: ARG001  # numba's signature
    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        for at in (*range(0, row.size, LINE_BYTES), row.size - 1):
            _prefetch(builder, arguments[0], cgutils.intp_t(at))
        return target.get_dummy_value()

    return types.void(row), generate


def _nothing(row: Row, at: int = 0) -> None:
    """Plain Python has no way to ask."""


ask: Any = intrinsic(_one) if JIT else _nothing
"""`ask(row, at)`: for the line with byte `at` of a row."""
ask_for: Any = intrinsic(_all) if JIT else _nothing
"""`ask_for(row)`: for every line of a row."""
