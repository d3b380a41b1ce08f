"""The benchmark of storms: everything that began is counted, and what is kept of it is bounded."""

from __future__ import annotations

from benchmarks import storm
from engine.config.tree import Correlate


def test_a_storm_is_counted_whole_and_kept_in_part() -> None:
    figures = storm.storm(6_000)
    assert figures["counted"] == 6_000
    assert figures["incidents"] == storm.TEAMS
    assert figures["members_kept"] <= storm.TEAMS * Correlate().members_max  # type: ignore[operator]
    assert figures["messages"] < 200  # type: ignore[operator]


def test_a_steady_load_is_stepped_through() -> None:
    figures = storm.steady(500, 1, 10)
    assert figures["open_alerts"] == 500
    assert storm.hints(20) > 0.0
