"""Series that are not heard for longer than they ever are."""

from __future__ import annotations

import numpy as np
import pytest
from metric_corpus import SECOND_NS, every

from engine.config.tree import Detect
from engine.detect.bank import Bank
from engine.records import Series

MINUTE_NS = 60 * SECOND_NS


def bank_of(series: int) -> Bank:
    bank = Bank(Detect(series_max=100))
    for slot in range(series):
        bank.admit(slot, Series(key=b"cpu", name="cpu", labels=(), entity="web"))
    return bank


def test_silence_beyond_the_rhythm_is_overdue_and_only_then() -> None:
    bank = bank_of(3)
    ts_ns = np.repeat(every(60.0, 100), 2)
    bank.score(np.tile(np.array([0, 2]), 100), ts_ns, np.arange(200.0))
    last = int(ts_ns[-1])
    assert bank.step_seconds(0) == pytest.approx(60.0)
    assert bank.step_seconds(1) == 0.0
    assert len(bank.overdue(last + 4 * MINUTE_NS)[0]) == 0
    slots, scores = bank.overdue(last + 10 * MINUTE_NS)
    assert slots.tolist() == [0, 2]
    assert scores == pytest.approx([2.0, 2.0])
    bank.release(0)
    assert bank.overdue(last + 10 * MINUTE_NS)[0].tolist() == [2]


def test_a_series_that_was_not_heard_when_silence_was_looked_for_is_missed_later() -> None:
    bank = bank_of(2)
    ts_ns = every(60.0, 100)
    assert len(bank.overdue(int(ts_ns[0]))[0]) == 0
    bank.score(np.zeros(100, np.int64), ts_ns, np.arange(100.0))
    assert len(bank.overdue(int(ts_ns[-1]) + MINUTE_NS)[0]) == 0
    bank.score(np.ones(100, np.int64), ts_ns, np.arange(100.0))
    assert bank.overdue(int(ts_ns[-1]) + 10 * MINUTE_NS)[0].tolist() == [0, 1]
