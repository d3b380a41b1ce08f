"""Which single request shows best what the numbers of an operation say: the slowest of a bucket, and one that failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from engine.records import Span

_NAME_CHARACTERS: Final = 60


class Exemplar(msgspec.Struct, array_like=True):
    """One request, by the id of its trace, and who called, where that is known."""

    trace_id: bytes
    span_id: bytes
    seconds: float
    is_error: bool
    caller: str = ""

    def in_words(self, entity: str) -> str:
        """For people, who can look the trace up."""
        path = f"{self.caller[:_NAME_CHARACTERS]} to {entity[:_NAME_CHARACTERS]}" if self.caller else entity[:_NAME_CHARACTERS]
        how = "failed after" if self.is_error else "took"
        return f"trace {self.trace_id.hex()} {how} {_seconds(self.seconds)}, {path}"


class Worst(msgspec.Struct, array_like=True):
    """The exemplars of one operation in one bucket."""

    slow: Exemplar | None = None
    failed: Exemplar | None = None

    def see(self, span: Span) -> None:
        """Take a span into account; of two that are as slow the first stays."""
        if not span.trace_id:
            return
        if self.slow is None or span.seconds > self.slow.seconds:
            self.slow = _of(span)
        if span.is_error and (self.failed is None or span.seconds > self.failed.seconds):
            self.failed = _of(span)

    def called_by(self, caller: str, trace_id: bytes, span_id: bytes) -> None:
        """Who made a request is known now."""
        for one in (self.slow, self.failed):
            if one is not None and (one.trace_id, one.span_id) == (trace_id, span_id):
                one.caller = caller


def _of(span: Span) -> Exemplar:
    return Exemplar(span.trace_id, span.span_id, span.seconds, span.is_error)


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1.0 else f"{seconds * 1000.0:.3g} ms"


def newest(kept: Mapping[int, Worst], of_bucket: Mapping[int, Worst], most: int) -> dict[int, Worst]:
    """Those of a bucket that has closed in place of the same operations' before; of others so many stay, the newest last."""
    merged = {code: worst for code, worst in kept.items() if code not in of_bucket} | dict(of_bucket)
    return dict(list(merged.items())[-most:])
