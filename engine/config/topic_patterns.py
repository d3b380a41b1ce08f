"""Topics that a source names by a pattern: `^metrics-.*-prod$` is RE2, tried from the beginning of a topic's name.

Patterns are tried here, with a library that no pattern can slow down, never handed to the Kafka client, whose own may be.

>>> matches("^metrics-", "metrics-eu"), matches("^metrics-$", "metrics-eu")
(True, False)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import re2

from engine.config.tree import Source

PATTERN_CHARS_MAX: Final = 500
_MEMORY_BYTES: Final = 2**20


def is_pattern(topic: str) -> bool:
    """Topics cannot begin with ^."""
    return topic.startswith("^")


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem = _MEMORY_BYTES
    options.log_errors = False
    return re2.compile(pattern, options)


def wrong_with(topic: str) -> str:
    """What is wrong with a pattern, in half a sentence; "" when nothing is, or when it is a plain name."""
    if not is_pattern(topic):
        return ""
    if len(topic) > PATTERN_CHARS_MAX:
        return f"a pattern of more than {PATTERN_CHARS_MAX} characters"
    try:
        _compiled(topic)
    except re2.error as error:
        return f"no pattern of RE2: {error.args[0].decode() if isinstance(error.args[0], bytes) else error}"
    return ""


def matches(topic: str, name: str) -> bool:
    """Whether a topic of a source, a pattern or a plain name, means this topic."""
    if not is_pattern(topic):
        return topic == name
    return _compiled(topic).search(name) is not None


def owners(sources: Sequence[Source], name: str) -> list[Source]:
    """The sources that read a topic. More than one is a mistake that only the broker's topics can show."""
    return [source for source in sources if any(matches(topic, name) for topic in source.topics)]


def conflict(sources: Sequence[Source], name: str) -> str:
    """One sentence when several sources read a topic, else ""."""
    names = [source.name for source in owners(sources, name)]
    return f"topic {name} is read by the sources {' and '.join(names)}: one topic has one source" if len(names) > 1 else ""
