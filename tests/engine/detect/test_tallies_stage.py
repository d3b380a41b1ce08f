"""Objectives and ratios: what is counted of the counters of a shard, told by the minute, and scored."""

from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest
from detect_world import alerts, machine, ns, play, record, tallies
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.slo import Ratio, Slo
from engine.config.tree import Detect
from engine.detect.tallies import BUCKET_NS, Tallies
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Snapshot, StepStats
from engine.records import Series

REQUESTS = "http_requests_total"
SLO = Slo(
    name="cart-answers",
    entity="cart",
    objective=0.99,
    total=f'{REQUESTS}{{service="cart"}}',
    errors=f'{REQUESTS}{{service="cart",code=~"5.."}}',
)
FAST = Slo(name="cart-fast", entity="cart", objective=0.95, series='latency{service="cart"}', at_most=0.3)
QUICK = Detect(warm_up=600.0, samples_min=10)


def shop(minutes: int, *, fails_from: int = 10**9, seed: int = 0, services=("cart", "users")):
    """A record each 15 s: 100 requests of each service, of which 1 fails, 20 later on."""
    rng = random.Random(seed)
    counters: dict[tuple[str, str], float] = {}
    log = []
    for n in range(minutes * 4):
        at = 15.0 * n
        samples = []
        for service in services:
            bad = 20 if at >= 60 * fails_from else 1
            for code, grown in (("200", 100 - bad), ("503", bad)):
                counters[service, code] = counters.get((service, code), 1000.0 * (code == "200")) + grown
                labels = {"service": service, "code": code}
                samples.append((REQUESTS, labels, at, counters[service, code]))
            samples.append(("latency", {"service": service}, at, rng.choice([0.1, 0.2, 0.4])))
        log.append(record(n, at, s=samples))
    return log


def test_each_minute_of_an_objective_is_told_once_and_sums_to_what_was_counted():
    outputs, _ = play(machine(slos=[SLO]), shop(20))
    told = tallies(outputs)
    assert [t.bucket_ns for t in told] == sorted({t.bucket_ns for t in told})
    whole = told[1:]  # a first value says nothing
    assert {(t.bad, t.total, t.slo, t.domain) for t in whole} == {(4.0, 400.0, "cart-answers", "default")}
    assert all(t.ts_ns >= t.bucket_ns + BUCKET_NS for t in told)


def test_samples_beyond_a_limit_are_bad_ones():
    log = [record(n, 15.0 * n, s=[("latency", {"service": "cart"}, 15.0 * n, 0.5 if n % 4 == 0 else 0.3)]) for n in range(40)]
    told = tallies(play(machine(slos=[FAST]), log)[0])
    assert {(t.bad, t.total) for t in told[1:]} == {(1.0, 4.0)}


def test_lines_are_counted_too():
    slo = Slo(
        name="logs",
        entity="cart",
        objective=0.9,
        total='log_lines{service="cart",template=""}',
        errors='log_errors{service="cart"}',
    )
    log = [record(n, 6.0 * n, l=[({"service": "cart"}, 6.0 * n, 17 if n % 5 == 0 else 9, "it went wrong")]) for n in range(600)]
    told = tallies(play(machine(QUICK, slos=[slo]), log)[0])
    assert len(told) > 5
    assert {(t.bad, t.total) for t in told[-5:]} == {(2.0, 10.0)}


def test_histogram_buckets_that_have_no_series_of_their_own_are_counted():
    slo = Slo(name="fast", entity="cart", objective=0.9, total="took_seconds_count", good='took_seconds_bucket{le="0.3"}')
    log = []
    for n in range(80):
        counts = {"0.1": 5.0 * n, "0.3": 9.0 * n, "+Inf": 10.0 * n}
        samples = [("took_seconds_bucket", {"service": "cart", "le": le}, 15.0 * n, count) for le, count in counts.items()]
        log.append(record(n, 15.0 * n, s=[*samples, ("took_seconds_count", {"service": "cart"}, 15.0 * n, 10.0 * n)]))
    told = tallies(play(machine(slos=[slo]), log)[0])
    assert {(t.bad, t.total) for t in told[1:]} == {(4.0, 40.0)}


def test_the_first_error_of_a_kind_counts():
    log = shop(20)
    late = [record(len(log), 1200.0, s=[(REQUESTS, {"service": "cart", "code": "500"}, 1200.0, 7.0)])]
    rest = [record(len(log) + n, 1200.0 + 15.0 * n, s=[("other", {}, 1200.0 + 15.0 * n, 1.0)]) for n in range(1, 20)]
    told = tallies(play(machine(slos=[SLO]), log + late + rest)[0])
    assert (told[-1].bad, told[-1].total) == (
        3 + 7,
        300 + 7,
    )  # the minute's last sample is that at 20:00, which holds the new kind's first


def test_a_ratio_is_a_series_of_each_entity_and_is_scored():
    ratio = Ratio(name="http_error_ratio", part=f'{REQUESTS}{{code=~"5.."}}', whole=REQUESTS)
    shard = machine(QUICK, ratios=[ratio])
    outputs, _ = play(shard, shop(120, fails_from=100))
    told = {a.series: a for a in alerts(outputs) if a.name == "http_error_ratio"}
    assert set(told) == {'http_error_ratio{service="cart"}', 'http_error_ratio{service="users"}'}
    cart = told['http_error_ratio{service="cart"}']
    assert cart.entity == "cart"
    assert cart.value == pytest.approx(0.2)
    assert cart.expected == pytest.approx(0.01, rel=0.1)


def test_a_ratio_of_few_events_is_not_told():
    ratio = Ratio(name="http_error_ratio", part=f'{REQUESTS}{{code=~"5.."}}', whole=REQUESTS, whole_min=1000)
    shard = machine(QUICK, ratios=[ratio])
    play(shard, shop(20))
    assert b"http_error_ratio" not in shard.snapshot().columns["table.keys_arena"].tobytes()


BLOCKS = {"slos": [SLO, FAST], "ratios": [Ratio(name="ratio", part=f'{REQUESTS}{{code=~"5.."}}', whole=REQUESTS)]}


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 5), st.lists(st.integers(0, 160), max_size=5))
def test_the_same_log_counts_the_same_however_it_is_cut(seed, cuts):
    log = shop(40, seed=seed)
    assert play(machine(**BLOCKS), log)[0] == play(machine(**BLOCKS), log, cuts)[0]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 160))
def test_a_restored_shard_counts_on(cut):
    log = shop(40)
    first = machine(**BLOCKS)
    head, _ = play(first, log[:cut])
    second = machine(**BLOCKS)
    second.restore(copied(first.snapshot()))
    assert head + play(second, log[cut:])[0] == play(machine(**BLOCKS), log)[0]


def copied(saved: Snapshot) -> Snapshot:
    return Snapshot(msgspec.json.decode(msgspec.json.encode(saved.meta)), {k: v.copy() for k, v in saved.columns.items()})


def test_an_objective_that_is_new_or_gone_leaves_the_others_and_the_models_as_they_are():
    log = shop(40)
    first = machine(slos=[SLO])
    play(first, log[:80])
    second = machine(slos=[FAST, SLO])
    second.restore(copied(first.snapshot()))
    told = tallies(play(second, log[80:])[0])
    assert {(t.bad, t.total) for t in told if t.slo == "cart-answers"} == {(4.0, 400.0)}
    assert {t.total for t in [t for t in told if t.slo == "cart-fast"][1:]} == {4.0}
    third = machine()
    third.restore(copied(first.snapshot()))
    assert tallies(play(third, log[80:])[0]) == []


@pytest.mark.parametrize("name", ["rows", "sums", "saved"])
def test_torn_counts_are_refused(name):
    shard = machine(slos=[SLO])
    play(shard, shop(5))
    saved = shard.snapshot()
    with pytest.raises(StateError):
        machine(slos=[SLO]).restore(
            Snapshot(saved.meta, {**saved.columns, f"tallies.{name}": saved.columns[f"tallies.{name}"][:-3]})
        )


def test_what_is_silent_for_a_day_is_forgotten_and_its_ratio_with_it():
    log = shop(5)
    day = [record(len(log) + n, 300.0 + 3600.0 * n, s=[("other", {}, 300.0 + 3600.0 * n, 1.0)]) for n in range(1, 30)]
    shard = machine(**BLOCKS)
    play(shard, log)
    assert b"users" in shard.snapshot().columns["tallies.saved"].tobytes()
    play(shard, day)
    saved = shard.snapshot().columns["tallies.saved"].tobytes()
    assert b"users" not in saved
    assert b"503" not in saved


def test_the_series_that_are_counted_are_bounded(monkeypatch):
    monkeypatch.setattr("engine.detect.tallies.SERIES_MAX", 3)
    counted = Tallies([Slo(name="all", entity="x", objective=0.9, total="a", errors='a{b="c"}')])
    stats = StepStats()
    keys = [b'a{n="%d"}' % n for n in range(5)]
    about = {key: Series(key=key, name="a", labels=(("n", str(n)),), entity="") for n, key in enumerate(keys)}
    counted.take(keys, np.full(5, ns(0), np.int64), np.ones(5), about.__getitem__, stats)
    assert stats.counts[Metric.LIMITS_REACHED, ("tally_series_max",)] == 2
