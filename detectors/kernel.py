"""The one decorator of every compiled loop, and what makes its disk cache safe.

A kernel is a loop over rows that takes scalars and arrays and writes arrays. It allocates nothing, and gives the same
bits however a batch is cut, on every processor: hence never `fastmath` (it reorders sums) and never `parallel`.

numba's disk cache looks only at a kernel's own file, so editing a function in one file leaves its callers in other
files computing with the old one. Therefore the cache lives in a folder named by a hash of all sources of `detectors`.
The processor needs no place in that name: numba's own index is kept by processor name and features.

With `NUMBA_DISABLE_JIT=1` the same functions run as plain Python, where a row of a structured array has no attributes:
pass structured arrays through `as_state` before handing them to a kernel.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import numba
import numpy as np
from numba.core import config as numba_config
from numpy.typing import NDArray

config: Any = numba_config  # it makes its attributes at run time
Function = TypeVar("Function", bound=Callable[..., Any])
Result = TypeVar("Result")

JIT: Final[bool] = not config.DISABLE_JIT
"""Whether kernels are compiled. False with `NUMBA_DISABLE_JIT=1` (coverage, debugging, the tests' second run)."""


@functools.cache
def source_hash(folder: Path = Path(__file__).parent) -> str:
    """16 hex digits over the names and bytes of all sources of `detectors`, as they were when they were imported."""
    state = hashlib.blake2b(digest_size=8)
    for path in sorted(folder.glob("*.py")):
        state.update(path.name.encode())
        state.update(path.read_bytes())
    return state.hexdigest()


def cache_folder() -> Path | None:
    """The folder for compiled kernels: the first of these that can be written, then `/<source hash>`; None if none can.

    `$NUMBA_CACHE_DIR`, `$XDG_CACHE_HOME/foreshock`, `~/.cache/foreshock`, the folder for temporary files: so it also works on
    a read-only root file system.
    """
    home = os.environ.get("XDG_CACHE_HOME") or str(Path("~").expanduser() / ".cache")
    bases = (config.CACHE_DIR, f"{home}/foreshock/kernels", f"{tempfile.gettempdir()}/foreshock-{os.getuid()}/kernels")
    for base in bases:
        if not base:
            continue
        folder = Path(base) / source_hash()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError:
            continue
        if (
            os.access(folder, os.W_OK | os.X_OK) and folder.stat().st_uid == os.getuid()
        ):  # compiled code of others is never loaded
            return folder
    return None


_FOLDER = cache_folder() if JIT else None
if _FOLDER is not None:
    config.CACHE_DIR = str(_FOLDER)


# Without the reference counts of numba's runtime: nothing is allocated in kernels, and counting arrays in and out of each
# device call cost the template scanner four fifths of its time (0.9 against 4.4 M lines/s). An allocation is a compile error.
OPTIONS: Final[Any] = {"nogil": True, "_nrt": False, "error_model": "numpy"}
"""What every compiled function is compiled with."""


def _compile(function: Function, **more: bool) -> Function:
    options: dict[str, Any] = {"cache": _FOLDER is not None, **OPTIONS, **more}
    compiled: Any = numba.njit(**options)(function)
    return compiled  # type: ignore[no-any-return]


def kernel(function: Function) -> Function:
    """Compile a loop over rows. Releases the interpreter lock; division by zero gives Inf or NaN as in numpy."""
    if JIT:
        return _compile(function)

    @functools.wraps(function)
    def plain(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*arguments)

    return plain  # type: ignore[return-value]


def device(function: Function) -> Function:
    """Compile a small function that only kernels and other devices call; the compiler inlines it where it finds that worth its while."""
    return _compile(function) if JIT else function


def inlined(function: Function) -> Function:
    """A device that becomes a part of each caller: a call costs 3 ns, and what it shares with its caller is worked out twice.

    For what every sample passes through. Of functions that call each other in many places the compiler would make minutes of work.
    """
    return _compile(function, forceinline=True) if JIT else function


def bound(kernel_: Callable[..., Result], *examples: Any) -> Callable[..., Result]:
    """The compiled code of a kernel for arguments of these types, without looking their types up at every call.

    That look-up costs 2 to 4 µs for structured arrays and named tuples, more than fifty samples take. In return nothing is
    checked: later arguments must have the examples' types and numbers of dimensions. Arrays may have any strides, and any length:
    an array of one row, which is contiguous whatever it was cut from, compiles nothing anew.
    """
    if not JIT:
        return kernel_
    place = (kernel_, *map(_kind, examples))
    if place not in _entries:
        dispatcher: Any = kernel_
        type_of: Any = numba.typeof
        types = [type_of(example) for example in examples]
        strided = [one.copy(layout="A") if isinstance(one, numba.types.Array) else one for one in types]
        _entries[place] = dispatcher.compile(tuple(strided))
    return _entries[place]


_entries: dict[tuple[Any, ...], Callable[..., Any]] = {}
"""What `bound` has found: as many as there are kernels and tiers. numba takes milliseconds to look at a large structure."""


def _kind(example: Any) -> Any:
    """What decides which code is compiled, in a form that is quick to compare."""
    if isinstance(example, np.ndarray):
        return example.dtype, example.ndim
    return (type(example), *map(_kind, example)) if isinstance(example, tuple) else type(example)


def as_state(array: NDArray[np.void]) -> NDArray[np.void]:
    """The structured array as kernels want it: itself, or with the JIT off a view whose rows have attributes. Never a copy."""
    return array if JIT else array.view(np.recarray)
