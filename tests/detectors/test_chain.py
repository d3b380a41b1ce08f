"""The chain of a tier gives what its kernels give one by one, sample by sample, wherever its chunks end."""

from __future__ import annotations

import numpy as np
import pytest
from metric_corpus import CORPUS, every

from detectors import assembly, calibration, chain, clock
from detectors.contract import FEED, VERDICT, Tier
from detectors.kernel import as_state
from detectors.registry import DETECTORS, of_tier

ROWS = 7


def samples():
    """More than two chunks of seven series, in no order, some late and some no number."""
    parts = [CORPUS[name][1][:60] for name in ("noise", "daily", "two_valued", "ramp", "hostile", "constant", "weekly")]
    value = np.stack(parts, axis=1).reshape(-1)
    ts_ns = np.repeat(every(600.0, 60), ROWS)
    row = np.random.default_rng(3).permuted(np.tile(np.arange(ROWS), (60, 1)), axis=1).reshape(-1)
    ts_ns[100:110] -= 10**12
    return row, ts_ns, value


def state_and_table(chosen):
    state = np.zeros(ROWS + 1, assembly.row_type(chosen))
    state["clock"]["shadow"][5] = ROWS + 1  # what the sixth would learn goes to the row that is no series
    return state, assembly.table(chosen, assembly.words_of(chosen))


def test_every_detector_is_known_by_its_parameters():
    assert list(chain._KERNELS.values()) == [d.kernel for d in DETECTORS.values()]


@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("tier", list(Tier))
def test_a_chain_is_its_kernels_one_by_one(tier, far):
    chosen, params = of_tier(tier), calibration.Params(samples_min=5.0)
    row, ts_ns, value = samples()
    assert len(row) > 2 * chain.CHUNK
    state, table = state_and_table(chosen)
    factors, result = np.zeros((len(row), len(chosen))), np.zeros(len(row), calibration.RESULT)
    models = chain.models_of(state, tuple(chosen), table, params, as_state(clock.UTC), far=far)
    chain.score(models, chain.scratch_of(len(chosen)), row, ts_ns, value, factors, as_state(result))

    other, _ = state_and_table(chosen)
    rows = as_state(other)
    ends, habits = rows[["clock", "calibration"]], assembly.habits_of(rows)
    for i in range(len(row)):
        one = slice(i, i + 1)
        feed, verdicts = as_state(np.zeros(1, FEED)), as_state(np.zeros((1, len(chosen)), VERDICT))
        expected, told = np.zeros((1, len(chosen))), np.zeros(1, calibration.RESULT)
        clock.read_clock(rows["clock"], row[one], ts_ns[one], value[one], as_state(clock.UTC), feed)
        for place, d in enumerate(chosen):
            d.kernel(rows[d.name], feed, d.params, verdicts[:, place])
        calibration.calibrate(ends, habits, feed, verdicts, table, params, expected, as_state(told))
        assert told.tobytes() == result[one].tobytes(), i
        assert expected.tobytes() == factors[one].tobytes(), i
    assert other.tobytes() == state.tobytes()
