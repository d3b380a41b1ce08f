"""The kinds of value that a configuration is written in: durations with units, sizes, names, secrets.

>>> parse_duration("1h30m")
5400.0
>>> parse_size("16MiB")
16777216
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Any

from annotated_types import MinLen
from pydantic import BaseModel as PydanticModel
from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from engine.zones import names

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SIZE = re.compile(r"(\d+)\s*(B|kB|KiB|MB|MiB|GB|GiB)")
_BYTES = {"B": 1, "kB": 1000, "KiB": 1024, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}


def parse_duration(text: object) -> float:
    """Seconds in `250ms`, `5m`, `1h30m`, `30d`. Raises ValueError for anything else, a bare number too: it has no unit."""
    if isinstance(text, str):
        parts = _DURATION.findall(text)
        if parts and "".join(n + u for n, u in parts) == text:
            return sum(float(n) * _SECONDS[u] for n, u in parts)
    raise ValueError("not a duration: write a number and a unit, such as 250ms, 30s, 5m, 1h30m, 7d")


def parse_size(text: object) -> int:
    """Bytes in `900B`, `256kB`, `16MiB`. Raises ValueError for anything else."""
    if isinstance(text, str) and (match := _SIZE.fullmatch(text)):
        return int(match[1]) * _BYTES[match[2]]
    raise ValueError("not a size: write a number and a unit, such as 900B, 256kB, 16MiB")


def _seconds(value: Any) -> Any:
    return value if isinstance(value, float) else parse_duration(value)


def _bytes(value: Any) -> Any:
    return value if isinstance(value, int) and not isinstance(value, bool) else parse_size(value)


def _zone(value: Any) -> str:
    if isinstance(value, str) and value in names():
        return value
    near = get_close_matches(str(value), names(), n=1)
    raise ValueError(f"not a time zone: write its IANA name, such as {near[0] if near else 'Europe/Berlin'}")


Duration = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema({"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$", "examples": ["30s", "5m", "1h30m"]}),
]
"""Seconds, written `5m`."""

Name = Annotated[str, MinLen(1), Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=63)]
"""A name of somebody's own."""

Size = Annotated[
    int,
    BeforeValidator(_bytes),
    WithJsonSchema({"type": "string", "pattern": r"^\d+\s*(B|kB|KiB|MB|MiB|GB|GiB)$", "examples": ["256kB", "16MiB"]}),
]
"""Bytes, written `16MiB`."""


Zone = Annotated[
    str, BeforeValidator(_zone), WithJsonSchema({"type": "string", "examples": ["UTC", "Europe/Berlin", "America/New_York"]})
]
"""The name of a time zone, written `Europe/Berlin`."""


class Model(PydanticModel):
    """The base of every configuration block: frozen, and nothing unknown is let through."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=False, use_attribute_docstrings=True, allow_inf_nan=False
    )


class Compression(StrEnum):
    """How the producer itself packed each body; what Kafka packs is the client's business."""

    NONE = "none"
    AUTO = "auto"  # by the header content-encoding, else gzip and zstd by their first bytes
    GZIP = "gzip"
    ZSTD = "zstd"
    SNAPPY = "snappy"  # the block format
