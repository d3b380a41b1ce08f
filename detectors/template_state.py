"""A miner's state as plain columns, and back: hash tables by their used places only, texts as one run of bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.template_index import FAN_WORDS, HOLE_ROOM, PLACE_WORDS, SLOT, SLOTS, TEMPLATE, TEMPLATES, Index, make_index

VERSION: Final = 2

# Each hash table by the column of its keys: the columns of its values, with how many each key has.
_TABLES: Final[dict[str, dict[str, int]]] = {
    "bucket_key": {"bucket_head": 1, "bucket_places": PLACE_WORDS},
    "probe_key": {"probe_head": 1},
    "service_key": {"service_size": 1},
    "cache_key": {"cache_template": 1},
    "hole_key": {"hole_size": 1, "hole_template": HOLE_ROOM},
    "value_word": {},
    "fan_key": {"fan_size": 1, "fan_token": FAN_WORDS},
}

Columns = Mapping[str, NDArray[Any]]


def index_columns(index: Index) -> dict[str, NDArray[Any]]:
    """A copy of an index: as large as what it holds, not as what it has room for."""
    columns: dict[str, NDArray[Any]] = {
        "counts": index.counts.copy(),
        "template": np.array(index.template[: index.counts[TEMPLATES]], TEMPLATE),
        "slot": np.array(index.slot[: index.counts[SLOTS]], SLOT),
    }
    for keys, values in _TABLES.items():
        column = getattr(index, keys)
        used = np.flatnonzero(column)
        columns[f"{keys}_at"] = used.astype(np.int32)
        columns[keys] = column[used]
        for name, width in values.items():
            columns[name] = getattr(index, name).reshape(-1, width)[used].reshape(-1)
    return columns


def index_from(columns: Columns, templates_max: int) -> Index:
    """The index that was saved. Raises ValueError when the columns do not fit together or the room is another."""
    index = make_index(templates_max)
    try:
        index.counts[:] = columns["counts"]
        for name in ("template", "slot"):
            rows = columns[name]
            getattr(index, name)[: rows.size] = rows
        for keys, values in _TABLES.items():
            at = columns[f"{keys}_at"]
            getattr(index, keys)[at] = columns[keys]
            for name, width in values.items():
                getattr(index, name).reshape(-1, width)[at] = columns[name].reshape(-1, width)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"not the templates of a miner with room for {templates_max}: {error}") from error
    return index


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
