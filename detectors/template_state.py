"""A miner's state as plain columns, and back: hash tables by their used places only, texts as one run of bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.template_growth import TABLES, sizes_of
from detectors.template_index import SLOT, SLOTS, TEMPLATE, TEMPLATES, Index, Sizes, make_index, sizes_max

VERSION: Final = 3

Columns = Mapping[str, NDArray[Any]]


def index_columns(index: Index) -> dict[str, NDArray[Any]]:
    """A copy of an index: as large as what it holds, not as what it has room for."""
    columns: dict[str, NDArray[Any]] = {
        "counts": index.counts.copy(),
        "sizes": np.array(sizes_of(index), np.int64),
        "template": np.array(index.template[: index.counts[TEMPLATES]], TEMPLATE),
        "slot": np.array(index.slot[: index.counts[SLOTS]], SLOT),
    }
    for keys, values in TABLES.items():
        column = getattr(index, keys)
        used = np.flatnonzero(column)
        columns[f"{keys}_at"] = used.astype(np.int32)
        columns[keys] = column[used]
        for name, width in values.items():
            columns[name] = getattr(index, name).reshape(-1, width)[used].reshape(-1)
    return columns


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


def texts_from(columns: Columns, name: str, templates: int) -> list[bytes]:
    """The texts saved under `name`, one for each template. Raises ValueError when there are more or fewer."""
    if name not in columns or f"{name}_end" not in columns or columns[f"{name}_end"].size != templates:
        raise ValueError(f"the {name} of {templates} templates is not in the snapshot")
    return unpack(columns[name], columns[f"{name}_end"])


def pack(texts: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Texts as one run of bytes and where each ends."""
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)), dtype=np.int64)
    return np.frombuffer(b"".join(texts), np.uint8), ends


def unpack(run: NDArray[np.uint8], ends: NDArray[np.int64]) -> list[bytes]:
    """The texts of `pack`."""
    raw, cuts = run.tobytes(), [0, *ends.tolist()]
    return [raw[a:b] for a, b in pairwise(cuts)]
