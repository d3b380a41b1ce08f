"""Laws of the bank: what it promises to the stage, whatever detectors it holds."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_corpus import CORPUS, SECOND_NS, daily, every, hostile, noise
from numpy.typing import NDArray

from detectors.registry import DETECTORS
from engine.config.tree import Detect
from engine.detect.bank import Bank
from engine.detect.episode import Ask
from engine.detect.scored import Scored
from engine.errors import StateError
from engine.records import AnomalyKind, Series

SERIES = Series(key=b"cpu", name="cpu", labels=(), entity="web")
MINUTE_NS = 60 * SECOND_NS
Rows = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


def bank_of(series: int, **config: object) -> Bank:
    bank = Bank(Detect(**{"series_max": 100, **config}))
    for slot in range(series):
        bank.admit(slot, SERIES)
    return bank


def feed_one(bank: Bank, ts_ns: NDArray[np.int64], value: NDArray[np.float64], slot: int = 0) -> Scored:
    return bank.score(np.full(len(value), slot, np.int64), ts_ns, value)


def mixed(rows: int) -> Rows:
    """Three series of the corpus, interleaved."""
    chosen = (noise(600), hostile(600), daily(10))
    ts_ns = np.stack([t[:rows] for t, _ in chosen], 1).reshape(-1)
    value = np.stack([v[:rows] for _, v in chosen], 1).reshape(-1)
    return np.tile(np.arange(3, dtype=np.int64), rows), ts_ns, value


def same(a: Scored, b: Scored) -> bool:
    return a.result.tobytes() == b.result.tobytes() and a.factors.tobytes() == b.factors.tobytes()


def joined(parts: list[Scored]) -> Scored:
    return Scored(np.concatenate([part.result for part in parts]), np.concatenate([part.factors for part in parts]))


def columns_of(bank: Bank) -> dict[str, bytes]:
    return {name: column.tobytes() for name, column in bank.snapshot().items()}


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 1200), max_size=12), held=st.integers(0, 1200))
def test_however_the_log_is_cut_the_bits_are_the_same(cuts: list[int], held: int) -> None:
    slot, ts_ns, value = mixed(400)
    whole, cut = bank_of(3), bank_of(3)
    parts = []
    for a, b in pairwise(sorted({0, 1200, held, *cuts})):
        if a == held:
            cut.quarantine(0)
        parts.append(cut.score(slot[a:b], ts_ns[a:b], value[a:b]))
    first = whole.score(slot[:held], ts_ns[:held], value[:held])
    if held < len(slot):
        whole.quarantine(0)
    second = whole.score(slot[held:], ts_ns[held:], value[held:])
    assert same(joined([first, second]), joined(parts))
    assert columns_of(whole) == columns_of(cut)


@settings(max_examples=15, deadline=None)
@given(at=st.integers(1, 1199), quarantined=st.booleans())
def test_a_restored_bank_goes_on_as_if_it_had_never_stopped(at: int, quarantined: bool) -> None:
    slot, ts_ns, value = mixed(400)
    bank, other = bank_of(3), bank_of(0)
    bank.score(slot[:at], ts_ns[:at], value[:at])
    if quarantined:
        bank.quarantine(2)
    other.restore(bank.snapshot())
    assert same(bank.score(slot[at:], ts_ns[at:], value[at:]), other.score(slot[at:], ts_ns[at:], value[at:]))
    bank.adopt(2)
    other.adopt(2)
    assert columns_of(bank) == columns_of(other)
    assert other.epoch(2) == 1


def test_a_series_does_not_see_its_neighbours() -> None:
    slot, ts_ns, value = mixed(400)
    together = bank_of(3).score(slot, ts_ns, value)
    alone = feed_one(bank_of(1), ts_ns[slot == 0], value[slot == 0])
    assert together.score[slot == 0].tobytes() == alone.score.tobytes()


def test_there_is_no_opinion_before_time_and_samples_have_passed() -> None:
    ts_ns, value = noise(200)
    by_time = feed_one(bank_of(1, warm_up=7200.0), ts_ns, value).score
    by_samples = feed_one(bank_of(1, warm_up=0.0, samples_min=50), ts_ns, value).score
    assert np.flatnonzero(~np.isnan(by_time))[0] == 120
    assert np.flatnonzero(~np.isnan(by_samples))[0] == 50


def test_a_late_repeated_or_unusable_sample_gets_no_opinion_and_is_not_learned() -> None:
    bank = bank_of(1)
    ts_ns, value = noise(300)
    feed_one(bank, ts_ns, value)
    before = columns_of(bank)
    odd_ts = np.array([ts_ns[-1], ts_ns[5], ts_ns[-1] + 1, ts_ns[-1] + 2, ts_ns[-1] + 3])
    scored = feed_one(bank, odd_ts, np.array([100.0, 100.0, np.nan, -np.inf, 1e200]))
    assert np.isnan(scored.score).all()
    assert scored.kind.tolist() == [0] * 5
    assert columns_of(bank) == before


@pytest.mark.parametrize("name", list(CORPUS))
def test_scores_are_never_negative_or_infinite(name: str) -> None:
    ts_ns, value = CORPUS[name]
    scored = feed_one(bank_of(1), ts_ns, value)
    known = scored.score[~np.isnan(scored.score)]
    assert np.isfinite(known).all()
    assert (known >= 0).all()
    assert np.isfinite(scored.deviation).all()


def test_noise_keeps_to_its_budget_and_a_jump_does_not() -> None:
    """60,000 samples of noise may cross a few times; ten deviations' jump does at once, by far."""
    ts_ns, value = noise(60_000, seed=12)
    value[50_000:50_030] += 50.0
    score = feed_one(bank_of(1), ts_ns, value).score
    usual = score[5000:50_000]
    assert (usual >= 1.0).mean() < 2e-3
    assert score[50_000] > 1.0
    assert score[50_000:50_005].max() > np.nanquantile(usual, 0.9999)


def test_two_huge_surprises_never_tie() -> None:
    ts_ns, value = noise(3000, seed=13)
    peaks = []
    for jump in (1e3, 1e4, 1e6, 1e9):
        changed = value.copy()
        changed[-1] += jump
        peaks.append(feed_one(bank_of(1), ts_ns, changed).score[-1])
    assert peaks == sorted(set(peaks))


def test_the_band_holds_what_is_usual_and_not_what_is_far() -> None:
    ts_ns, value = noise(5000, seed=14)
    scored = feed_one(bank_of(1), ts_ns, value)
    late = slice(2000, None)
    lower, upper = scored.band(late).T
    assert ((value[late] >= lower) & (value[late] <= upper)).mean() > 0.99
    assert (upper - scored.expected[late] < 60.0).all()


def test_a_day_that_repeats_is_expected_once_it_has_proved_itself() -> None:
    ts_ns, value = daily(8)
    scored = feed_one(bank_of(1), ts_ns, value)
    error = np.abs(scored.expected - value)
    assert np.median(error[-288:]) < 3.0
    missed = value.copy()
    missed[-40:] = value.min() + np.random.default_rng(22).normal(0.0, 2.0, 40)
    kinds = {Bank.KINDS[k] for k in feed_one(bank_of(1), ts_ns, missed).kind[-20:]}
    assert kinds & {AnomalyKind.SEASONAL_MISS, AnomalyKind.LEVEL_DOWN, AnomalyKind.LEVEL_UP}


def test_a_lasting_shift_becomes_a_level_and_keeps_its_onset() -> None:
    ts_ns, value = noise(3000, seed=15)
    value[2500:] += 60.0
    scored = feed_one(bank_of(1), ts_ns, value)
    assert Bank.KINDS[scored.kind[2500]] is AnomalyKind.SPIKE
    assert Bank.KINDS[scored.kind[2515]] in (AnomalyKind.LEVEL_UP, AnomalyKind.TREND)
    assert abs(int(scored.onset_ts_ns[2515]) - int(ts_ns[2500])) <= 10 * MINUTE_NS


def test_a_stuck_value_is_flat() -> None:
    ts_ns, value = noise(3000, seed=16)
    value[2800:] = value[2800]
    scored = feed_one(bank_of(1), ts_ns, value)
    assert AnomalyKind.FLAT in {Bank.KINDS[k] for k in scored.kind[2850:]}
    assert np.nanmax(scored.score[2850:]) >= 1.0


def test_quarantine_keeps_the_model_until_it_is_adopted() -> None:
    ts_ns, value = noise(4000, seed=17)
    value[2000:] += 80.0
    held, learning = bank_of(1), bank_of(1)
    for bank in (held, learning):
        feed_one(bank, ts_ns[:2000], value[:2000])
    held.quarantine(0)
    still = feed_one(held, ts_ns[2000:3500], value[2000:3500])
    gone = feed_one(learning, ts_ns[2000:3500], value[2000:3500])
    assert abs(still.expected[-1] - 100.0) < 10.0
    assert abs(gone.expected[-1] - 180.0) < 10.0
    assert still.score[-100:].mean() > gone.score[-100:].mean()
    held.adopt(0)
    adopted = feed_one(held, ts_ns[3500:], value[3500:])
    expected = feed_one(learning, ts_ns[3500:], value[3500:])
    learned = [n for n, name in enumerate(held.detectors) if DETECTORS[name].adopted is None]
    assert adopted.factors[:, learned].tobytes() == expected.factors[:, learned].tobytes()
    assert np.abs(adopted.expected - 180.0).max() < 10.0
    assert np.median(adopted.score) < 0.5
    assert held.epoch(0) == 1
    assert learning.epoch(0) == 0


def test_a_discarded_shadow_leaves_the_model_as_it_was() -> None:
    ts_ns, value = noise(2200, seed=18)
    value[2000:2100] += 80.0
    bank = bank_of(1)
    feed_one(bank, ts_ns[:2000], value[:2000])
    bank.quarantine(0)
    feed_one(bank, ts_ns[2000:2100], value[2000:2100])
    bank.discard(0)
    after = feed_one(bank, ts_ns[2100:], value[2100:])
    assert abs(after.expected[0] - 100.0) < 3.0
    assert np.median(after.score) < 0.65
    assert bank.epoch(0) == 0


def test_a_full_pool_of_shadows_stops_learning_and_nothing_else() -> None:
    bank = bank_of(100)
    slot, rows = np.tile(np.arange(100, dtype=np.int64), 50), 50
    ts_ns = np.repeat(every(60.0, rows), 100)
    value = np.random.default_rng(19).normal(10.0, 1.0, rows * 100)
    bank.score(slot, ts_ns, value)
    for s in range(100):
        bank.quarantine(s)
    before = bank.snapshot()
    scored = bank.score(slot[:100], ts_ns[-100:] + MINUTE_NS, value[:100])
    assert np.isfinite(scored.expected).all()
    for s in range(100):
        bank.adopt(s)
    assert bank.epoch(99) == 1
    assert len(before["shadow_of"]) == 64
    bank.quarantine(99)
    assert len(bank.snapshot()["shadow_of"]) == 1


def test_a_slot_that_is_given_to_another_series_begins_empty() -> None:
    ts_ns, value = noise(500, seed=20)
    bank = bank_of(1)
    fresh = feed_one(bank, ts_ns, value)
    bank.quarantine(0)
    bank.release(0)
    bank.admit(0, SERIES)
    assert same(feed_one(bank, ts_ns, value), fresh)


def test_a_snapshot_of_other_detectors_or_torn_columns_is_refused() -> None:
    bank = bank_of(2)
    saved = dict(bank.snapshot())
    with pytest.raises(StateError, match="other detectors"):
        bank_of(0, tier="light").restore(saved)
    with pytest.raises(StateError, match="torn"):
        bank_of(0).restore({**saved, "rows": saved["rows"][:-1]})
    with pytest.raises(StateError, match="torn"):
        bank_of(0).restore({**saved, "shadow_of": np.array([7])})


def stepped(days: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """Five-minute noise about 100 that jumps to 180 on the third day, for half a day."""
    ts_ns = every(300.0, int(days * 288))
    value = np.random.default_rng(24).normal(100.0, 3.0, len(ts_ns))
    value[576:720] += 80.0
    return ts_ns, value


def adopted_bank() -> tuple[Bank, np.ndarray, np.ndarray]:
    """A bank that has adopted the jump six hours after it."""
    ts_ns, value = stepped()
    bank = bank_of(1)
    feed_one(bank, ts_ns[:577], value[:577])
    bank.obey(0, Ask.QUARANTINE)
    feed_one(bank, ts_ns[577:648], value[577:648])
    bank.obey(0, Ask.ADOPT)
    feed_one(bank, ts_ns[648:720], value[648:720])
    return bank, ts_ns, value


def test_an_adoption_that_is_undone_leaves_the_model_from_before_it() -> None:
    bank, ts_ns, value = adopted_bank()
    back = feed_one(bank, ts_ns[720:723], value[720:723])
    assert (back.score >= 1.0).all(), "the model has the new level"
    assert back.expected == pytest.approx(180.0, abs=10.0)
    bank.obey(0, Ask.UNDO)
    after = feed_one(bank, ts_ns[723:], value[723:])
    assert after.expected == pytest.approx(100.0, abs=10.0)
    assert np.median(after.score) < 0.5
    assert (after.score >= 1.0).sum() <= 1
    assert bank.epoch(0) == 2
    before = columns_of(bank)
    bank.obey(0, Ask.UNDO)
    assert columns_of(bank) == before, "there is nothing to undo a second time"


def test_a_former_model_is_part_of_the_snapshot() -> None:
    bank, ts_ns, value = adopted_bank()
    restored = bank_of(0)
    restored.restore(bank.snapshot())
    assert columns_of(restored) == columns_of(bank)
    for one in (bank, restored):
        one.obey(0, Ask.UNDO)
    assert same(feed_one(restored, ts_ns[720:], value[720:]), feed_one(bank, ts_ns[720:], value[720:]))
    torn = dict(adopted_bank()[0].snapshot())
    with pytest.raises(StateError, match="torn"):
        bank_of(0).restore({**torn, "former_of": np.array([3])})


def test_a_short_excursion_teaches_what_goes_by_the_hour_and_nothing_else() -> None:
    ts_ns, value = stepped(2.5)
    banks = {ask: bank_of(1) for ask in (Ask.DISCARD, Ask.REMEMBER)}
    states = {}
    for ask, bank in banks.items():
        feed_one(bank, ts_ns[:576], value[:576])
        bank.obey(0, Ask.QUARANTINE)
        feed_one(bank, ts_ns[576:580], value[576:580])
        bank.obey(0, ask)
        states[ask] = bank.snapshot()["rows"].view(bank._dtype)[0]  # what was learned is no output yet
    for name in bank.detectors:
        equal = states[Ask.DISCARD][name].tobytes() == states[Ask.REMEMBER][name].tobytes()
        assert equal is not DETECTORS[name].recurs, name


def test_a_restored_bank_is_saved_as_the_same_bytes() -> None:
    """Also when shadows were lent, given back and lent again, so that their numbers are in no order."""
    bank = bank_of(8)
    slot, rows = np.tile(np.arange(8, dtype=np.int64), 60), 60
    bank.score(slot, np.repeat(every(60.0, rows), 8), np.random.default_rng(23).normal(10.0, 1.0, rows * 8))
    for series in (5, 1, 3):
        bank.quarantine(series)
    bank.discard(5)
    for series in (7, 0):
        bank.quarantine(series)
    restored = bank_of(0)
    restored.restore(bank.snapshot())
    assert columns_of(restored) == columns_of(bank)
    for one in (bank, restored):
        one.discard(1)
        one.quarantine(2)
        one.score(slot[:16], np.repeat(every(60.0, 62)[-2:], 8), np.arange(16.0))
    assert columns_of(restored) == columns_of(bank)


def test_the_kernel_id_tells_parameters_apart() -> None:
    assert Bank(Detect()).kernel_id == Bank(Detect()).kernel_id
    assert Bank(Detect()).kernel_id != Bank(Detect(false_alarm_every=86_400.0)).kernel_id
    assert Bank(Detect(tier="light")).bytes_per_series <= 256
    assert Bank(Detect()).bytes_per_series <= 2048


_DIGEST = """
import hashlib
import numpy as np
from test_bank import bank_of, columns_of, mixed
bank = bank_of(3)
slot, ts_ns, value = mixed(150)
state = hashlib.blake2b()
scored = bank.score(slot, ts_ns, value)
state.update(scored.result.tobytes() + scored.factors.tobytes())
bank.quarantine(1)
bank.score(slot[:9], ts_ns[-9:] + 10**12, value[:9])
for column in columns_of(bank).values():
    state.update(column[:16] if len(column) == 16 else column)
print(state.hexdigest())
"""


@pytest.mark.slow
def test_without_the_compiler_the_bits_are_the_same() -> None:
    """Also with the processor's newer instructions left out of what is compiled."""
    here = Path(__file__).resolve()
    folders = [here.parent, here.parents[3] / "tests" / "support", here.parents[3]]
    digests = set()
    for changes in ({}, {"NUMBA_DISABLE_JIT": "1"}, {"NUMBA_CPU_NAME": "generic"}):
        environment = {**os.environ, **changes, "PYTHONPATH": os.pathsep.join(map(str, folders))}
        done = subprocess.run([sys.executable, "-c", _DIGEST], env=environment, capture_output=True, text=True, check=True)
        digests.add(done.stdout)
    assert len(digests) == 1
