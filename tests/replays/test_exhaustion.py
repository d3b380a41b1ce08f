"""What runs out is told before it has, and what only looks like it is not. Each story is named by what somebody would have liked to hear."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np
import pytest
from detect_world import SECOND, START, alerts, machine, play, record
from stories import Story, hour_of, hours, noise

from engine.config.tree import Detect, Rule
from engine.records import GOES_ON, Alert, AlertState, AnomalyKind

FIRING, RESOLVED = AlertState.FIRING, AlertState.RESOLVED
DAY = 24.0


def foreseen(story: Story) -> list[Alert]:
    """What was told of the future, without the alerts of the scores."""
    return [alert for alert in story.told if alert.outlook is not None]


def summary(told: list[Alert]) -> str:
    return "; ".join(f"{hour_of(a):.2f} h {a.state} {a.reason} {a.score:.2f} {a.text}" for a in told) or "silence"


def ramp(at: np.ndarray, start: float, length: float) -> np.ndarray:
    return np.clip((at - start) / length, 0.0, 1.0)


def test_the_pod_was_killed_for_memory_after_a_day_of_leaking():
    """From 40 to 100 per cent in thirty hours, on a daily wave: told more than twelve hours before the end."""
    at = hours(9.5, 120.0)
    start, length = 7.25 * DAY, 30.0
    value = 40.0 + 5.0 * np.sin((at - 8.0) / 24.0 * 2.0 * np.pi) + noise(at, 1.5) + 60.0 * ramp(at, start, length)
    full = at[int(np.argmax(value >= 100.0))]
    story = Story(at[at < full], value[at < full], "memory.used_percent")
    told = foreseen(story)
    assert told, summary(told)
    first = told[0]
    assert first.kind is AnomalyKind.TREND
    assert start < hour_of(first) < full - 12.0, summary(told)
    assert first.outlook.bound == 100.0
    for alert in told:
        to_go = (full - hour_of(alert)) * 3600.0
        assert 0.8 * alert.outlook.seconds_early <= to_go <= 1.25 * alert.outlook.seconds_late, summary(told)
    assert (first.onset_ts_ns / SECOND - START) / 3600.0 == pytest.approx(start, abs=4.0)
    assert "reaches 100 in about" in first.text
    assert all(alert.state is FIRING for alert in told), summary(told)
    assert [a.severity for a in told] == sorted(a.severity for a in told), "more severe as it comes nearer"
    assert told[-1].severity >= 17
    assert len(told) <= 8, summary(told)


def test_the_heap_leaked_for_a_day_and_nobody_had_set_a_limit():
    """No bound is known: half as much again within 24 hours is told in the first half."""
    at = hours(10, 120.0)
    start = 8.0 * DAY
    story = Story(at, 2e9 + noise(at, 3e7) + 1e9 * ramp(at, start, 24.0), "heap_used_bytes")
    told = foreseen(story)
    assert told, summary(told)
    assert start < hour_of(told[0]) < start + 12.0, summary(told)
    assert told[0].outlook.bound is None
    assert "an hour" in told[0].text
    ended = [alert for alert in told if alert.state is RESOLVED]
    assert len(ended) == 1, summary(told)
    assert hour_of(ended[0]) > start + 24.0, "it is over when it rises no more"


def test_the_disk_filled_at_night_because_the_logs_were_not_rotated():
    """Each day 55 to 75 per cent, rotated at four; from the eleventh day on nobody rotates. Silent before, told before it is full."""
    at = hours(13, 120.0)
    since = np.where(at < 10 * DAY + 4.0, (at - 4.0) % 24.0, at - (9 * DAY + 4.0))
    value = np.minimum(55.0 + since / 24.0 * 20.0, 100.0) + noise(at, 0.2)
    full = at[int(np.argmax(value >= 99.0))]
    story = Story(at, value, "disk.used_percent")
    told = foreseen(story)
    assert told, summary(told)
    assert 10 * DAY + 4.0 < hour_of(told[0]) < full - 8.0, summary(told)
    assert all(alert.state is FIRING for alert in told), "a disk that stands at its bound is not over"
    assert told[-1].severity == 21, summary(told)


def test_the_disk_was_cleaned_up_and_the_alert_stayed():
    at = hours(11, 120.0)
    start = 8.0 * DAY
    value = 50.0 + noise(at, 0.3) + np.where(at < start + 20.0, 35.0 * ramp(at, start, 20.0), 0.0)
    told = foreseen(Story(at, value, "disk.used_percent"))
    assert [alert.state for alert in told][-1] is RESOLVED, summary(told)
    assert start + 20.0 < hour_of(told[-1]) < start + 22.0, summary(told)


SAWTEETH = {
    "rotation": (24.0, 20.0),
    "vacuum": (72.0, 30.0),
    "collection": (5.0, 35.0),
}


@pytest.mark.parametrize(("period", "height"), SAWTEETH.values(), ids=list(SAWTEETH))
def test_a_harmless_sawtooth_is_an_alarm_each_time(period: float, height: float):
    """Known for two teeth, it is never told again."""
    at = hours(16, 120.0)
    value = 45.0 + at % period / period * height + noise(at, 0.4)
    told = [alert for alert in foreseen(Story(at, value, "disk.used_percent")) if hour_of(alert) > max(2.0 * period, 48.0)]
    assert told == [], summary(told)


@pytest.mark.parametrize("name", ["memory.used_percent", "heap_bytes"])
def test_the_day_itself_is_said_to_run_out(name: str):
    at = hours(14, 300.0)
    told = foreseen(Story(at, 60.0 + 25.0 * np.sin((at - 8.0) / 24.0 * 2.0 * np.pi) + noise(at, 2.0), name))
    assert told == [], summary(told)


def test_weeks_are_said_to_run_out():
    at = hours(28, 600.0)
    weekday = np.where(at // 24.0 % 7.0 < 5.0, 1.0, 0.5)
    told = foreseen(Story(at, weekday * (50.0 + 20.0 * np.sin((at - 8.0) / 24.0 * 2.0 * np.pi)) + noise(at, 2.0), "connections"))
    assert told == [], summary(told)


def test_a_new_level_is_said_to_run_out():
    """A step from 40 to 70 per cent is no trend."""
    at = hours(10, 120.0)
    told = foreseen(Story(at, np.where(at < 7 * DAY, 40.0, 70.0) + noise(at, 1.0), "memory.used_percent"))
    assert told == [], summary(told)


def test_ordinary_growth_is_an_alarm():
    """One per cent a day has always been; at 60 per cent there are weeks to go."""
    at = hours(16, 300.0)
    told = foreseen(Story(at, 45.0 + at / 24.0 + noise(at, 0.3), "disk.used_percent"))
    assert told == [], summary(told)


@pytest.mark.parametrize("form", ["days", "date"])
def test_the_certificate_had_expired(form: str):
    """Checked each hour, it ends after twenty days: told a week before, an error a day before; renewed, it is over at once."""
    at = hours(21, 3600.0)
    left = np.where(at < 20 * DAY - 6.0, 20.0 - at / 24.0, 90.0 + 20.0 - at / 24.0)
    name = "cert_expires_in_days" if form == "days" else "probe_ssl_earliest_cert_expiry"
    value = left if form == "days" else START + at * 3600.0 + left * 86_400.0
    story = Story(at, value, name)
    told = foreseen(story)
    assert [alert.state for alert in told][-1] is RESOLVED, summary(told)
    assert hour_of(told[0]) == pytest.approx(13 * DAY, abs=4.0), summary(told)
    assert told[0].outlook.seconds == pytest.approx(7 * 86_400.0, abs=4 * 3600.0)
    errors = [alert for alert in told if alert.severity >= 17]
    assert hour_of(errors[0]) == pytest.approx(19 * DAY, abs=3.0), summary(told)
    assert hour_of(told[-1]) == pytest.approx(20 * DAY - 6.0, abs=3.0), summary(told)
    assert sum(alert.revision == 1 for alert in told) == 1


def both(at: np.ndarray, used: np.ndarray, limit: float, names: tuple[str, str], config: Detect) -> list[Alert]:
    """Two series of one process: what is open and how much may be."""
    log = [
        record(
            n, h * 3600.0, s=[(names[0], {"service": "cart"}, h * 3600.0, u), (names[1], {"service": "cart"}, h * 3600.0, limit)]
        )
        for n, (h, u) in enumerate(zip(at.tolist(), used.tolist(), strict=True))
    ]
    outputs, _ = play(machine(config), log, range(0, len(log), 500))
    return [alert for alert in alerts(outputs) if alert.outlook is not None and alert.reason not in GOES_ON]


@pytest.mark.parametrize(
    ("names", "rules"),
    [
        (("process_open_fds", "process_max_fds"), []),
        (("sockets", "sockets_allowed"), [Rule(match="sockets", limit_from="sockets_allowed")]),
        (("sockets", "anything"), [Rule(match="sockets", limit=1024.0)]),
    ],
    ids=["by name", "by rule", "by number"],
)
def test_file_descriptors_ran_out(names, rules):
    at = hours(8, 120.0)
    used = np.round(200.0 + noise(at, 5.0) + 25.0 * np.maximum(at - 6.0 * DAY, 0.0))
    full = 6.0 * DAY + 824.0 / 25.0
    told = both(at[used < 1024], used[used < 1024], 1024.0, names, Detect(rules=rules))
    assert told, "nothing was told"
    assert told[0].outlook.bound == 1024.0
    assert hour_of(told[0]) < full - 12.0, summary(told)


def test_what_is_ahead_is_the_same_however_the_log_is_cut_and_after_a_restart():
    """Alerts of one run in small pieces, of one in one piece, and of one that is restored from a snapshot in the middle."""
    at = hours(9, 300.0)
    value = 40.0 + noise(at, 1.0) + 50.0 * ramp(at, 7.0 * DAY, 40.0)
    log = [
        record(n, h * 3600.0, s=[("disk.percent", {"node": "a"}, h * 3600.0, v)])
        for n, (h, v) in enumerate(zip(at.tolist(), value.tolist(), strict=True))
    ]
    whole, _ = play(machine(), log)
    pieces, _ = play(machine(), log, range(0, len(log), 7))
    middle = int(np.searchsorted(at, 7.0 * DAY + 20.0))
    before, after = machine(), machine()
    first, _ = play(before, log[:middle])
    after.restore(before.snapshot())
    second, _ = play(after, log[middle:])
    assert any(alert.outlook is not None for alert in alerts(whole)), "a law about silence proves nothing"
    values = [output.value for output in whole]
    assert values == [output.value for output in pieces]
    assert values == [output.value for output in (*first, *second)]


def test_a_forecast_can_be_turned_off():
    at = hours(9, 300.0)
    value = 40.0 + noise(at, 1.0) + 50.0 * ramp(at, 7.0 * DAY, 40.0)
    quiet = Detect(rules=[Rule(match="disk.*", forecast=False)])
    assert foreseen(Story(at, value, "disk.percent", quiet)) == []
    assert foreseen(Story(at, value, "disk.percent")) != []


def test_the_record_can_be_read_by_others():
    at = hours(9, 300.0)
    value = 40.0 + noise(at, 1.0) + 50.0 * ramp(at, 7.0 * DAY, 40.0)
    told = foreseen(Story(at, value, "disk.percent"))
    read = msgspec.json.decode(msgspec.json.encode(told[0]))
    assert set(read["outlook"]) == {"slope_per_hour", "bound", "seconds", "seconds_early", "seconds_late"}
    assert read["outlook"]["seconds_early"] <= read["outlook"]["seconds"]
    assert read["labels"]["forecast"] == "trend"
    assert all(a.ts_ns <= b.ts_ns for a, b in pairwise(told))
