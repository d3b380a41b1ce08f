"""How a full miner forgets: templates of a crowded service that were not seen for long make room for new ones.

Without this one flood would blind a service for good: its templates stay, and all that comes later is refused. What was seen once is forgotten
sooner than what was seen often, and what was seen lately is not forgotten at all, so that a flood that goes on harms nothing but itself; and only services at their own limit pay, or, when the whole shard is full,
those that hold more than an equal share. A template keeps its number for life, and no number is given twice.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import kernel
from detectors.template_growth import replace_keys
from detectors.template_index import (
    CACHED,
    FANS,
    HOLES,
    LINES,
    NOWHERE,
    PROBES,
    SERVICE_MAX,
    SLOTS,
    SWEPT,
    TEMPLATES,
    TEMPLATES_MAX,
    VALUES,
    Index,
    place_of,
)
from detectors.template_probe import aim, bucket_key
from detectors.tokens import ONE, SEED, TOKENS_MAX, fold

IDLE_LINES: Final = 1 << 16
"""Lines of the shard after which a template that had one line is idle; one that had n of them is after n times as many."""
IDLE_TIMES_MAX: Final = 16
"""What had more lines than this is idle after IDLE_TIMES_MAX * IDLE_LINES, a million."""
SWEEP_LINES: Final = 1 << 16
"""Lines between two sweeps at least: a sweep takes some milliseconds and forgets what the cache knew."""

# What a service has taught, by the count of its entries.
LEARNED: Final[dict[int, tuple[str, ...]]] = {FANS: ("fan_key", "fan_size", "fan_token"), VALUES: ("value_word",)}
# What is found anew from the templates that are kept, or from the lines that come.
FOUND_ANEW: Final[tuple[tuple[str, ...], ...]] = (
    ("bucket_key", "bucket_head", "bucket_places"),
    ("probe_key", "probe_head"),
    ("service_key", "service_size"),
    ("cache_key", "cache_template"),
    ("hole_key", "hole_size", "hole_template"),
)

Rows = NDArray[np.int64]


def sweep(index: Index) -> Rows:
    """Take out of the index what it may forget; the rows of the templates that it kept. In place: a copy would take as much memory again."""
    kept = _kept(index)
    if kept.size < index.counts[TEMPLATES]:
        _move(index, kept)
    for columns in FOUND_ANEW:
        _clear(index, columns)
    for count, columns in LEARNED.items():
        if 4 * index.counts[count] >= getattr(index, columns[0]).size:  # it soon learns no more
            index.counts[count] = 0
            _clear(index, columns)
    index.counts[[CACHED, HOLES, PROBES]] = 0
    enlist(index)
    index.counts[SWEPT] = index.counts[LINES]
    return kept


def load(empty: Index) -> None:
    """Load what a full miner runs: a tenth of a second once, which no batch is to wait for."""
    enlist(empty)
    replace_keys(empty.value_word[:0], empty.value_word, np.zeros(0, np.int64))


def _clear(index: Index, columns: tuple[str, ...]) -> None:
    for column in columns:
        getattr(index, column)[:] = 0


def _kept(index: Index) -> Rows:
    count = int(index.counts[TEMPLATES])
    rows = index.template[:count]
    services, of, sizes = np.unique(rows["service"], return_inverse=True, return_counts=True)
    full = count >= index.counts[TEMPLATES_MAX] or index.counts[SLOTS] + TOKENS_MAX > index.slot.size
    limit = min(int(index.counts[SERVICE_MAX]), count // max(services.size, 1) if full else count + 1)
    idle = rows["seen"] + IDLE_LINES * np.clip(rows["lines"], 1, IDLE_TIMES_MAX) < index.counts[LINES]
    return np.flatnonzero(~(idle & (sizes >= limit)[of]))


def _move(index: Index, kept: Rows) -> None:
    """Templates and slots, close together; who survives whom by their new rows."""
    to = np.full(int(index.counts[TEMPLATES]), NOWHERE, np.int32)
    to[kept] = np.arange(kept.size)
    rows = index.template[kept]
    lengths = rows["length"].astype(np.int64)
    ends = np.cumsum(lengths)
    first = ends - lengths
    slots = np.repeat(rows["first"] - first, lengths) + np.arange(ends[-1] if kept.size else 0)
    index.template[: kept.size] = rows
    index.template["first"][: kept.size] = first
    index.template["parent"][: kept.size] = to[rows["parent"]]
    index.slot[: slots.size] = index.slot[slots]
    index.counts[TEMPLATES], index.counts[SLOTS] = kept.size, slots.size


@kernel
def enlist(index: Index) -> None:
    """Count the templates of each service, and put those that stand into their buckets and under their probes."""
    for i in range(index.counts[TEMPLATES]):
        row = index.template[i]
        seed = fold(SEED, np.uint64(row.service)) | ONE
        home = place_of(index.service_key, seed)
        index.service_key[home] = seed
        index.service_size[home] += 1
        row.probe = NOWHERE
        if row.parent != i:
            continue
        key = bucket_key(row.service, row.length)
        bucket = place_of(index.bucket_key, key)
        row.next = index.bucket_head[bucket] if index.bucket_key[bucket] == key else NOWHERE
        index.bucket_key[bucket] = key
        index.bucket_head[bucket] = i
        aim(i, index)
