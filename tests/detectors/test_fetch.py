"""The plan of what is read of a row covers it from end to end: all of it, or one slot of what is kept by the time of day."""

from __future__ import annotations

from itertools import pairwise

import pytest

from detectors import assembly, fetch
from detectors.contract import Tier
from detectors.registry import of_tier


@pytest.mark.parametrize("tier", list(Tier))
def test_a_plan_covers_the_row(tier: Tier) -> None:
    row = assembly.row_type(of_tier(tier))
    plan = fetch.plan_of(row)
    assert plan["first"][0] == 0
    assert plan["end"][-1] == row.itemsize
    assert all(one["end"] == other["first"] for one, other in pairwise(plan))
    by_time = plan[plan["slots"] > 0]
    assert (by_time["slots"] * by_time["slot_bytes"] == by_time["end"] - by_time["first"]).all()
    assert len(by_time) == {Tier.LIGHT: 0, Tier.STANDARD: 3, Tier.FULL: 4}[tier]
