"""What faults and lopsided noise teach: series through the whole default set, as shipped."""

from __future__ import annotations

import numpy as np

from engine.config.tree import Detect
from engine.detect.bank import Bank
from engine.records import Series

DAYS, STEP, START = 40, 300, 1_772_409_600
COUNT = DAYS * 86_400 // STEP


def scores(value: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """(scores, those that an entity takes, the tilt of the noise at the end)."""
    bank = Bank(Detect(series_max=1))
    bank.admit(0, Series(key=b"one", name="one", labels=(), entity=""))
    ts_ns = (START + STEP * np.arange(len(value))) * 10**9
    scored = bank.score(np.zeros(len(value), np.int64), ts_ns, value)
    return scored.score, scored.among, float(bank._state["level"]["tilt"][bank._shadows])


def test_a_fault_every_other_day_hardly_lowers_what_the_next_one_scores() -> None:
    rng = np.random.default_rng(18)
    calm = 100.0 + rng.standard_normal(COUNT)
    faulty = calm.copy()
    for begin in rng.integers(2000, COUNT - 400, DAYS // 2):
        faulty[begin : begin + 6] += 12.0
    for value in (calm, faulty):  # the one that is compared
        value[-50:-47] += 7.0
    (told, among, _), (alone, _, _) = scores(faulty), scores(calm)
    last = slice(-50, -44)
    most = np.nanmax(alone[last])
    assert np.nanmax(told[last]) > 0.8 * most
    assert np.nanmax(told[last]) > 1.03 * np.nanmax(among[last]), (
        "by the threshold that bursts teach, faults make themselves usual"
    )


def test_noise_with_a_long_side_is_no_news_on_it() -> None:
    rng = np.random.default_rng(18)
    noise = np.exp(0.4 * rng.standard_normal(COUNT))
    upward, _, tilt = scores(100.0 + noise)
    downward, _, other = scores(100.0 - noise)
    assert tilt > 0.2
    assert other < -0.2
    # Its mirror image is judged alike, and neither more than twice a month.
    for score in (upward, downward):
        assert np.nansum(score[COUNT // 4 :] >= 1.0) <= 2
