"""What one measure says when it speaks alone: trouble that is felt, work that is done, or something by the way."""

from __future__ import annotations

import re
from functools import lru_cache

from engine.correlate.families import SYMPTOMS, Family, family_of
from engine.enums import Word


class Voice(Word):
    """How much a measure is to be believed alone."""

    TELLING = "telling"  # what callers feel, or how hard a processor or the memory is used
    PLAIN = "plain"  # anything else
    ASIDE = "aside"  # how many of a thing there are, what a kernel keeps for later, what it counts of its own: seldom anybody's trouble


_OF_A_KERNEL = re.compile(
    r"(?:^|[^a-z])(?:tcp|udp|net|netstat|softnet|network|packets?|rx|tx|disks?|fs|io|memory|mem|vmstat|pg[a-z]*|page_?faults?)(?:$|[^a-z])"
)
_THINGS = re.compile(
    r"process(?:es)?(?:$|[^a-z])|procs|threads?|descriptors?|filefd|(?:^|[^a-z])fds?(?:$|[^a-z])|sock(?:et|stat)|inode"
)
_USED = {
    Family.CPU: re.compile(r"usage|used|util|percent|seconds|busy|idle|throttl|(?:^|[^a-z])time(?:$|[^a-z])|cpu$|load\d"),
    Family.MEMORY: re.compile(
        r"usage|used|util|percent|working_?set|rss|resident|heap|free|avail|swap|oom|^mem(?:ory)?(?:_bytes)?$"
    ),
}
_SCHEDULED = re.compile(r"sched")


@lru_cache(maxsize=65_536)
def voice_of(metric: str) -> Voice:
    """How a measure of this name speaks alone.

    >>> [str(voice_of(name)) for name in ("error_ratio", "container_cpu_usage_seconds_total", "container_processes")]
    ['telling', 'telling', 'aside']
    >>> [str(voice_of(name)) for name in ("orders", "node_netstat_Tcp_RetransSegs", "node_memory_Cached_bytes")]
    ['plain', 'aside', 'aside']
    """
    family = family_of(metric)
    name = metric.lower()
    if family in SYMPTOMS:
        return Voice.ASIDE if _OF_A_KERNEL.search(name) else Voice.TELLING
    used = _USED.get(family)
    if used is not None:
        return Voice.TELLING if used.search(name) and not _SCHEDULED.search(name) else Voice.ASIDE
    return Voice.ASIDE if family is Family.NETWORK or _THINGS.search(name) else Voice.PLAIN
