"""A catalog with no rules at all, and records from bytes."""

import pytest

from engine.errors import DecodeError, Reject
from engine.records import Record, Series, Signal, ValueKind, series_key


class PlainCatalog:
    """Every name and every label counts; remembers what it was asked, in order."""

    series_max = 100_000

    def __init__(self):
        self.series = {}
        self.asked = []

    def metric(self, name, labels, *, kind="", unit=""):
        return self._register(name, labels, Signal.METRIC, kind or "gauge")

    def stream(self, labels):
        return self._register("log", labels, Signal.LOG, "count")

    def event(self, name, labels):
        return self._register("event", {**labels, "event": name}, Signal.EVENT, "count"), labels.get("service", "")

    def describe(self, key):
        return self.series[key]

    def _register(self, name, labels, signal, kind):
        if len(labels) > 30:
            raise DecodeError(Reject.BAD_LABELS, "more than 30 labels")
        pairs = tuple(sorted(labels.items()))
        key = series_key(name, pairs)
        self.asked.append(key)
        self.series[key] = Series(key=key, name=name, labels=pairs, entity="", signal=signal, kind=ValueKind(kind))
        return key


@pytest.fixture
def catalog():
    return PlainCatalog()


@pytest.fixture
def record():
    """A record at offset 0 from its value."""

    def build(value, *, key=None, headers=(), ts_ns=1_795_218_875_000_000_000):
        return Record("topic", 0, 0, ts_ns, key, value, headers)

    return build
