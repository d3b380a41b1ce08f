"""The templates of one shard and how a line finds its own: kernels over columns of fixed size.

A line whose masked hash was seen before is answered by `cache`. Otherwise its tokens are compared with the templates of
the same service and length. A place where line and template differ is *soft* when either side looks like a value (holds
digits, a path, a host name, a date, follows the same `key=`, or stands where many words were seen), else *hard*. Lines
that differ in soft places only, and agree in enough of the rest, generalise the template there. Hard places never give way
to similarity: templates that are equal but for one place meet in `hole`, and when enough different words were seen in it
they unite; the younger ones then point to the survivor (`parent`). A polar word (`words`) is never generalised over, and a
generalised place never takes one in.

A template is found by its *probe*, a word that no value looks like: only lines with the same word there, or with what may be a value,
are compared with it, so that thousands of templates of one length cost no more than a few.

Everything has a greatest size, and grows towards it as it fills (`template_growth`). When `hole` or `cache` is full it is emptied; when templates run out, lines that fit none get -1.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import as_state, device, kernel
from detectors.tokens import I64, LETTERS, MASKED, ONE, TOKENS_MAX, U64, ZERO

CROWDED: Final = 32  # flag: many words were seen where this token stands
SOFT: Final = 64  # flag: the token may be a value
NAMED: Final = 256  # flag: it is a value for certain: it follows a word that says so (`user root`), or is a boolean of a record
KNOWN: Final = 512  # flag: the service used the word as a value before
UNIT: Final = 1024  # flag: a unit after a number
POLAR: Final = 128  # flag: the token holds a polar word
PLAIN: Final = MASKED | LETTERS  # a word without digits has LETTERS alone of these two

NOWHERE: Final = -1
WILD: Final = ZERO  # the hash of a generalised slot
SIMILAR: Final = 0.7  # share of the weight that must agree for soft places to give way
HOLE_WORDS: Final = 4  # different words in one place that make it a slot
HOLE_ROOM: Final = 2 * HOLE_WORDS  # the first word of a line needs twice as many: it names the kind of line
FAN_WORDS: Final = 12  # different words after the same word that make a place crowded
PLACE_WORDS: Final = TOKENS_MAX // 64
SLOTS_EACH: Final = 16  # mean tokens of a template that there is room for

TEMPLATE: Final = np.dtype(
    [
        ("service", np.int64),
        ("seen", np.int64),  # the miner's lines before the last one of it
        ("lines", np.int64),  # lines given to it, with those of templates merged into it
        ("first", np.int32),  # its first slot
        ("length", np.int32),  # its slots
        ("parent", np.int32),  # the template it was merged into; itself while it stands
        ("open", np.int32),  # its slots whose small digits never varied
        ("digits", np.uint64),  # hash of the small digits of its first line
        ("next", np.int32),  # the next template of the same service and length, -1 none
        (
            "probe",
            np.int32,
        ),  # a place where a line must agree with it, unless the line looks like a value there; its length: no such place
        ("probe_hash", np.uint64),  # the token at that place
        ("beside", np.int32),  # the next template of the bucket with its probe at the same place, -1 none
        ("alike", np.int32),  # and with the same token there
        ("number", np.int32),  # what it is called outside
        ("unused", np.int32),
    ],
    align=True,
)
# `marks` are flags (that word names an attribute of arrays). `digits` are the small digits that every line had there so far,
# 0 when they vary or there are none.
SLOT: Final = np.dtype(
    [
        ("hash", np.uint64),
        ("key", np.uint64),
        ("digits", np.uint64),
        ("marks", np.uint16),
        # No bytes without a name: they would differ from copy to copy.
        ("unused_two", np.uint16),
        ("unused_four", np.uint32),
    ],
    align=True,
)

# Places in `Index.counts`.
TEMPLATES, SLOTS, CACHED, HOLES, FANS, VALUES, PROBES = range(7)  # entries in use
LINES, BORN, OVERFLOWED, SEARCHED, COMPARED, SWEPT = range(7, 13)  # so far; SWEPT: the lines before the last sweep
TEMPLATES_MAX, SERVICE_MAX, COUNTS = range(13, 16)


class Index(NamedTuple):
    """All state of a miner but its texts. Hash tables use open addressing; key 0 is an empty place."""

    template: NDArray[np.void]  # TEMPLATE
    slot: NDArray[np.void]  # SLOT, SLOTS_EACH for each template
    bucket_key: NDArray[np.uint64]  # service and length
    bucket_head: NDArray[np.int32]  # the youngest template of the bucket, -1 none
    bucket_places: NDArray[np.uint64]  # PLACE_WORDS each: a bit for every place at which a template of it has, or had, its probe
    probe_key: NDArray[np.uint64]  # bucket and place of a probe; and the same with the token there
    probe_head: NDArray[np.int32]  # a template with such a probe, -1 none
    service_key: NDArray[np.uint64]
    service_size: NDArray[np.int32]  # templates ever born to the service
    cache_key: NDArray[np.uint64]  # hash of service and masked line
    cache_template: NDArray[np.int32]
    hole_key: NDArray[np.uint64]  # hash of a template but for one place
    hole_size: NDArray[np.uint8]
    hole_template: NDArray[np.int32]  # HOLE_ROOM each
    fan_key: NDArray[np.uint64]  # hash of service, length, place and the token before
    fan_size: NDArray[np.uint8]
    fan_token: NDArray[np.uint32]  # FAN_WORDS each, half of the hash
    value_word: NDArray[np.uint64]  # hash of service and a word it used as a value
    counts: NDArray[np.int64]  # COUNTS


class Sizes(NamedTuple):
    """How much an index has room for. Tables are at most half full, hence twice as large and more."""

    templates: int  # and with them their slots, buckets, probes and services
    cache: int
    holes: int
    fans: int
    values: int


FIRST_SIZES: Final = Sizes(templates=256, cache=4096, holes=8192, fans=4096, values=1024)


def sizes_max(templates_max: int) -> Sizes:
    """Beyond these an index does not grow."""
    twice, four, eight = (_power_of_two(factor * templates_max) for factor in (2, 4, 8))
    return Sizes(templates=templates_max, cache=eight, holes=four, fans=four, values=twice)


def make_index(sizes: Sizes) -> Index:
    """An empty index."""
    twice, eight = (_power_of_two(factor * sizes.templates) for factor in (2, 8))
    return Index(
        template=as_state(np.zeros(sizes.templates, TEMPLATE)),
        slot=as_state(np.zeros(SLOTS_EACH * sizes.templates + TOKENS_MAX, SLOT)),
        bucket_key=np.zeros(twice, np.uint64),
        bucket_head=np.zeros(twice, np.int32),
        bucket_places=np.zeros(twice * PLACE_WORDS, np.uint64),
        probe_key=np.zeros(eight, np.uint64),
        probe_head=np.zeros(eight, np.int32),
        service_key=np.zeros(twice, np.uint64),
        service_size=np.zeros(twice, np.int32),
        cache_key=np.zeros(sizes.cache, np.uint64),
        cache_template=np.zeros(sizes.cache, np.int32),
        hole_key=np.zeros(sizes.holes, np.uint64),
        hole_size=np.zeros(sizes.holes, np.uint8),
        hole_template=np.zeros(sizes.holes * HOLE_ROOM, np.int32),
        fan_key=np.zeros(sizes.fans, np.uint64),
        fan_size=np.zeros(sizes.fans, np.uint8),
        fan_token=np.zeros(sizes.fans * FAN_WORDS, np.uint32),
        value_word=np.zeros(sizes.values, np.uint64),
        counts=np.zeros(COUNTS, np.int64),
    )


def _power_of_two(at_least: int) -> int:
    return 1 << max(6, (at_least - 1).bit_length())


@device
def place_of(keys: NDArray[np.uint64], key: U64) -> I64:
    """Where `key` is in an open-addressing table, or the empty place where it belongs."""
    last = np.uint64(keys.size - 1)
    at = key & last
    while keys[at] != ZERO and keys[at] != key:
        at = (at + ONE) & last
    return np.int64(at)


@device
def survivor(template: NDArray[np.void], i: int) -> I64:
    """The template that stands for template `i` now; shortens the way for the next call."""
    while template[i].parent != i:
        template[i].parent = template[template[i].parent].parent
        i = template[i].parent
    return i


@kernel
def survivors(template: NDArray[np.void], index: NDArray[np.int32], out: NDArray[np.int32]) -> None:
    """The survivor of each index; -1 stays."""
    for r in range(index.size):
        out[r] = survivor(template, index[r]) if index[r] >= 0 else -1
