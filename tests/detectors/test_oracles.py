"""Every kernel gives what its slow, obvious oracle gives."""

from __future__ import annotations

import numpy as np
import pytest
from metric_corpus import CORPUS, Columns, Run

from detectors.contract import Detector
from detectors.naive import ORACLES, Sample
from detectors.registry import DETECTORS


def test_every_detector_has_an_oracle() -> None:
    assert list(ORACLES) == list(DETECTORS)


@pytest.mark.parametrize("series", CORPUS.values(), ids=list(CORPUS))
@pytest.mark.parametrize("detector", DETECTORS.values(), ids=list(DETECTORS))
def test_kernel_and_oracle_agree(detector: Detector, series: Columns) -> None:
    run = Run(detector)
    verdict = run.feed(*series)
    used = run.fed["read"] >= 0
    samples = [
        Sample(int(f["ts_ns"]), int(f["civil_ns"]), float(f["value"]), float(f["dt"]), float(f["step"]), int(f["seen"]))
        for f in run.fed[used]
    ]
    expected = ORACLES[detector.name](samples, detector.params)
    for field in ("decades", "expected", "scale", "direction"):
        oracle = np.array([getattr(v, field) for v in expected], np.float64)
        np.testing.assert_allclose(verdict[field][used], oracle, rtol=1e-6, atol=1e-7, err_msg=field)
