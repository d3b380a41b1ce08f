"""Forecasts: kernel and oracle agree, a cut changes no bit, intervals hold, sawteeth are not continued."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from metric_corpus import CORPUS, SECOND_NS, START_NS, Columns, constant, every

from detectors import exhaustion, forecast, wave
from detectors.kernel import as_state
from detectors.naive_forecast import naive_forecast

ROOT = Path(__file__).parent.parent.parent
PARAMS = forecast.Params()
HORIZONS = (6, 36, 144, 1008)


def days_of(days: float, step: float = 600.0) -> np.ndarray:
    return every(step, round(days * 86_400 / step))


def long(name: str) -> Columns:
    """Series of weeks: what a forecast is made for."""
    rng = np.random.default_rng(7)
    ts_ns = days_of(12)
    hour = (ts_ns - START_NS) / (3600 * SECOND_NS)
    wave = 10.0 * np.sin(hour / 24.0 * 2.0 * np.pi)
    noise = rng.normal(0.0, 1.0, len(hour))
    values = {
        "wave": 50.0 + wave + noise,
        "walk": 100.0 + np.cumsum(rng.normal(0.0, 1.0, len(hour))),
        "sawtooth": 40.0 + (hour % 31.0) + 0.3 * noise,
        "leak": 200.0 + wave + noise + 5.0 * np.maximum(hour - 240.0, 0.0),
        "steps": 100.0 + 30.0 * (hour // 50.0 % 3.0) + noise,
    }
    return ts_ns, values[name]


LONG = ("wave", "walk", "sawtooth", "leak", "steps")
SERIES = {
    **{name: long(name) for name in LONG},
    **{name: CORPUS[name] for name in ("noise", "ramp", "constant", "hourly", "seconds")},
}


class Run:
    """Forecasts of a few series, fed in pieces."""

    def __init__(self, rows: int = 1) -> None:
        self.state = np.zeros(rows, forecast.STATE)
        self.closed = np.zeros(rows, np.int8)

    def feed(self, ts_ns: np.ndarray, value: np.ndarray, place: np.ndarray | None = None) -> None:
        place = np.zeros(len(value), np.int64) if place is None else place
        forecast.learn_forecasts(as_state(self.state), place, ts_ns, value, PARAMS, self.closed)

    def ahead(self, cells: int) -> np.ndarray:
        out = np.empty((len(self.state), 3))
        forecast.forecast(as_state(self.state), np.arange(len(self.state)), cells, PARAMS, out)
        return out

    def outlook(self, bound: float = np.nan, toward: float = 1.0) -> np.void:
        out = np.zeros(1, exhaustion.OUTLOOK)
        ends = np.array([bound]), np.array([toward])
        exhaustion.judge(as_state(self.state), np.zeros(1, np.int64), *ends, PARAMS, as_state(out))
        return out[0]


@pytest.mark.parametrize("name", SERIES)
def test_kernel_and_oracle_agree(name: str) -> None:
    ts_ns, value = SERIES[name]
    bound = float(value.max() + np.ptp(value) + 1.0)
    oracle = naive_forecast(ts_ns.tolist(), value.tolist(), PARAMS, bound)
    run = Run()
    cell = ts_ns // forecast.CELL_NS
    edges = [0, *(np.flatnonzero(np.diff(cell)) + 2).tolist()]  # each piece ends with the first sample of a new cell
    assert len(oracle) == len(edges) - 1
    for said, (a, b) in zip(oracle, pairwise(edges), strict=True):
        run.feed(ts_ns[a:b], value[a:b])
        origin = float(run.state["origin"][0])
        for cells, told in said.forecasts.items():
            np.testing.assert_allclose(run.ahead(cells)[0], origin + np.array(told), rtol=1e-4, atol=1e-4)
        outlook = run.outlook(bound)
        for key in ("slope", "evident", "news", "beyond", "early", "middle", "late", "age", "sawtooth"):
            np.testing.assert_allclose(outlook[key], getattr(said, key), rtol=1e-3, atol=1e-4, err_msg=f"{key} at {said.cell}")


@pytest.mark.parametrize("name", [*SERIES, "hostile"])
def test_a_cut_into_batches_changes_no_bit_and_states_stay_finite(name: str) -> None:
    ts_ns, value = CORPUS["hostile"] if name == "hostile" else SERIES[name]
    whole, cut = Run(), Run()
    whole.feed(ts_ns, value)
    for a, b in pairwise([0, 1, 2, 59, 60, 311, len(value)]):
        cut.feed(ts_ns[a:b], value[a:b])
    assert whole.state.tobytes() == cut.state.tobytes()
    for field in whole.state.dtype.names or ():
        numbers = np.asarray(whole.state[field], np.float64).reshape(-1)
        assert np.isfinite(numbers).all(), field
        assert not ((numbers != 0.0) & (np.abs(numbers) < 1e-31)).any(), field


def test_series_do_not_influence_each_other() -> None:
    ts_ns, value = long("walk")
    alone, together = Run(), Run(3)
    alone.feed(ts_ns, value)
    mixed = np.stack([-value, value, value * 1e9], axis=1).reshape(-1)
    together.feed(np.repeat(ts_ns, 3), mixed, np.tile(np.arange(3), len(value)))
    assert together.state[1].tobytes() == alone.state[0].tobytes()


def test_a_series_costs_128_bytes() -> None:
    assert forecast.STATE.itemsize == 128


@pytest.mark.parametrize("value", [0.0, 5.0, -1e14, 1e-12])
def test_a_constant_series_has_no_trend(value: float) -> None:
    run = Run()
    run.feed(*constant(6000, value))
    outlook = run.outlook()
    assert outlook["slope"] == 0.0
    assert outlook["news"] == 0.0
    assert run.ahead(144)[0, 0] == value


def test_the_sine_is_one() -> None:
    turns = np.linspace(-3.0, 3.0, 4001)
    found = [wave.turn_sine(float(t)) for t in turns]
    np.testing.assert_allclose(found, np.sin(2.0 * np.pi * turns), atol=1e-10)


@pytest.mark.parametrize("name", ["wave", "walk"])
@pytest.mark.parametrize("cells", [6, 36, 144])
def test_intervals_hold_what_they_promise(name: str, cells: int) -> None:
    """Nine in ten, measured on thirty days of six series: between 80 and 97 in a hundred."""
    held = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        ts_ns = days_of(30)
        noise = rng.normal(0.0, 1.0, len(ts_ns))
        hour = (ts_ns - START_NS) / (3600 * SECOND_NS)
        value = np.cumsum(noise) if name == "walk" else 50.0 + 10.0 * np.sin(hour / 24.0 * 2.0 * np.pi) + noise
        run = Run()
        for i in range(0, len(value) - cells - 1, 7):
            run.feed(ts_ns[max(i - 6, 0) : i + 1], value[max(i - 6, 0) : i + 1])
            if i > 7 * 144:  # the last closed cell is the one before
                _, lower, upper = run.ahead(cells)[0]
                held.append(lower <= value[i - 1 + cells] <= upper)
    assert 0.8 <= np.mean(held) <= 0.97


def test_a_sawtooth_is_not_continued_through_its_reset() -> None:
    ts_ns = days_of(20)
    hour = (ts_ns - START_NS) / (3600 * SECOND_NS)
    value = 40.0 + 1.5 * (hour % 24.0) + np.random.default_rng(2).normal(0.0, 0.3, len(hour))
    run = Run()
    end = int(np.flatnonzero(hour % 24.0 > 20.0)[-1])
    run.feed(ts_ns[:end], value[:end])
    assert run.outlook(100.0)["sawtooth"] == 1
    assert run.ahead(144)[0, 0] < 80.0, "it has never been above 76"


def test_a_straight_line_is_continued_to_its_bound() -> None:
    """From 20 on by two an hour: 100 is met after forty hours, as seen sixteen hours after the beginning."""
    ts_ns = days_of(8, 60.0)
    hour = (ts_ns - START_NS) / (3600 * SECOND_NS)
    value = 20.0 + np.random.default_rng(3).normal(0.0, 0.5, len(hour)) + 2.0 * np.maximum(hour - 144.0, 0.0)
    run = Run()
    end = int(np.searchsorted(hour, 160.0))
    run.feed(ts_ns[:end], value[:end])
    outlook = run.outlook(100.0)
    assert outlook["slope"] == pytest.approx(2.0, rel=0.1)
    assert outlook["middle"] == pytest.approx(24.0, abs=2.0)
    assert outlook["early"] <= 24.0 <= outlook["late"]
    since = (outlook["since_ns"] - START_NS) / (3600 * SECOND_NS)
    assert since == pytest.approx(144.0, abs=4.0)


SCRIPT = """
from hashlib import blake2b
import numpy as np
from detectors import exhaustion, forecast
from detectors.kernel import as_state
rows = 900
words = np.random.Generator(np.random.Philox(5)).integers(0, 1 << 32, rows).astype(np.float64) / 4294967296.0
index = np.arange(rows)
series = [50.0 + words, 40.0 + (index % 150) * 0.2 + words, 10.0 + np.maximum(index - 600, 0) * 0.3 + words]
state, closed = as_state(np.zeros(3, forecast.STATE)), np.zeros(3, np.int8)
ts_ns = 1_760_000_000_000_000_000 + np.repeat(index, 3) * 600_000_000_000
value = np.stack(series, axis=1).reshape(-1)
forecast.learn_forecasts(state, np.tile(np.arange(3), rows), ts_ns, value, forecast.Params(), closed)
outlook, told = as_state(np.zeros(3, exhaustion.OUTLOOK)), np.empty((3, 3))
exhaustion.judge(state, np.arange(3), np.full(3, 120.0), np.ones(3), forecast.Params(), outlook)
forecast.forecast(state, np.arange(3), 144, forecast.Params(), told)
print(blake2b(state.tobytes() + outlook.tobytes() + told.tobytes()).hexdigest(), int(outlook["middle"][2]))
"""


def digest_with(setting: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        env={**os.environ, "PYTHONPATH": str(ROOT), **setting},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_no_setting_of_the_machine_changes_a_bit() -> None:
    """Compiled or not, with and without fused multiply-add, for any processor."""
    native = digest_with({"NUMBA_DISABLE_JIT": "0"})
    assert 0 < int(native.split()[1]) < 24, "a digest of nothing ahead proves nothing"
    settings = (
        {"NUMBA_DISABLE_JIT": "1"},
        {"NUMBA_CPU_NAME": "generic"},
        {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-FMA,-FMA_Usable,-FMA4,-AVX512F"},
    )
    assert [digest_with(setting) for setting in settings] == [native] * len(settings)
