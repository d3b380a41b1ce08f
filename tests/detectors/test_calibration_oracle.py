"""Scores, onsets and kinds are those of the slow, obvious calibration, in every tier."""

from __future__ import annotations

import numpy as np
import pytest
from metric_corpus import CORPUS, Columns, every

from detectors import assembly, calibration, clock
from detectors.contract import FEED, VERDICT, Tier
from detectors.kernel import as_state
from detectors.naive_calibration import NaiveCalibration, Said
from detectors.naive_words import Sample
from detectors.registry import of_tier

PARAMS = calibration.Params()
NUMBERS = ("score", "usual", "among", "expected", "scale", "deviation")


def restless(rows: int = 4000, seed: int = 11) -> Columns:
    """Noise with lone spikes, a job each hour, a fault of two hours, a pause, and a level that comes to stay."""
    rng = np.random.default_rng(seed)
    ts_ns = every(60.0, rows)
    value = rng.normal(50.0, 2.0, rows) + (rng.random(rows) < 0.01) * rng.exponential(30.0, rows)
    value[np.arange(rows) % 60 < 2] += 15.0
    value[1500:1620] += 60.0
    ts_ns[2200:] += 3 * 3_600_000_000_000
    value[3000:] += 25.0
    return ts_ns, value


SERIES = {**CORPUS, "restless": restless()}


@pytest.mark.parametrize("series", SERIES.values(), ids=list(SERIES))
@pytest.mark.parametrize("tier", Tier, ids=[tier.name.lower() for tier in Tier])
def test_calibration_and_oracle_agree(tier: Tier, series: Columns) -> None:
    chosen = of_tier(tier)
    words = assembly.words_of(chosen)
    ts_ns, value = series
    n = len(value)
    rows = np.zeros(1, assembly.row_type(chosen))
    state, feed = as_state(rows), as_state(np.zeros(n, FEED))
    verdicts, result = as_state(np.zeros((n, len(chosen)), VERDICT)), as_state(np.zeros(n, calibration.RESULT))
    clock.read_clock(state["clock"], np.zeros(n, np.int64), ts_ns, value, as_state(clock.UTC), feed)
    for i, detector in enumerate(chosen):
        detector.kernel(state[detector.name], feed, detector.params, verdicts[:, i])
    habits, table = assembly.habits_of(state), assembly.table(chosen, words)
    ends = state[["clock", "calibration"]]
    calibration.calibrate(ends, habits, feed, verdicts, table, PARAMS, np.empty((n, len(chosen))), result)

    naive = NaiveCalibration(chosen, PARAMS)
    used = np.flatnonzero(np.asarray(feed["read"]) >= 0)
    told = []
    for i in used.tolist():
        f = feed[i]
        sample = Sample(int(f["ts_ns"]), int(f["civil_ns"]), float(f["value"]), float(f["dt"]), float(f["step"]), int(f["seen"]))
        said = [
            Said(float(v["decades"]), float(v["expected"]), float(v["scale"]), int(v["direction"]), float(v["since"]))
            for v in verdicts[i]
        ]
        told.append(naive.judge(sample, said, float(f["seasonal"])))
    for name in NUMBERS:
        ours = np.asarray(result[name])[used]
        np.testing.assert_allclose(ours, [getattr(one, name) for one in told], rtol=2e-5, atol=2e-6, err_msg=name)
    assert np.asarray(result["onset_ns"])[used].tolist() == [one.onset_ns for one in told]
    assert [words[k] for k in np.asarray(result["kind"])[used].tolist()] == [one.kind for one in told]
