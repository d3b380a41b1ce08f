"""Time zones as tables: the hours that people's clocks show, the same on every machine."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from detectors import clock
from detectors.contract import FEED
from detectors.kernel import as_state
from engine.zones import names, spans

HOUR_NS = 3_600_000_000_000
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Casablanca"]


def civil(name, ts_ns):
    fed = np.zeros(len(ts_ns), FEED)
    state, zone = np.zeros(len(ts_ns), clock.STATE), np.array(list(spans(name)), clock.SPAN)
    rows = np.arange(len(ts_ns), dtype=np.int64)
    clock.read_clock(as_state(state), rows, ts_ns, np.ones(len(ts_ns)), as_state(zone), as_state(fed))
    return fed["civil_ns"]


@pytest.mark.parametrize("name", ZONES)
def test_the_clock_shows_what_the_zone_says(name):
    """At random times of a century, in no order, and at both sides of each change."""
    seconds = np.random.default_rng(1).integers(0, 4_000_000_000, 2000)
    changes = np.array([start_ns // 10**9 for start_ns, _ in spans(name)[1:]], np.int64)
    seconds = np.concatenate([seconds, changes - 1, changes, changes + 1])
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        zone = ZoneInfo.from_file(file)
    expected = [s + datetime.fromtimestamp(s, UTC).astimezone(zone).utcoffset().total_seconds() for s in seconds.tolist()]
    assert (civil(name, seconds * 10**9) // 10**9).tolist() == expected


def test_the_last_sunday_of_march_has_no_hour_from_two_to_three():
    """2026-03-29 01:00 UTC is 03:00 in Berlin, a nanosecond before it is just not 02:00."""
    change = int(datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp()) * 10**9
    before, after = (civil("Europe/Berlin", np.array([change - 1, change])) // HOUR_NS % 24).tolist()
    assert (before, after) == (1, 3)


def test_what_is_no_zone_is_refused():
    assert "Europe/Berlin" in names()
    for name in ("", "Europe", "../../etc/passwd", "Berlin"):
        with pytest.raises(ValueError, match="no time zone"):
            spans(name)
