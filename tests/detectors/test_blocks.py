"""Room on the stack is an array like any other, for one call."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.blocks import room
from detectors.kernel import kernel


@kernel
def reverse(array: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    aside, places = room(4, np.float64), room(4, np.int32)
    for i in range(4):
        aside[i] = array[i]
        places[i] = np.int32(3 - i)
    for i in range(4):
        out[places[i]] = aside[i]


def test_room_holds_what_is_put_there() -> None:
    numbers = np.array([1.0, 2.0, 3.0, 4.5])
    reverse(numbers, numbers)
    assert numbers.tolist() == [4.5, 3.0, 2.0, 1.0]
