"""Which samples may be believed: kernels over whole batches, for what is nearly always all right."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import kernel

_NEVER: Final[Any] = np.int64(2**62)


@kernel
def limit(
    ts_ns: NDArray[np.int64],
    log_ns: NDArray[np.int64],
    ahead: NDArray[np.bool_],
    future_ns: int,
    past_ns: int,
    oldest: NDArray[np.int64],
    latest: NDArray[np.int64],
) -> None:
    """Write between which times what a record says is believed: `past_ns` before log time to `future_ns` after its stamp.

    A stamp that is not believed (`ahead`) vouches for nothing; a record without one (0 and below) cannot be judged by it. All by record.
    """
    for i in range(ts_ns.shape[0]):
        oldest[i] = log_ns[i] - past_ns
        stamped = log_ns[i] if ahead[i] else ts_ns[i]
        latest[i] = stamped + future_ns if ts_ns[i] > 0 else _NEVER


@kernel
def doubtful(
    row: NDArray[np.int32],
    ts_ns: NDArray[np.int64],
    value: NDArray[np.float64],
    oldest: NDArray[np.int64],
    latest: NDArray[np.int64],
    value_max: float,
) -> int:
    """How many samples are not finite, as large as `value_max`, or of a time that is not between the two of their record (`row`)."""
    found = 0
    for i in range(row.shape[0]):
        at = row[i]
        if not (abs(value[i]) < value_max and oldest[at] <= ts_ns[i] <= latest[at]):
            found += 1
    return found
