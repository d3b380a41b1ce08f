"""Histograms in a shard: what is derived of them, alerts on a quantile, cuts, restores, limits and rules."""

import math

import numpy as np
import otlp_world
import pytest
from detect_world import SHARD, SOURCE, PartsCodec, alerts, machine, ns, play, record
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.codecs import build_codec
from detectors.histograms import COUNT, SUM
from detectors.kernel import JIT
from detectors.naive_histograms import derived
from engine.config.tree import Detect, Format, Rule, Source
from engine.detect.catalog import SourceCatalog
from engine.detect.distributions import part_of
from engine.detect.histograms import Store, lay, thinned
from engine.detect.stage import DetectMachine
from engine.metrics import Metric
from engine.ports import StepStats
from engine.records import Record, Series, ValueKind, series_key

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
LES = (*BOUNDS, math.inf)
QUICK = Detect(false_alarm_every=3600.0, warm_up=600.0, samples_min=20, recover=3)
NAME = "rpc_seconds"
TOLD_NS = 1_795_218_880_000_000_000


def text(upper):
    return "+Inf" if math.isinf(upper) else repr(upper)


class Service:
    """Counts latencies as a client library does."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.counts, self.total = np.zeros(len(LES)), 0.0

    def serve(self, requests=120, center=-2.0):
        values = self.rng.lognormal(center, 0.6, requests)
        self.counts += np.histogram(values, [-np.inf, *LES])[0]
        self.total += float(values.sum())

    def restart(self):
        self.counts[:], self.total = 0.0, 0.0

    def classic(self, at, name=NAME, **labels):
        labels = {"service": "cart", **labels}
        reached = np.cumsum(self.counts).tolist()
        buckets = [(f"{name}_bucket", {**labels, "le": text(le)}, at, n) for le, n in zip(LES, reached, strict=True)]
        return [*buckets, (f"{name}_sum", labels, at, self.total), (f"{name}_count", labels, at, reached[-1])]

    def whole(self, at, name="native_seconds"):
        return [(name, {"service": "cart"}, at, list(BOUNDS), self.counts.tolist(), self.total)]


def busy(seed, n=120):
    """Scrapes of two histograms in both forms: split over records, out of order, with restarts, holes and a slow spell."""
    rng = np.random.default_rng(seed)
    services, log = [Service(seed), Service(seed + 1)], []
    for i in range(n):
        at = i * 15.0
        for number, service in enumerate(services):
            if rng.random() < 0.02:
                service.restart()
            service.serve(int(rng.integers(0, 200)), -0.5 if number and 60 < i < 90 else -2.0)
            parts = [part for part in service.classic(at, zone=str(number)) if rng.random() > 0.01]
            rng.shuffle(parts)
            cut = int(rng.integers(0, len(parts)))
            log.append(record(len(log), at, s=parts[:cut], d=service.whole(at, f"native{number}_seconds")))
            log.append(
                record(len(log), at + 1.0, s=[*parts[cut:], ("cpu", {"service": "cart"}, at + number, 0.5 + rng.random())])
            )
    return log


def derived_points(log, config=QUICK, cuts=()):
    """(name, seconds, value) of all that was scored in a shard and does not come in its log."""
    shard, found = machine(config), []
    known = shard._watch.samples

    def spy(row, keys, ts_ns, raw, describe, step):
        found.extend(
            (key.decode(), at, value)
            for key, at, value in zip(keys, ts_ns.tolist(), raw.tolist(), strict=True)
            if b"." in key.partition(b"{")[0]
        )
        known(row, keys, ts_ns, raw, describe, step)

    shard._watch.samples = spy
    outputs, stats = play(shard, log, cuts)
    return found, outputs, stats, shard


def test_a_classic_histogram_gives_its_mean_and_quantiles_and_no_bucket_is_scored():
    service, log = Service(1), []
    before, expected = None, {}
    for i in range(30):
        service.serve()
        log.append(record(i, i * 15.0, s=service.classic(i * 15.0)))
        now = {**dict(zip(LES, np.cumsum(service.counts).tolist(), strict=True)), "sum": service.total}
        if before:
            said = derived(0, {place: now[place] - before[place] for place in now}, 15.0)
            values = (said.mean, *said.quantiles)
            expected |= {
                (f"{NAME}.{what}", ns(i * 15.0)): v for what, v in zip(("mean", "p50", "p90", "p99"), values, strict=True)
            }
        before = now
    found, _, stats, shard = derived_points(log)
    told = {(key.partition("{")[0], at): value for key, at, value in found}
    assert len(told) == len(found) > 4 * 20
    assert told == {place: expected[place] for place in told}
    assert {key for key, _, _ in found} == {f'{NAME}.{what}{{service="cart"}}' for what in ("mean", "p50", "p90", "p99")}
    names = {series.name for _, series in shard._watch.table.all()}
    assert names == {f"{NAME}_sum", f"{NAME}_count", *(f"{NAME}.{what}" for what in ("mean", "p50", "p90", "p99"))}
    assert len(shard._watch.table) == 6
    assert stats.counts[Metric.HISTOGRAM_SAMPLES, ()] == 30 * 9


def test_a_whole_histogram_gives_its_rate_too():
    service, log = Service(1), []
    for i in range(30):
        service.serve()
        log.append(record(i, i * 15.0, d=service.whole(i * 15.0)))
    found, _, _, _ = derived_points(log)
    assert [value for key, _, value in found if ".rate" in key] == pytest.approx([8.0] * 29, abs=1e-9)
    assert {key.partition("{")[0] for key, _, _ in found} == {
        f"native_seconds.{w}" for w in ("rate", "mean", "p50", "p90", "p99")
    }


def test_a_sum_and_a_count_alone_give_a_mean():
    log, labels = [], {"service": "cart"}
    for i in range(20):
        at = i * 15.0
        log.append(record(i, at, s=[("gc_seconds_count", labels, at, 20.0 * i), ("gc_seconds_sum", labels, at, 5.0 * i)]))
    found, _, _, _ = derived_points(log)
    assert {(key, value) for key, _, value in found} == {('gc_seconds.mean{service="cart"}', 0.25)}


def test_a_slow_spell_is_told_of_a_quantile_or_the_mean():
    service, log = Service(3), []
    for i in range(240):
        service.serve(center=-0.7 if i > 200 else -2.0)
        log.append(record(i, i * 15.0, s=service.classic(i * 15.0)))
    outputs, _ = play(machine(QUICK), log)
    named = {alert.series for alert in alerts(outputs)}
    assert named
    assert all(f"{NAME}." in str(name) or f"{NAME}_sum" in str(name) for name in named)


def test_quantiles_that_are_missing_for_want_of_values_are_no_gap():
    service, log = Service(3), []
    for i in range(300):
        service.serve(requests=120 if i < 200 else 5)
        log.append(record(i, i * 15.0, s=service.classic(i * 15.0)))
    outputs, _ = play(machine(QUICK), log)
    assert not [alert for alert in alerts(outputs) if alert.kind == "gap"]


@settings(max_examples=10 if JIT else 1, deadline=None)
@given(st.integers(0, 5), st.lists(st.integers(0, 480), max_size=6))
def test_the_cut_changes_nothing(seed, cuts):
    log = busy(seed)
    whole, cut = machine(QUICK), machine(QUICK)
    assert play(whole, log)[0] == play(cut, log, cuts)[0]
    _same(whole.snapshot(), cut.snapshot())


def test_neither_does_a_cut_between_two_numbers_of_the_first_scrapes():
    """Buckets come in any order, and sums before the buckets that make histograms of them."""
    rng, service, log = np.random.default_rng(5), Service(5), []
    for i in range(8):
        service.serve()
        parts = service.classic(i * 15.0)
        rng.shuffle(parts)
        log += [record(len(log) + n, i * 15.0, s=[part]) for n, part in enumerate(parts)]
    whole = machine(QUICK)
    expected = play(whole, log)[0]
    for cuts in (range(len(log)), *([cut] for cut in range(1, 12))):
        cut = machine(QUICK)
        assert play(cut, log, cuts)[0] == expected
        _same(whole.snapshot(), cut.snapshot())


@pytest.mark.parametrize("at", [1, 2, 77, 200, 333])
def test_a_shard_that_was_restored_goes_on_as_if_nothing_had_happened(at):
    log = busy(at)
    whole, first = machine(QUICK), machine(QUICK)
    expected = play(whole, log[:at])[0] + play(whole, log[at:])[0]
    before = play(first, log[:at])[0]
    second = machine(QUICK)
    second.restore(first.snapshot())
    assert before + play(second, log[at:])[0] == expected
    _same(whole.snapshot(), second.snapshot())


def _same(one, other):
    assert one.meta == other.meta
    assert one.columns.keys() == other.columns.keys()
    for name, column in one.columns.items():
        assert column.tobytes() == other.columns[name].tobytes(), name


def test_a_rule_scores_buckets_by_themselves():
    service, log = Service(1), []
    for i in range(20):
        service.serve()
        log.append(record(i, i * 15.0, s=service.classic(i * 15.0)))
    config = QUICK.model_copy(update={"rules": [Rule(match="*_bucket", derive=False)]})
    found, _, _, shard = derived_points(log, config)
    assert {key for key, _, _ in found} == {f'{NAME}.mean{{service="cart"}}'}
    assert len(shard._watch.table) == len(LES) + 3


def test_a_rule_that_changes_while_the_shard_is_down_is_followed():
    log = busy(7)
    first = machine(QUICK)
    play(first, log[:200])
    second = machine(QUICK.model_copy(update={"rules": [Rule(match="rpc_seconds_bucket", derive=False)]}))
    second.restore(first.snapshot())
    play(second, log[200:])
    assert sum(series.name == f"{NAME}_bucket" for _, series in second._watch.table.all()) == 2 * len(LES)


def test_histograms_have_a_limit_and_the_rest_goes_on():
    config = QUICK.model_copy(update={"series_max": 64})  # four histograms
    log = []
    for i in range(20):
        service, at = Service(1), i * 15.0
        for _ in range(i + 1):
            service.serve()
        log.append(record(i, at, s=[part for n in range(6) for part in service.classic(at, zone=str(n))]))
    shard = machine(config)
    _, stats = play(shard, log)
    assert stats.counts[Metric.LIMITS_REACHED, ("histograms_max",)] > 0
    assert len(shard._watch.distributions._classic) == 4


def test_what_was_silent_for_long_gives_its_place_back():
    config = QUICK.model_copy(update={"idle_after": 300.0})
    service, log = Service(1), []
    for i in range(10):
        service.serve()
        log.append(record(i, i * 15.0, s=service.classic(i * 15.0), d=service.whole(i * 15.0)))
    log += [record(10 + i, 150.0 + i * 15.0, s=[("cpu", {}, 150.0 + i * 15.0, 1.0)]) for i in range(60)]
    shard = machine(config)
    play(shard, log)
    distributions = shard._watch.distributions
    assert (len(distributions._classic), len(distributions._whole), len(distributions._halves)) == (0, 0, 0)
    assert len(shard._watch.table) == 1
    assert (b"cpu" in shard._watch.table, len(shard._watch.table)) == (True, 1)


def test_a_histogram_of_many_buckets_is_thinned_and_one_of_other_bounds_is_laid_over_what_is_known():
    bounds, counts = thinned([float(n) for n in range(200)], [1.0] * 201)
    assert len(counts) == len(bounds) + 1 <= 64
    assert sum(counts) == 201.0
    store = Store(4)
    group = store.add(Series(key=b"x", name="x", labels=(), entity=""))
    lay(store, group, [1.0, 2.0, 4.0])
    row = store.rows[:1]
    row["before"][0, :4], row["had"][0, :4] = (5.0, 5.0, 9.0, 9.0), 1
    lay(store, group, [0.5, 1.5, 2.0, 3.0, 4.0, 8.0])
    assert row["had"][0, :7].tolist() == [0, 1, 1, 0, 1, 1, 1]
    assert row["before"][0, :7].tolist() == [0.0, 5.0, 5.0, 0.0, 9.0, 9.0, 9.0]


@pytest.mark.parametrize(
    ("name", "le", "kind"),
    [
        ("x_bucket", "", ValueKind.COUNTER),
        ("x_bucket", "wide", ValueKind.COUNTER),
        ("x_bucket", "nan", ValueKind.COUNTER),
        ("x_bucket", "1", ValueKind.GAUGE),
        ("_bucket", "1", ValueKind.COUNTER),
        ("_sum", "", ValueKind.COUNTER),
        ("thread_count", "", ValueKind.GAUGE),
    ],
)
def test_what_only_looks_like_a_part_of_a_histogram_is_none(name, le, kind):
    labels = (("le", le),) if le else ()
    assert part_of(Series(key=series_key(name, labels), name=name, labels=labels, entity="", kind=kind)) is None


@pytest.mark.parametrize("ending", ["_sum", "_count", ".sum", ".count"])
def test_sums_and_counts_are_known_as_prometheus_and_as_our_codecs_call_them(ending):
    series = Series(key=b"", name=f"gc_seconds{ending}", labels=(("a", "b"),), entity="", kind=ValueKind.COUNTER)
    part = part_of(series)
    assert part is not None
    assert (part.key, part.place) == (series_key("gc_seconds", series.labels), SUM if "sum" in ending else COUNT)


@pytest.mark.parametrize(
    ("form", "body"),
    [(Format.OTLP_METRICS, otlp_world.metrics().SerializeToString()), (Format.OTLP_METRICS_JSON, otlp_world.METRICS_JSON)],
)
def test_histograms_of_opentelemetry_are_taken_like_all_others(form, body):
    source = Source(name="shop", topics=["in"], format=form)
    catalog = SourceCatalog(source)
    whole = Record("in", 0, 0, TOLD_NS, None, body)
    expected = build_codec(source).decode([whole], catalog).distributions
    shard = DetectMachine(SHARD, codec=build_codec(source), catalog=catalog, source=source, config=QUICK)
    play(shard, [whole])
    taken = [group.series.key for group in shard._watch.distributions._whole.all()]
    assert taken == [part.key for part in expected] != []


def test_a_time_that_is_not_believed_is_refused_with_its_histogram():
    service, log = Service(1), []
    for i in range(10):
        service.serve()
        log.append(record(i, i * 15.0, d=service.whole(i * 15.0 + (400.0 if i == 5 else 0.0))))
    shard = DetectMachine(SHARD, codec=PartsCodec(), catalog=SourceCatalog(SOURCE), source=SOURCE, config=QUICK)
    _, stats = play(shard, log)
    assert stats.counts[Metric.RECORDS_REJECTED, ("in", "future_time")] == 1
    assert stats.counts[Metric.HISTOGRAM_SAMPLES, ()] == 9
    assert isinstance(stats, StepStats)
