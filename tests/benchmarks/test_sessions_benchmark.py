"""The benchmark of log sessions runs on any folder of its layout, and says what it should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import sessions
from detectors.kernel import JIT

pytestmark = pytest.mark.skipif(not JIT, reason="thousands of sessions take their time when nothing is compiled")


def test_sets_are_read_trained_and_streamed(tmp_path: Path) -> None:
    usual, broken = sessions.made_up(600)
    folder = tmp_path / "shop"
    folder.mkdir()
    for name, rows in (("train", usual[:400]), ("test_normal", usual[400:]), ("test_abnormal", broken)):
        text = "\n".join(f"order-{i}," + " ".join(map(str, row)) for i, row in enumerate(rows))
        (folder / f"shop_{name}").write_text(text + "\n")
    figures = sessions.of_set(folder, seeds=1)
    assert figures["sessions"] == {"train": 400, "normal": 200, "abnormal": 60}
    assert figures["trained"]["recall"] > 0.5
    assert figures["trained"]["precision"] > 0.9
    assert 0.0 < figures["stream"]["mean AP"] <= 1.0


def test_average_precision_is_one_where_all_bad_ones_come_first() -> None:
    scores, is_bad = np.array([3.0, 1.0, 2.0, 0.5]), np.array([True, False, True, False])
    assert sessions.average_precision(scores, is_bad) == 1.0
    assert sessions.average_precision(-scores, is_bad) == pytest.approx((1 / 3 + 2 / 4) / 2)
