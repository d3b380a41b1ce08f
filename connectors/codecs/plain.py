"""What binary formats of documents decode to, as JSON would have it, so that a mapping reads them as any other document."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

DEPTH_MAX: Final = 64
"""Levels that are read; what lies deeper is left out."""
_SAME: Final = frozenset({str, int, float, bool, type(None)})


def plain(value: Any, depth: int = 0) -> Any:
    """Objects, lists, text and numbers. Bytes are text, times RFC 3339, decimals numbers; what JSON has no word for is None."""
    kind = type(value)
    if kind in _SAME:
        return value
    if depth > DEPTH_MAX:
        return None
    if kind is dict:
        return {name: plain(member, depth + 1) for key, member in value.items() if (name := _name(key)) is not None}
    if kind is list or kind is tuple:
        return [plain(member, depth + 1) for member in value]
    return _scalar(value)


def _name(key: Any) -> str | None:
    if type(key) is str:
        return key
    if type(key) is bytes:
        return key.decode("utf-8", "replace")
    return str(key) if type(key) is int else None


def _scalar(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else None
