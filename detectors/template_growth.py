"""How an index grows: a table that is almost half full is made twice as large, up to its greatest size.

A small index is a fast one: a young miner touches kilobytes, where tables of their greatest size would have it touch a new page of memory
at almost every step. When a table grows depends on the lines alone, never on how they are cut into calls.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device, kernel
from detectors.template_index import (
    CACHED,
    FAN_WORDS,
    FANS,
    HOLE_ROOM,
    HOLES,
    PLACE_WORDS,
    SLOTS,
    TEMPLATES,
    TEMPLATES_MAX,
    VALUES,
    Index,
    Sizes,
    make_index,
    place_of,
    sizes_max,
)
from detectors.tokens import TOKENS_MAX, Flag

SPARE: Final = 2 * TOKENS_MAX
"""New entries of a table that one line may bring."""

# Each hash table by the column of its keys: the columns of its values, with how many each key has.
TABLES: Final[dict[str, dict[str, int]]] = {
    "bucket_key": {"bucket_head": 1, "bucket_places": PLACE_WORDS},
    "probe_key": {"probe_head": 1},
    "service_key": {"service_size": 1},
    "cache_key": {"cache_template": 1},
    "hole_key": {"hole_size": 1, "hole_template": HOLE_ROOM},
    "value_word": {},
    "fan_key": {"fan_size": 1, "fan_token": FAN_WORDS},
}


@device
def is_tight(index: Index) -> Flag:
    """Whether the next unknown line may need more room than there is, and more can be had."""
    most, size = index.counts[TEMPLATES_MAX], index.template.size
    if size < most and (index.counts[TEMPLATES] >= size or index.counts[SLOTS] + TOKENS_MAX > index.slot.size):
        return True
    return bool(
        _may_grow(index.counts[CACHED], index.cache_key.size, 8 * most)
        or _may_grow(index.counts[HOLES], index.hole_key.size, 4 * most)
        or _may_grow(index.counts[FANS], index.fan_key.size, 4 * most)
        or _may_grow(index.counts[VALUES], index.value_word.size, 2 * most)
    )


@device
def _may_grow(used: int, size: int, most: int) -> Flag:
    return size < most and 2 * (used + SPARE) >= size


def sizes_of(index: Index) -> Sizes:
    """How much it has room for now."""
    return Sizes(index.template.size, index.cache_key.size, index.hole_key.size, index.fan_key.size, index.value_word.size)


def grown(index: Index) -> Index:
    """The same with more room where it is tight."""
    now, most = sizes_of(index), sizes_max(int(index.counts[TEMPLATES_MAX]))
    full = index.counts[TEMPLATES] >= now.templates or index.counts[SLOTS] + TOKENS_MAX > index.slot.size
    tight = (
        full,
        *(
            2 * (int(index.counts[used]) + SPARE) >= size
            for used, size in zip((CACHED, HOLES, FANS, VALUES), now[1:], strict=True)
        ),
    )
    wanted = Sizes._make(min(2 * size, limit) if grows else size for grows, size, limit in zip(tight, now, most, strict=True))
    larger = make_index(wanted)
    same: dict[str, Any] = {
        name: old for name in index._fields if (old := getattr(index, name)).size == getattr(larger, name).size
    }
    larger = larger._replace(**same)  # what does not grow is not copied: half as much memory at a time
    for name in {"template", "slot"} - same.keys():
        rows: NDArray[Any] = getattr(index, name)
        getattr(larger, name)[: rows.size] = rows
    for keys, values in TABLES.items():
        if keys not in same:
            _move(index, larger, keys, values)
    return larger


def _move(index: Index, larger: Index, keys: str, values: dict[str, int]) -> None:
    used = np.flatnonzero(getattr(index, keys))
    at = np.empty(used.size, np.int64)
    replace_keys(getattr(index, keys)[used], getattr(larger, keys), at)
    for name, width in values.items():
        getattr(larger, name).reshape(-1, width)[at] = getattr(index, name).reshape(-1, width)[used]


@kernel
def replace_keys(keys: NDArray[np.uint64], table: NDArray[np.uint64], at: NDArray[np.int64]) -> None:
    """Put keys into an empty table, in their order; `at` is where each came to be."""
    for k in range(keys.size):
        at[k] = place_of(table, keys[k])
        table[at[k]] = keys[k]
