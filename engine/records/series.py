"""Series: what a stream of samples is called, what its numbers mean, and ids that are equal on every machine."""

from __future__ import annotations

import hashlib
import re
from typing import Final

import msgspec

from engine.enums import Word

_LABEL: Final = re.compile(r'([^=]*)="((?:[^"\\]|\\.)*)"(?:,|$)', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)

Labels = tuple[tuple[str, str], ...]
"""Label pairs sorted by name; names are unique."""


class Signal(Word):
    METRIC = "metric"
    LOG = "log"
    EVENT = "event"
    TRACE = "trace"


class ValueKind(Word):
    """What the numbers of a series mean, and so how they become the value that is scored."""

    GAUGE = "gauge"  # scored as it is
    COUNTER = "counter"  # cumulative: scored as a rate a second, resets handled
    DELTA = "delta"  # counts since the previous sample: scored as a rate a second
    COUNT = "count"  # counts in our own fixed buckets (template and event rates)
    DERIVED = (
        "derived"  # worked out of others, when they are enough to say something: scored as it is, and its silence is no news
    )


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of one stream of samples. `key` is canonical (`name{a="b",c="d"}` in UTF-8) and equal on every shard."""

    key: bytes
    name: str
    labels: Labels
    entity: str  # what it belongs to: service, pod, node, queue; "" when no rule matched
    signal: Signal = Signal.METRIC
    kind: ValueKind = ValueKind.GAUGE
    unit: str = ""
    domain: str = "default"  # the correlation domain: the key on the alerts topic
    tenant: str = "default"
    text: str = ""  # a log template or an event's words; empty for metrics


def series_key(name: str, labels: Labels) -> bytes:
    """The canonical key of a series: Prometheus' text notation, labels sorted, backslash, quote and newline escaped."""
    if not labels:
        return name.encode()
    body = ",".join(f'{k}="{_escaped(v)}"' for k, v in labels)
    return f"{name}{{{body}}}".encode()


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def parse_key(key: bytes) -> tuple[str, Labels]:
    r"""The name and labels in a canonical key: the inverse of `series_key`.

    >>> parse_key(b'up{job="a\\"b",zone="x"}')
    ('up', (('job', 'a"b'), ('zone', 'x')))
    """
    text = key.decode()
    name, brace, body = text.partition("{")
    if not brace or not body.endswith("}"):
        return text, ()
    return name, tuple((label, _ESCAPE.sub(_unescaped, value)) for label, value in _LABEL.findall(body[:-1]))


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


def digest(*parts: str | bytes | int) -> str:
    """A 128-bit id as 32 hex digits, from length-prefixed parts (blake2b): equal parts, equal id, on any machine."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        raw = part if isinstance(part, bytes) else str(part).encode()
        state.update(len(raw).to_bytes(4, "little"))
        state.update(raw)
    return state.hexdigest()
