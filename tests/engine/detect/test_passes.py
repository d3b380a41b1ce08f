"""Where the rows of a bank lie in memory, and how they are brought near, is nobody's business but the clock's."""

from __future__ import annotations

import numpy as np
import pytest
from metric_corpus import noise
from numpy.typing import NDArray

from detectors import chain
from engine.config.tree import Detect
from engine.detect.bank import Bank
from engine.detect.scored import Scored
from engine.records import Series

SERIES = Series(key=b"cpu", name="cpu", labels=(), entity="web")


def bank_of(series: int) -> Bank:
    bank = Bank(Detect(series_max=100))
    for slot in range(series):
        bank.admit(slot, SERIES)
    return bank


def feed(bank: Bank, ts_ns: NDArray[np.int64], value: NDArray[np.float64]) -> Scored:
    return bank.score(np.zeros(len(value), np.int64), ts_ns, value)


def same(a: Scored, b: Scored) -> bool:
    return a.result.tobytes() == b.result.tobytes() and a.factors.tobytes() == b.factors.tobytes()


@pytest.mark.parametrize("quarantined", [True, False])
def test_growing_changes_nothing(monkeypatch: pytest.MonkeyPatch, quarantined: bool) -> None:
    monkeypatch.setattr("engine.detect.bank._ROWS_FIRST", 4)
    monkeypatch.setattr("engine.detect.bank._SHADOWS_MIN", 2)
    ts_ns, value = noise(600, seed=21)
    grown, plain = bank_of(1), bank_of(1)
    shadows = len(grown._free_shadows)
    for one in (grown, plain):
        feed(one, ts_ns[:200], value[:200])
        if quarantined:
            one.quarantine(0)
    grown.admit(99, SERIES)
    assert len(grown._free_shadows) == shadows + 2 - quarantined  # of a row each, then of a sixteenth of all that may come
    assert same(feed(grown, ts_ns[200:400], value[200:400]), feed(plain, ts_ns[200:400], value[200:400]))
    for one in (grown, plain):
        one.adopt(0)
    assert same(feed(grown, ts_ns[400:], value[400:]), feed(plain, ts_ns[400:], value[400:]))
    with pytest.raises(ValueError, match="outside"):
        grown.admit(100, SERIES)


def test_fetching_rows_beforehand_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    near = bank_of(1)
    told = feed(near, *noise(600))
    monkeypatch.setattr(chain, "NEAR_BYTES", -1)
    far = bank_of(1)
    assert same(told, feed(far, *noise(600)))
    assert near.snapshot()["rows"].tobytes() == far.snapshot()["rows"].tobytes()
