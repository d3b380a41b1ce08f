"""The life of alerts as time lines: what is put in at which minute, and what must be said between which minutes."""

from __future__ import annotations

import numpy as np
import pytest
from detect_world import SECOND, START, alerts, machine, metric, play, record

from engine.config.tree import Detect, Rule
from engine.records import GOES_ON, LASTING, ONCE, Alert, AlertState, AnomalyKind

HOURS = 60
DAY = 24 * HOURS


class Timeline:
    """One series of one entity, a sample a minute, and whatever else is put in. Times are minutes."""

    def __init__(self, minutes: int, config: Detect | None = None, seed: int = 1) -> None:
        noise = np.random.default_rng(seed).normal(size=minutes)
        self._values: list[float | None] = [100.0 + float(x) for x in noise]
        self._parts: dict[int, dict[str, list]] = {}
        self._config = config or Detect()
        self.told: list[Alert] = []

    def add(self, start: int, end: int, amount: float) -> Timeline:
        self._values[start:end] = [None if v is None else v + amount for v in self._values[start:end]]
        return self

    def silent(self, start: int, end: int) -> Timeline:
        self._values[start:end] = [None] * (end - start)
        return self

    def line(self, minute: int, severity: int, text: str) -> Timeline:
        parts = self._parts.setdefault(minute, {})
        parts.setdefault("l", []).append(({"service": "cart"}, minute * 60.0, severity, text))
        return self

    def event(self, minute: int, name: str, severity: int) -> Timeline:
        self._parts.setdefault(minute, {}).setdefault("e", []).append((name, "cart", minute * 60.0, severity, False))
        return self

    def play(self, name: str = "latency", transform=lambda value, minute: value) -> Timeline:
        log = []
        for minute, value in enumerate(self._values):
            log.append(metric(len(log), minute * 60.0, 1.0, "heartbeat", "other"))  # the log itself is never silent
            if value is not None:
                log.append(metric(len(log), minute * 60.0, transform(value, minute), name))
            if minute in self._parts:
                log.append(record(len(log), minute * 60.0, **self._parts[minute]))
        self.told = alerts(play(machine(self._config), log, range(0, len(log), 500))[0])
        return self

    def says(self, **wanted: object) -> list[float]:
        """Minutes of the messages that are as wanted; that an alert goes on is left out."""
        return [
            (alert.ts_ns / SECOND - START) / 60
            for alert in self.told
            if alert.reason not in GOES_ON and all(getattr(alert, name) == value for name, value in wanted.items())
        ]

    def expect(self, between: tuple[float, float], **wanted: object) -> Timeline:
        """Exactly one message like this, within these minutes."""
        found = self.says(**wanted)
        assert len(found) == 1, f"{wanted}: {found} of {[(a.state, a.reason, a.kind) for a in self.told]}"
        assert between[0] <= found[0] <= between[1], f"{wanted}: {found}"
        return self

    def quiet(self) -> None:
        assert self.says() == []


def test_nothing_is_said_when_nothing_happens():
    Timeline(2 * DAY).play().quiet()


def test_a_fault_fires_and_resolves():
    line = Timeline(DAY + 3 * HOURS).add(DAY, DAY + 30, 100.0).play()
    line.expect((DAY, DAY + 3), state=AlertState.FIRING)
    line.expect((DAY + 30, DAY + 40), state=AlertState.RESOLVED, reason="recovered")
    assert abs(line.told[0].onset_ts_ns - (START + DAY * 60) * SECOND) <= 300 * SECOND


def test_a_strong_sample_is_told_at_once_and_that_it_goes_on_with_the_next():
    line = Timeline(DAY + HOURS).add(DAY, DAY + 30, 100.0).play()
    assert [a.reason for a in line.told[:2]] == [ONCE, LASTING]


def test_a_single_spike_is_over_when_the_series_has_been_back_for_as_long_as_recovery_takes():
    line = Timeline(DAY + HOURS).add(DAY, DAY + 1, 400.0).play()
    assert LASTING not in [a.reason for a in line.told]
    line.expect((DAY + 5, DAY + 5), state=AlertState.RESOLVED, reason="recovered")


def test_what_is_too_small_to_matter_is_said_to_nobody():
    Timeline(DAY + 3 * HOURS).add(DAY, DAY + 30, 12.0).play().quiet()


def test_a_smaller_share_may_be_made_to_matter():
    config = Detect(rules=[Rule(match="lat*", relative_min=0.05)])
    Timeline(DAY + 3 * HOURS, config).add(DAY, DAY + 30, 12.0).play().expect((DAY, DAY + 5), state=AlertState.FIRING)


def test_the_direction_that_nobody_minds_is_said_to_nobody():
    config = Detect(rules=[Rule(match="latency", direction="up")])
    Timeline(DAY + HOURS, config).add(DAY, DAY + 30, -50.0).play().quiet()


def test_below_its_floor_nothing_matters():
    config = Detect(rules=[Rule(match="latency", floor=1000.0)])
    Timeline(DAY + HOURS, config).add(DAY, DAY + 30, 100.0).play().quiet()


def test_a_firing_alert_is_told_again_each_third_of_its_lease():
    line = Timeline(DAY + 2 * HOURS, Detect(lease=900.0)).add(DAY, DAY + 60, 100.0).play()
    leases = [alert for alert in line.told if alert.reason == "lease"]
    assert 10 <= len(leases) <= 13
    assert len({alert.id for alert in line.told}) == 1


def test_silence_makes_a_firing_alert_unknown_never_resolved():
    line = Timeline(DAY + 3 * HOURS).add(DAY, DAY + 90, 100.0).silent(DAY + 20, DAY + 60).play()
    line.expect((DAY, DAY + 3), state=AlertState.FIRING, revision=1)
    line.expect((DAY + 25, DAY + 32), state=AlertState.UNKNOWN, reason="silent")
    line.expect((DAY + 60, DAY + 62), state=AlertState.FIRING, reason="returned")
    line.expect((DAY + 90, DAY + 100), state=AlertState.RESOLVED, reason="recovered")


def test_a_healthy_series_that_goes_silent_is_a_gap_until_it_returns():
    line = Timeline(DAY + 3 * HOURS).silent(DAY, DAY + 60).play()
    line.expect((DAY + 5, DAY + 12), state=AlertState.FIRING, kind=AnomalyKind.GAP)
    line.expect((DAY + 60, DAY + 63), state=AlertState.RESOLVED, reason="returned")
    assert line.told[0].value is None


def test_a_series_given_up_for_good_ends_as_retired():
    line = Timeline(DAY + 5 * HOURS, Detect(idle_after=7200.0)).silent(DAY, DAY + 5 * HOURS).play()
    line.expect((DAY + 119, DAY + 150), state=AlertState.RESOLVED, reason="retired")


def test_a_lasting_level_is_adopted_once_and_is_then_normal():
    line = Timeline(DAY + 12 * HOURS, Detect(adopt_after=7200.0)).add(DAY, DAY + 12 * HOURS, 100.0).play()
    line.expect((DAY, DAY + 3), state=AlertState.FIRING)
    line.expect((DAY + 120, DAY + 125), state=AlertState.RESOLVED, reason="adopted")


def test_a_counter_that_starts_again_is_no_fault():
    totals = np.arange(DAY + HOURS) * 6000.0
    totals[DAY:] -= totals[DAY] - 500.0
    Timeline(DAY + HOURS).play("requests_total", lambda value, minute: float(totals[minute]) + value).quiet()


def test_a_pod_that_is_replaced_is_no_gap():
    log = []
    for minute in range(DAY + 3 * HOURS):
        at = minute * 60.0
        pods = ["a", "b"] if minute < DAY else ["b", "c"]
        samples = [("cpu", {"service": "cart", "pod": pod}, at, 5.0 + (minute * 7919 % 13) / 13) for pod in pods]
        log.append(record(minute, at, s=samples))
    assert alerts(play(machine(), log, range(0, len(log), 500))[0]) == []


def test_the_series_of_one_dead_exporter_go_silent_together():
    log = []
    for minute in range(DAY + HOURS):
        at = minute * 60.0
        samples = [("up", {"service": "other"}, at, 1.0)]
        if minute < DAY:
            samples += [(name, {"service": "cart"}, at, 5.0 + (minute * 7919 % 13) / 13) for name in "abcd"]
        log.append(record(minute, at, s=samples))
    gaps = [alert for alert in alerts(play(machine(), log)[0]) if alert.reason == "silent"]
    assert len(gaps) == 4
    assert len({alert.stamp.offset for alert in gaps}) == 1


def busy(line: Timeline, minutes: int) -> Timeline:
    for minute in range(minutes):
        line.line(minute, 9, f"served request {minute} in {minute % 70} ms")
    return line


def test_a_new_error_is_told_and_resolves_when_it_is_not_seen_any_more():
    line = busy(Timeline(DAY + 2 * HOURS), DAY + 2 * HOURS)
    for minute in range(DAY, DAY + 10):
        line.line(minute, 17, f"cannot reach payment after {minute} ms: connection refused")
    line.play().expect((DAY, DAY + 6), state=AlertState.FIRING, kind=AnomalyKind.NEW_TEMPLATE)
    line.expect((DAY + 10, DAY + 25), state=AlertState.RESOLVED, kind=AnomalyKind.NEW_TEMPLATE)
    told = next(alert for alert in line.told if alert.kind is AnomalyKind.NEW_TEMPLATE)
    assert "cannot reach payment" in told.text
    assert told.severity == 17


@pytest.mark.parametrize(("severity", "times"), [(17, 1), (9, 5)])
def test_a_single_error_or_a_few_lines_of_information_are_not_told(severity, times):
    line = busy(Timeline(DAY + HOURS), DAY + HOURS)
    for minute in range(DAY, DAY + times):
        line.line(minute, severity, f"rebalanced the partitions of group {minute}")
    assert line.play().says(kind=AnomalyKind.NEW_TEMPLATE) == []


def test_in_the_first_hour_everything_is_new_and_nothing_is_told():
    line = busy(Timeline(3 * HOURS), 3 * HOURS)
    for minute in range(10, 40):
        line.line(minute, 17, "cannot reach payment: connection refused")
    assert line.play().says(kind=AnomalyKind.NEW_TEMPLATE) == []


def test_the_first_bad_event_of_its_name_is_told_and_the_next_is_not():
    line = Timeline(2 * DAY).event(5, "deploy", 9).event(DAY + 120, "k8s.OOMKilling", 17).event(DAY + 121, "k8s.OOMKilling", 17)
    line.play().expect((DAY + 119, DAY + 121), state=AlertState.FIRING, kind=AnomalyKind.RARE_EVENT)
    line.expect((DAY + 122, DAY + 140), state=AlertState.RESOLVED, kind=AnomalyKind.RARE_EVENT)
