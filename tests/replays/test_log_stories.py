"""Stories told by logs: what was new, what came back, what stopped, what went in the wrong order, and the one alert that says so."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from log_stories import Line, LogStory, each, often
from stories import hour_of

from detectors.kernel import JIT
from engine.detect.gates import Gate
from engine.records import Alert, AlertState, AnomalyKind

pytestmark = pytest.mark.skipif(not JIT, reason="days of lines take their time when nothing is compiled")

FIRING, RESOLVED = AlertState.FIRING, AlertState.RESOLVED
END = 12.0
DAYS = 30.0


WORDS = ["".join(chr(97 + (seed * k + seed // 7) % 26) for k in (3, 5, 7, 11, 17)) for seed in range(1, 80)]


def usual(end: float = END) -> list[Iterator[Line]]:
    """A shop that nothing happens in."""
    return [often("GET /item/{n} 200 in {n} ms", 8, (0, end)), often("cart {h} now has {n} items", 4, (0, end), 2)]


def the_only(story: LogStory, kind: AnomalyKind) -> Alert:
    """The one alert that fired, which is of this kind, has a beginning and an end."""
    assert [alert.kind for alert in story.says(state=FIRING)] == [kind], story.summary()
    assert [alert.state for alert in story.told] == [FIRING, RESOLVED], story.summary()
    return story.told[0]


# ------------------------------------------------------------------------------------------------ new, and back
def test_a_day_in_which_nothing_happens_is_silent():
    story = LogStory(*usual(DAYS))
    assert story.told == [], story.summary()


def test_not_everything_is_new_in_the_first_hour():
    """A service comes up with thirty kinds of lines: none of them is news, for there was nothing before."""
    kinds = [often(f"{' '.join(WORDS[k : k + 3 + k % 5])} {{h}}", 1, (0, 3), k) for k in range(40)]
    story = LogStory(*kinds)
    assert story.told == [], story.summary()
    assert story.gated(Gate.WARMING_UP) >= 30


def test_a_new_error_after_a_deploy_is_told_at_its_third_line():
    story = LogStory(*usual(), often("Price.discount() failed for order {h}: null", 3, (10, 11), severity=17))
    told = the_only(story, AnomalyKind.NEW_TEMPLATE)
    assert 10.0 < hour_of(told) < 10.05
    assert told.text == "Price.discount() failed for order <*>: null"
    assert told.example.startswith("Price.discount() failed for order ")
    assert (told.expected, told.severity) == (0.0, 17)
    assert told.value >= 3.0


def test_secrets_are_not_shown():
    story = LogStory(*usual(), often("login of {h} failed: password=hunter2 token={h}", 3, (10, 11), severity=17))
    assert "hunter2" not in str(story.told)
    assert "password=***" in story.told[0].example


def test_where_new_lines_are_usual_one_more_is_no_news():
    """A job that logs a new word each twenty minutes, one of a thousand errors that each are different."""
    every = [often(" ".join(WORDS[k : k + 3 + k % 7]), 1, (k / 6, k / 6 + 0.15), k, severity=13) for k in range(len(WORDS) - 10)]
    story = LogStory(*usual(), *every)
    assert story.says(since=6.0, kind=AnomalyKind.NEW_TEMPLATE) == [], story.summary()
    assert story.gated(Gate.ORDINARY) > 20


def test_an_old_error_that_is_back_is_told_again():
    """The disk failed on the first day and was changed; two days later it fails again."""
    failing = "disk failing on sector {n}"
    story = LogStory(*usual(56.0), often(failing, 1, (2, 2.2), severity=17), often(failing, 1, (55, 55.3), severity=17))
    (told,) = story.says(54.0, state=FIRING)
    assert told.kind is AnomalyKind.RARE_TEMPLATE
    assert 55.0 < hour_of(told) < 55.1
    assert told.text == "disk failing on sector <*>"


# ------------------------------------------------------------------------------------------------ rates
def test_a_line_that_comes_more_often_says_its_usual_and_its_present_rate():
    retry = "retry {n} of upstream"
    story = LogStory(*usual(), often(retry, 1, (0, END), severity=13), often(retry, 15, (10, 11), severity=13))
    told = next(alert for alert in story.says(state=FIRING) if alert.text)
    assert told.kind is AnomalyKind.RATE_UP
    assert told.text == "retry <*> of upstream"
    assert told.example
    assert told.expected == pytest.approx(1.0, abs=0.5)
    assert told.value > 10.0
    assert told.step_seconds == 60.0


def test_a_line_that_comes_less_often():
    read = "consumed offset {n}"
    story = LogStory(*usual(), often(read, 60, (0, 10)), often(read, 4, (10, 11)), often(read, 60, (11, END)))
    told = [alert for alert in story.says(state=FIRING) if alert.text]
    assert [alert.kind for alert in told][:1] == [AnomalyKind.RATE_DOWN], story.summary()
    assert 10.0 < hour_of(told[0]) < 10.2


def test_a_cron_job_that_stops_writing_is_missed():
    """One line an hour for thirty hours, then none: told half an hour after the next but one was due, adopted in the end."""
    story = LogStory(*usual(40.0), each("export wrote {n} rows", 60, (0, 30)))
    told = the_only(story, AnomalyKind.STOPPED)
    assert 30.5 < hour_of(told) < 31.6, story.summary()
    assert told.text == "export wrote <*> rows"
    assert told.example == "export wrote 100 rows"
    assert (told.value, told.expected, told.step_seconds) == (0.0, 1.0, 3600.0)
    assert told.reason == "overdue"
    assert story.told[1].reason == "adopted"


def test_a_heartbeat_that_stops_is_missed_within_minutes_and_is_back():
    story = LogStory(*usual(DAYS), each("heartbeat {n}", 1, (0, 27)), each("heartbeat {n}", 1, (28, DAYS)))
    told = the_only(story, AnomalyKind.STOPPED)
    assert 27.0 < hour_of(told) < 27.1
    assert story.told[1].reason == "returned"
    assert 28.0 < hour_of(story.told[1]) < 28.1


def test_a_nightly_batch_is_news_when_it_is_born_and_once_more_and_its_days_never_are():
    """The model of its rate is born in the midst of it, and knows of hours without lines only later."""
    nights = [often("copied partition {n} done", 25, (24 * day + 2, 24 * day + 2 + 1 / 3), day) for day in range(4)]
    story = LogStory(often("GET /item/{n} 200", 8, (0, 76)), *nights)
    told = [alert for alert in story.says(24, state=FIRING) if alert.text]
    assert [int(hour_of(alert) // 24) for alert in told] == [1], story.summary()
    assert {hour_of(alert) % 24 // 1 for alert in told} == {2.0}


def test_a_line_by_chance_is_not_missed():
    """Now and then for a day and a half; then never again. Nobody can say when it was due."""
    story = LogStory(*usual(36.0), often("user {n} changed the language", 0.05, (0, 30)))
    assert story.told == [], story.summary()


def test_a_service_that_falls_silent_is_one_alert_and_not_one_for_each_of_its_lines():
    kinds = [(text, k) for k, text in enumerate(("paid {n}", "refund {h} of {n}", "card {h} is good"))]
    parts = [often(text, 6, span, k, service="pay") for text, k in kinds for span in ((0.0, 27.0), (27.5, DAYS))]
    story = LogStory(*usual(DAYS), *parts)
    told = story.says(state=FIRING)
    assert [(alert.kind, alert.name) for alert in told] == [(AnomalyKind.STOPPED, "log_lines")], story.summary()
    assert "template" not in told[0].labels
    assert story.gated(Gate.SUPERSEDED) > 0


def test_a_larger_share_of_warnings_is_told_when_there_are_no_more_of_them():
    """Half of the traffic is lost, and what is left is in trouble: what each rate does is told as well, and not before."""
    at, slow = "GET /item/{n} 200 in {n} ms", "slow answer from {h}"
    lines = [often(at, rate, span) for rate, span in ((30, (0, 10)), (14, (10, 11)), (30, (11, END)))]
    warnings = [often(slow, rate, span, severity=13) for rate, span in ((5, (0, 10)), (12, (10, 11)), (5, (11, END)))]
    told, *others = LogStory(*lines, *warnings).says(state=FIRING)
    assert told.kind is AnomalyKind.SEVERITY_MIX
    assert {alert.kind for alert in others} <= {AnomalyKind.SEVERITY_MIX, AnomalyKind.RATE_UP, AnomalyKind.RATE_DOWN}
    assert told.name == "log_severe_ratio"
    assert told.value > 0.4
    assert told.expected == pytest.approx(0.15, abs=0.05)


# ------------------------------------------------------------------------------------------------ numbers
def queries(start: float, end: float, a_minute: float, mean_ms: float, seed: int = 5) -> Iterator[Line]:
    rng = np.random.default_rng(seed)
    while start < end:
        start += rng.exponential(1.0 / a_minute / 60.0)
        rows = int(rng.gamma(3.0, 40.0))
        yield Line(start, f"query of shard {int(rng.integers(9))} took {rng.gamma(4.0, mean_ms / 4.0):.0f} ms, rows={rows}")


def test_a_slow_request_is_seen_in_the_number_within_its_line():
    story = LogStory(queries(0, 10, 10, 50.0), queries(10, 10.5, 10, 400.0), queries(10.5, END, 10, 50.0))
    told = the_only(story, AnomalyKind.LINE_VALUE)
    assert 10.0 < hour_of(told) < 10.1
    assert told.text == "number 1 in 'query of shard <*> took <*> ms, rows=<*>'"
    assert told.labels["slot"] == "1"
    assert told.value > 200.0
    assert told.expected == pytest.approx(50.0, rel=0.1)


def test_a_key_that_happens_to_be_all_digits_is_no_number_and_moves_none():
    rng = np.random.default_rng(3)
    keys = [f"{int(rng.integers(10**8)):08d}" if rng.random() < 0.05 else f"{int(rng.integers(2**32)):08x}" for _ in range(8000)]
    lines = [Line(k / 600, f"loaded basket mark={key} in {rng.gamma(4.0, 12.0):.0f} ms") for k, key in enumerate(keys)]
    assert LogStory(lines).says(kind=AnomalyKind.LINE_VALUE) == []


def test_numbers_that_scatter_are_nothing():
    story = LogStory(queries(0, DAYS, 10, 50.0))
    assert story.told == [], story.summary()


# ------------------------------------------------------------------------------------------------ sessions
def orders(
    start: float, end: float, a_minute: float, broken: tuple[float, float] = (99.0, 99.0), order: tuple[int, ...] = ()
) -> list[Line]:
    """Each order writes four or five lines with its key; within `broken` the last two never come, or all come in another order."""
    rng, lines = np.random.default_rng(1), []
    while start < end:
        start += rng.exponential(1.0 / a_minute / 60.0)
        steps = ["accepted order", "reserved stock", "charged card", "order complete"]
        if broken[0] <= start < broken[1]:
            steps = [steps[k] for k in order] or [*steps[:2], "gave up on the card"]
        elif rng.random() < 0.3:
            steps.insert(1, "voucher applied")
        key = f"req-{int(rng.integers(2**40)):010x}"
        lines += [Line(start + k * 2.0 / 3600.0, f"{key} {step}") for k, step in enumerate(steps)]
    return lines


def test_orders_that_are_never_completed_are_told_with_what_is_missing():
    """One in five, so that no line comes notably less often."""
    good, bad = orders(0, END, 6), orders(10, 10.5, 1.5, (10, 11))
    story = LogStory(good, bad)
    told = story.says(state=FIRING, kind=AnomalyKind.BROKEN_SEQUENCE)[0]
    assert 10.1 < hour_of(told) < 10.4, story.summary()
    assert told.name == "log_odd_sessions"
    assert "gave up on the card' once, usually never" in told.text
    assert "order complete' never, usually once" in told.text
    assert told.example.startswith("req-")
    assert told.value >= 3.0
    assert told.expected < 0.5
    assert story.told[-1].state is RESOLVED


def test_two_broken_orders_a_minute_are_told():
    story = LogStory(orders(0, END, 6), orders(10, 11, 1.5, (10, 11), (0, 1, 1, 1, 1, 2, 3)))
    assert len(story.says(10.0, 11.1, state=FIRING, kind=AnomalyKind.BROKEN_SEQUENCE)) >= 1, story.summary()


def test_steps_in_an_order_that_never_was():
    """Nothing is new, nothing is missing: the card is charged before there is an order."""
    story = LogStory(orders(0, END, 12), orders(10, 10.2, 4, (10, 11), (2, 0, 1, 3)))
    assert story.sessions("odd") >= 1, story.summary()


def test_a_day_of_orders_are_silent():
    story = LogStory(orders(0, DAYS, 6))
    assert story.told == [], story.summary()
    assert story.sessions("odd") <= 0.001 * story.sessions("usual")


def test_a_key_of_its_own_on_each_line_makes_no_sessions():
    story = LogStory(often("trace_id={h} GET /item/{n}", 20, (0, END)), often("trace_id={h} failed with {n}", 0.02, (0, END)))
    assert story.says(kind=AnomalyKind.BROKEN_SEQUENCE) == []
    assert story.sessions("odd") == 0


# ------------------------------------------------------------------------------------------------ many services
def errors_of(services: int, a_minute: float, hours: tuple[float, float]) -> list[Iterator[Line]]:
    return [often("lost the connection to db {h}", a_minute, hours, k, severity=17, service=f"s{k}") for k in range(services)]


def test_errors_in_many_services_at_once_are_told_as_one_burst_with_their_names():
    story = LogStory(*usual(), *errors_of(5, 0.2, (0, END)), *errors_of(5, 12, (10, 10.3)))
    (told,) = story.says(state=FIRING, kind=AnomalyKind.ERROR_BURST)
    assert 10.0 < hour_of(told) < 10.1
    assert told.text.startswith("errors in ")
    assert "services at once: s" in told.text
    assert told.value >= 4.0
    assert told.expected < 0.5
    assert told.entity in {f"s{k}" for k in range(5)}
    assert story.says(10.3, 10.6, state=RESOLVED, kind=AnomalyKind.ERROR_BURST)


def test_errors_of_one_service_or_of_all_all_the_time_are_no_burst():
    story = LogStory(*usual(), *errors_of(1, 12, (10, 10.3)), *errors_of(6, 4, (0, END)))
    assert story.says(kind=AnomalyKind.ERROR_BURST) == [], story.summary()
