"""Laws of what is counted: buckets, quiet times, lateness, templates that merge, and how telling a first sighting is."""

import msgspec
from detect_world import SHARD, alerts, machine, play, record

from engine.config.tree import Detect
from engine.detect.counts import QUIET_BUCKETS_MAX, TEMPLATE, Counts, code_of, what_of
from engine.detect.drafts import Drafts, Moment, Phase
from engine.detect.novelty import Births, Fresh, News, fresh_score, line_score
from engine.detect.points import Step
from engine.detect.watch import Watch
from engine.metrics import Metric
from engine.ports import StepStats
from engine.records import Series, Signal, ValueKind

MINUTE = 60_000_000_000
NAMES = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"]


def series_of(code: int) -> Series:
    name = f"counted_{code}"
    return Series(key=name.encode(), name=name, labels=(), entity="", signal=Signal.LOG, kind=ValueKind.COUNT)


def counts() -> tuple[Counts, Watch, Step]:
    at = Moment(0, Phase.TICK, *SHARD, 0, 0, 0)
    return Counts(60.0, 86_400.0, 100, series_of), Watch(Detect(), "c"), Step(Drafts(), StepStats(), lambda _: at)


def samples(step: Step) -> int:
    return int(step.stats.counts.get((Metric.SAMPLES, ("log",)), 0))


def test_a_code_says_its_stream_and_what_it_counts():
    assert (code_of(7, TEMPLATE + 3) >> 32, what_of(code_of(7, TEMPLATE + 3))) == (7, TEMPLATE + 3)


def test_a_bucket_closes_when_the_watermark_has_passed_its_end_and_takes_nothing_any_more():
    tally, watch, step = counts()
    assert tally.add(0, 10, 5)
    tally.close(11 * MINUTE - 1, watch, 0, step)
    assert samples(step) == 0
    tally.close(11 * MINUTE, watch, 0, step)
    assert samples(step) == 1
    assert not tally.add(0, 10)


def test_a_few_empty_buckets_are_zeros_and_many_are_missing_data():
    tally, watch, step = counts()
    tally.add(0, 10)
    tally.close(11 * MINUTE, watch, 0, step)
    tally.close(16 * MINUTE, watch, 0, step)
    assert samples(step) == 6
    tally.close((17 + QUIET_BUCKETS_MAX) * MINUTE, watch, 0, step)
    assert samples(step) == 6


def test_what_is_rare_gets_no_model():
    tally, watch, step = counts()
    for bucket in range(10):
        tally.add(code_of(0, TEMPLATE), bucket)
    tally.close(10 * MINUTE, watch, 0, step)
    assert samples(step) == 0
    assert len(watch.table) == 0


def test_there_is_room_for_so_many_and_no_more():
    tally, watch, step = counts()
    for stream in range(101):
        tally.add(code_of(stream, 0), 0)
    tally.close(MINUTE, watch, 0, step)
    assert len(tally.tally.items) == 100
    assert step.stats.counts[Metric.LIMITS_REACHED, ("counted_max",)] == 1


def test_what_is_not_seen_any_more_is_forgotten():
    tally, watch, step = counts()
    tally.add(code_of(0, 0), 0)
    for bucket in range(4000):
        tally.add(code_of(1, 0), bucket)
        tally.close((bucket + 1) * MINUTE, watch, 0, step)
    assert set(tally.tally.items) == {code_of(1, 0)}
    assert len(watch.table) == 1


def test_a_saved_tally_is_the_same():
    tally, watch, step = counts()
    for bucket in range(5):
        tally.add(code_of(0, 0), bucket)
    tally.close(3 * MINUTE, watch, 0, step)
    other, _, _ = counts()
    other.restore(tally.snapshot())
    assert msgspec.to_builtins(other.tally, str_keys=True) == msgspec.to_builtins(tally.tally, str_keys=True)


# ------------------------------------------------------------------------------------------------ templates
def logins(minutes: int, merge_at: int) -> list:
    """Two users until `merge_at`, then many: the templates of single users become one."""
    log = []
    for minute in range(minutes):
        names = NAMES[:2] if minute < merge_at else NAMES
        lines = [
            ({"service": "auth"}, minute * 60.0 + k, 9, f"user {name} logged in from 10.0.0.{k}")
            for k, name in enumerate(names * (40 // len(names)))
        ]
        log.append(record(minute, minute * 60.0, l=lines))
    return log


def test_templates_that_merge_are_counted_together_and_alarm_nobody():
    shard = machine()
    outputs, _ = play(shard, logins(120, 60))
    assert alerts(outputs) == []
    totals = {what_of(code): item.total for code, item in shard._lines._counts.tally.items.items()}
    assert len(totals) == 2
    assert len(set(totals.values())) == 1  # all lines of the stream are lines of the one template


def test_merging_does_not_depend_on_cuts():
    log = logins(100, 50)
    assert play(machine(), log)[0] == play(machine(), log, [1, 49, 50, 51, 52, 70])[0]


# ------------------------------------------------------------------------------------------------ first sightings
def test_new_things_mean_less_where_new_things_are_usual():
    day = 86_400_000_000_000
    quiet, lively = Births(0), Births(0)
    for k in range(100):
        lively.born(k * day // 100)
    assert quiet.interval_seconds(day) > 10 * lively.interval_seconds(day)


def test_births_before_the_warm_up_has_ended_do_not_count():
    births = Births(1000)
    births.born(10)
    assert births.births == 0


def test_news_of_information_makes_no_error_ordinary():
    day = 86_400_000_000_000
    news = News(0)
    for k in range(50):
        news.born(0, k * day // 50)
    assert news.interval_seconds(2, day) == 86_400.0
    assert news.interval_seconds(0, day) < 3600.0
    news.born(2, day // 2)
    assert news.interval_seconds(0, day) < news.interval_seconds(1, day) == news.interval_seconds(2, day) < 86_400.0


def test_the_severe_is_more_telling():
    assert line_score(17, 86_400.0) > line_score(13, 86_400.0) > 1.0 > line_score(9, 86_400.0)


def test_a_line_of_information_is_told_only_when_it_is_suddenly_frequent():
    assert fresh_score(Fresh(0, 0, 86_400.0, 0, lines=30, severity=9), 100) > 1.0
    assert fresh_score(Fresh(0, 0, 86_400.0, 0, lines=30, severity=9), 10_000) < 1.0


def test_one_fatal_line_is_enough():
    assert fresh_score(Fresh(0, 0, 86_400.0, 0, lines=1, severity=21), 100) > 1.0
    assert fresh_score(Fresh(0, 0, 86_400.0, 0, lines=1, severity=17), 100) == 0.0


def test_a_template_that_was_forgotten_and_is_back_goes_on_with_its_series():
    """Another code, the same series: one item, with what it counted before; and nothing is kept of a series that is dropped."""
    tally, watch, step = counts()
    tally._describe = lambda _: series_of(1)
    first = tally.item(code_of(0, TEMPLATE + 1), step)
    first.total = 7
    assert tally.item(code_of(0, TEMPLATE + 9), step) is first
    assert list(tally.tally.items) == [code_of(0, TEMPLATE + 9)] == [tally.code_of(series_of(1).key)]
    tally.drop(code_of(0, TEMPLATE + 9), watch, 0, step)
    assert tally.code_of(series_of(1).key) is None


def test_what_is_forgotten_is_not_counted():
    tally, _, step = counts()
    tally._describe = lambda _: None
    assert tally.item(code_of(0, TEMPLATE), step) is None
    assert tally.tally.items == {}
