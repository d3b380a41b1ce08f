"""Room for loops that hand columns of a few samples on to each other.

A loop over plain arrays that calls nothing and does the same to each item is worked on four or eight items at a time; one over records is
not, for their fields do not lie side by side. A logarithm takes 1 ns there in place of 7. So a kernel takes a block of samples: a
loop that needs their rows, in order, puts what it finds into columns, and loops over columns do the rest. Every item is
computed by the same operations in the same order as alone: the bits are the same.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np import arrayobj
from numpy.typing import NDArray

from detectors.kernel import JIT, inlined

BLOCK: Final = 64
"""Samples in a block. A dozen columns of them lie in the nearest cache."""
_code: Any = cgutils
_arrays: Any = arrayobj


def _on_stack(context: Any, count: Any, item: Any) -> Any:  # noqa: ARG001  # numba's signature
    if not isinstance(count, types.IntegerLiteral):
        return None  # numba asks again with the number itself
    array: Any = types.Array(item.dtype, 1, "C")
    length: int = count.literal_value

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        kind = target.get_data_type(item.dtype)
        size = _code.intp_t(target.get_abi_sizeof(kind))
        made = _arrays.make_array(array)(target, builder)
        data = _code.alloca_once(builder, kind, size=length)
        _arrays.populate_array(made, data=data, shape=[_code.intp_t(length)], strides=[size], itemsize=size, meminfo=None)
        return made._getvalue()  # noqa: SLF001  # numba's own name for it

    return array(count, item), generate


room: Any = intrinsic(prefer_literal=True)(_on_stack) if JIT else np.zeros
"""`room(BLOCK, np.float64)`: an array for the time of one call, on the stack, with anything in it. Its length is a constant."""


@inlined
def alike(n: int, one: NDArray[np.float64], other: NDArray[np.float64], third: NDArray[np.float64]) -> bool:
    """Whether each of three columns holds one number throughout: what is scraped together has its times in common."""
    differ = 0
    for i in range(n):
        differ |= int(one[i] != one[0]) | int(other[i] != other[0]) | int(third[i] != third[0])
    return differ == 0


@inlined
def repeat(n: int, column: NDArray[np.float64]) -> None:
    """Write the first number of a column into all of it."""
    first = column[0]
    for i in range(1, n):
        column[i] = first
