"""A miner's state as plain columns, and back: hash tables by their used places only, texts as one run of bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.template_growth import TABLES, sizes_of
from detectors.template_index import SLOT, SLOTS, TEMPLATE, TEMPLATES, Index, Sizes, make_index, sizes_max

VERSION: Final = 4
_ROWS_FIRST: Final = 64

Columns = Mapping[str, NDArray[Any]]


def index_columns(index: Index) -> dict[str, NDArray[Any]]:
    """A copy of an index: as large as what it holds, not as what it has room for."""
    columns: dict[str, NDArray[Any]] = {
        "counts": index.counts.copy(),
        "sizes": np.array(sizes_of(index), np.int64),
        "template": _copied(index.template[: index.counts[TEMPLATES]], TEMPLATE),
        "slot": _copied(index.slot[: index.counts[SLOTS]], SLOT),
    }
    for keys, values in TABLES.items():
        column = getattr(index, keys)
        used = np.flatnonzero(column != 0)  # a mask first: four times as fast
        columns[f"{keys}_at"] = used.astype(np.int32)
        columns[keys] = column[used]
        for name, width in values.items():
            columns[name] = getattr(index, name).reshape(-1, width)[used].reshape(-1)
    return columns


def _copied(rows: NDArray[np.void], row: np.dtype[np.void]) -> NDArray[np.void]:
    """A copy as bytes, for numpy copies structured rows field by field: that takes five times as long."""
    return np.asarray(rows).view(np.uint8).copy().view(row)


def index_from(columns: Columns, templates_max: int) -> Index:
    """The index that was saved. Raises ValueError when the columns do not fit together or the room is another."""
    try:
        index = make_index(_sizes(columns, templates_max))
        index.counts[:] = columns["counts"]
        for name in ("template", "slot"):
            rows = columns[name]
            getattr(index, name)[: rows.size] = rows
        for keys, values in TABLES.items():
            at = columns[f"{keys}_at"]
            getattr(index, keys)[at] = columns[keys]
            for name, width in values.items():
                getattr(index, name).reshape(-1, width)[at] = columns[name].reshape(-1, width)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"not the templates of a miner with room for {templates_max}: {error}") from error
    return index


def _sizes(columns: Columns, templates_max: int) -> Sizes:
    sizes = Sizes._make(columns["sizes"].tolist())
    if any(not 0 < size <= most for size, most in zip(sizes, sizes_max(templates_max), strict=True)):
        raise ValueError(f"room for {sizes}")
    return sizes


class ByteRows:
    """Texts, one after the other in one run of bytes: twenty thousand objects would take three times as much, and a copy of them a hundred times as long."""

    def __init__(self) -> None:
        self._run = bytearray()
        self._end = np.zeros(_ROWS_FIRST, np.int64)
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    @property
    def nbytes(self) -> int:
        """Memory that they take."""
        return len(self._run) + self._end.nbytes

    def append(self, text: bytes) -> None:
        """One more text."""
        if self._rows == self._end.size:
            self._end = np.concatenate((self._end, np.zeros_like(self._end)))
        self._run += text
        self._end[self._rows] = len(self._run)
        self._rows += 1

    def __getitem__(self, row: int) -> bytes:
        begin = int(self._end[row - 1]) if row else 0
        return bytes(self._run[begin : int(self._end[row])])

    def keep(self, rows: NDArray[np.int64]) -> None:
        """Forget all but these, which are ascending."""
        sizes = np.diff(self._end[: self._rows], prepend=0)
        kept = np.zeros(self._rows, np.bool_)
        kept[rows] = True
        self._run = bytearray(np.frombuffer(self._run, np.uint8)[np.repeat(kept, sizes)].tobytes())
        self._rows = rows.size
        self._end[: rows.size] = np.cumsum(sizes[rows])

    def columns(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """A copy: the run of bytes, and where each text ends."""
        return np.frombuffer(bytes(self._run), np.uint8), self._end[: self._rows].copy()

    @classmethod
    def restored(cls, columns: Columns, name: str, count: int) -> ByteRows:
        """The texts saved under `name`. Raises ValueError when they are not `count`, or damaged."""
        run, end = columns.get(name), columns.get(f"{name}_end")
        if run is None or end is None or end.size != count or (np.diff(end, prepend=0) < 0).any():
            raise ValueError(f"the {name} of {count} templates is not in the snapshot")
        if run.size != (int(end[-1]) if count else 0):
            raise ValueError(f"of the {name} of {count} templates {run.size} bytes are in the snapshot")
        rows = cls()
        rows._run, rows._rows = bytearray(run.tobytes()), count
        rows._end = np.concatenate((end.astype(np.int64), np.zeros(_ROWS_FIRST, np.int64)))
        return rows
