"""What a metric is about, read from the words in its name: latency, errors, load, cpu, memory, disk, network, …"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from engine.enums import Word


class Family(Word):
    """What kind of trouble a series can show."""

    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    NETWORK = "network"
    LATENCY = "latency"
    ERRORS = "errors"
    AVAILABILITY = "availability"  # like errors, but falling is bad
    SATURATION = "saturation"  # queues, pools, connections, threads
    SELF = "self"  # time that an entity spends by itself, its callees' taken away
    EDGE = "edge"  # what a caller waits longer than the callee works: the way between them
    LOAD = "load"
    LOG = "log"
    LOST = "lost"  # lines of a log that do not come any more: no name says so, only the direction
    EVENT = "event"
    OTHER = "other"


SYMPTOMS = frozenset({Family.LATENCY, Family.ERRORS, Family.AVAILABILITY})
"""Families that travel from a callee to its callers, and so may be somebody else's trouble."""
RESOURCES = frozenset({Family.CPU, Family.MEMORY, Family.DISK, Family.NETWORK, Family.SATURATION})
"""Families that belong to the entity itself or to the node that it runs on."""

MINUS = " minus "
"""Between the names of two metrics: their difference."""
_LOG_WORDS = frozenset({"log", "logs", "template", "templates", "tmpl", "tpl"})
_SELF_WORDS = frozenset({"self", "selftime", "exclusive"})

_WORDS: tuple[tuple[Family, frozenset[str], tuple[str, ...]], ...] = (
    (Family.AVAILABILITY, frozenset({"up", "ready", "healthy"}), ("availab", "succ", "uptime")),
    (
        Family.ERRORS,
        frozenset({"err", "errs", "5xx", "4xx", "retrans", "drop"}),
        ("error", "fail", "fault", "exception", "timeout", "dropped", "reject"),
    ),
    (
        Family.LATENCY,
        frozenset({"rt", "rtt", "duration", "ttfb"}),
        ("lat", "duration", "response", "delay", "wait", "elapsed", "pause"),
    ),
    (
        Family.DISK,
        frozenset({"fs", "io", "iops", "pgpgin", "pgpgout", "sysread", "syswrite"}),
        ("disk", "inode", "filesystem", "volume", "storage"),
    ),
    (Family.MEMORY, frozenset({"mem", "rss", "heap", "swap", "oom", "pgfault", "pgmajfault", "gc"}), ("memory", "page", "cache")),
    (
        Family.NETWORK,
        frozenset({"net", "tcp", "udp", "rx", "tx", "netrx", "nettx", "ctn"}),
        ("network", "packet", "socket", "octets", "bandwidth", "softnet", "sockstat"),
    ),
    (
        Family.CPU,
        frozenset({"cpu", "load1", "load5", "load15", "intr", "softirq"}),
        ("cpu", "throttl", "schedstat", "switch"),
    ),
    (
        Family.SATURATION,
        frozenset({"conn", "pool", "queue", "fd", "lag"}),
        ("connection", "thread", "queue", "backlog", "descriptor", "filefd", "procs", "process"),
    ),
    (
        Family.LOAD,
        frozenset({"load", "qps", "rps", "tps", "count", "rate", "traffic", "hits"}),
        ("request", "call", "throughput", "message"),
    ),
)

_OWNED = tuple(entry for entry in _WORDS if entry[0] in (Family.DISK, Family.MEMORY, Family.SATURATION))
"""What is available of these, or ready in them, is theirs and no success."""
_TIMED = re.compile(
    r"(?:^|[._])(?:seconds|milliseconds|millis|ms)[._](?:p\d+|max|avg|mean)$|requests?_(?:seconds|milliseconds|millis|ms)$"
)
"""A time for each of something, though the name says only of what."""
_TOKEN = re.compile(r"[a-z]+|\d+[a-z]+|\d+")


@lru_cache(maxsize=65_536)
def counts_lines(metric: str) -> bool:
    """Whether a metric is about lines of a log, be they errors or not.

    >>> counts_lines("log_17"), counts_lines("tmpl-3 minus tmpl-4"), counts_lines("log_errors"), counts_lines("login_errors")
    (True, True, True, False)
    """
    name = metric.lower().partition(MINUS)[0]
    return not _LOG_WORDS.isdisjoint(_tokens(name)) or bool(re.match(r"logt|log\d", name))


def _tokens(name: str) -> set[str]:
    return set(_TOKEN.findall(name)) | set(re.split(r"[^a-z0-9]+", name))


@lru_cache(maxsize=65_536)
def family_of(metric: str) -> Family:
    """The family that a metric's name speaks of.

    >>> family_of("request_duration_seconds.p99"), family_of("node_memory_Active_bytes"), family_of("requests_total")
    (<Family.LATENCY: 'latency'>, <Family.MEMORY: 'memory'>, <Family.LOAD: 'load'>)
    """
    name = metric.lower()
    if MINUS in name:
        return Family.LOG if family_of(name.partition(MINUS)[0]) is Family.LOG else Family.EDGE
    tokens = _tokens(name)
    if counts_lines(metric):
        return Family.ERRORS if "error" in name else Family.LOG
    if name.startswith("event"):
        return Family.EVENT
    if not _SELF_WORDS.isdisjoint(tokens):
        return Family.SELF
    if "gap" in tokens:
        return Family.EDGE
    family = _by_words(tokens)
    if family in (Family.LOAD, Family.OTHER) and _TIMED.search(name):
        return Family.LATENCY
    if family is Family.AVAILABILITY and "succ" not in name and (owner := _by_words(tokens, _OWNED)) is not Family.OTHER:
        return owner
    return Family.EDGE if family is Family.OTHER and "edge" in tokens else family


def _by_words(tokens: set[str], among: Sequence[tuple[Family, frozenset[str], tuple[str, ...]]] = _WORDS) -> Family:
    for family, words, stems in among:
        if not words.isdisjoint(tokens) or any(stem in token for stem in stems for token in tokens):
            return family
    return Family.OTHER


_MOVED = re.compile(
    r"(?:^|[^a-z])(?:reads?|writes?|written|receive[ds]?|transmit(?:ted)?|sent|recv|rx|tx|in|out|(?:in|out)(?:segs|octets|bytes|pkts)|"
    r"pgpgin|pgpgout|dirty|writeback|processed)(?:$|[^a-z])"
)
_STATE = re.compile(r"lat|time|seconds|usage|used|free|avail|err|drop|retrans|wait|util|fail|queue|_now|latency|duration")


@lru_cache(maxsize=65_536)
def is_traffic(metric: str) -> bool:
    """Whether a metric counts what goes through a disk, a network or the memory before them, and not how well that goes.

    >>> is_traffic("disk_write"), is_traffic("disk_write_latency"), is_traffic("node_network_receive_bytes_total")
    (True, False, True)
    """
    name = metric.lower()
    through = family_of(metric) in (Family.DISK, Family.NETWORK, Family.MEMORY)
    return through and bool(_MOVED.search(name)) and not _STATE.search(name)


def bad_direction(family: Family, metric: str = "") -> int:
    """The sign in which a deviation of this family hurts: +1 up, -1 down, 0 either."""
    if family is Family.AVAILABILITY or (family in RESOURCES and is_spare(metric)):
        return -1
    if family in (Family.LOAD, Family.LOG, Family.EVENT, Family.OTHER, Family.NETWORK):
        return 0
    return 1


_SPARE = re.compile(r"(?:^|[^a-z]|mem|swap)(?:free|avail(?:able)?|idle|remain(?:ing)?|unused|spare)(?:$|[^a-z])")


@lru_cache(maxsize=65_536)
def is_spare(metric: str) -> bool:
    """Whether a metric says what is left of a resource, of which less is worse.

    >>> is_spare("node_memory_MemAvailable_bytes"), is_spare("cpu_idle"), is_spare("memory_used_bytes")
    (True, True, False)
    """
    return bool(_SPARE.search(metric.lower()))


_UNITS = re.compile(r"[_.](seconds|bytes|ratio|percent|total|count|milliseconds|ms)$")


@lru_cache(maxsize=65_536)
def in_words(metric: str) -> str:
    """A metric's name for people.

    >>> in_words("request_duration_seconds.p99"), in_words("memory_bytes")
    ('request duration p99', 'memory')
    """
    name, dot, part = metric.rpartition(".")
    stem = _UNITS.sub("", name if dot and part else metric)
    return re.sub(r"[_.\-/:]+", " ", f"{stem} {part}" if dot and name else stem).strip()
