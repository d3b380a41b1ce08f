"""Spans become rates, shares of errors and durations of each operation; and edges between those that call each other."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from detect_world import SHARD, edges, machine, ns, play, record
from hypothesis import given
from hypothesis import strategies as st

from engine.config.tree import Detect
from engine.detect.dependencies import Dependencies
from engine.detect.durations import BOUNDS, place_of, quantile
from engine.detect.spans import CELLS_MAX, OPERATIONS_MAX, RATIO_MIN, WAITING_MAX, Spans
from engine.metrics import Metric
from engine.ports import StepStats
from engine.records import AnomalyKind, Span

CONFIG = Detect(count_bucket=30.0, log_lateness=30.0, warm_up=600.0, samples_min=20, false_alarm_every=3600.0)


def span(
    service="cart", operation="GET /", kind="server", at=0.0, seconds=0.1, error=False, trace="t", own="a", parent="", peer=""
):
    return service, operation, kind, at, seconds, error, trace, own, parent, peer


def series_of(shard):
    return {series.key.decode(): slot for slot, series in shard._watch.table.all()}


# ------------------------------------------------------------------------------------------------ durations
@given(st.lists(st.floats(1e-6, 80_000.0), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99]))
def test_quantiles_lie_within_an_eighth_of_an_octave(values, share):
    found = quantile(Counter(map(place_of, values)), share)
    true = sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]
    assert true / 2**0.126 <= found <= true * 2**0.126


def test_bounds_ascend_and_everything_has_a_place():
    assert all(a < b for a, b in pairwise(BOUNDS))
    assert [place_of(value) for value in (0.0, 1.0, 1e9)] == [0, BOUNDS.index(1.0), len(BOUNDS) - 1]


# ------------------------------------------------------------------------------------------------ series
def steady(n=200, each=40, fail=range(0), slow=range(0)):
    """A record each ten seconds."""
    rng = np.random.default_rng(3)
    log = []
    for i in range(n):
        spans = [
            span(
                at=i * 10.0,
                seconds=float(rng.gamma(2.0, 0.02)) * (6.0 if i in slow else 1.0),
                error=bool(rng.random() < (0.4 if i in fail else 0.01)),
                trace=f"{i}.{k}",
            )
            for k in range(each + int(rng.integers(-3, 4)))
        ]
        log.append(record(i, i * 10.0, p=spans))
    return log


def test_an_operation_has_a_rate_a_share_of_errors_and_durations():
    shard = machine(CONFIG)
    play(shard, steady(60))
    of_all, of_one = '{service="cart"}', '{operation="GET /",service="cart"}'
    names = ["span_rate", "span_error_ratio", "span_seconds.p50", "span_seconds.p90", "span_seconds.p99"]
    assert set(series_of(shard)) == {f"{name}{labels}" for name in names for labels in (of_all, of_one)}


def test_rare_operations_have_no_shares():
    shard = machine(CONFIG)
    play(shard, steady(60, each=3))
    assert {key.partition("{")[0] for key in series_of(shard)} == {"span_rate"}
    assert RATIO_MIN > 3 * 6


@pytest.mark.parametrize(("fault", "name"), [("fail", "span_error_ratio"), ("slow", "span_seconds.p50")])
def test_errors_and_slowness_are_told(fault, name):
    shard = machine(CONFIG)
    outputs, _ = play(shard, steady(420, **{fault: range(350, 420)}))
    told = {alert.name for alert in alerts_of(outputs)}
    assert name in told
    assert "span_rate" not in told


@pytest.mark.parametrize(
    ("fault", "name", "how"), [("fail", "span_error_ratio", "failed after"), ("slow", "span_seconds.p50", "took")]
)
def test_an_alert_names_a_trace_that_shows_it(fault, name, how):
    shard = machine(CONFIG)
    outputs, _ = play(shard, steady(420, **{fault: range(350, 420)}))
    first = next(a for a in alerts_of(outputs) if a.name == name and a.revision == 1 and a.opened_ts_ns >= ns(3480.0))
    word, trace, rest = first.example.split(" ", 2)
    batch, _ = bytes.fromhex(trace).decode().split(".")
    assert (word, first.text) == ("trace", "")
    assert 350 <= int(batch) < 420
    assert rest.startswith(how)
    assert rest.endswith(", cart")


@pytest.mark.parametrize("caller_first", [True, False])
def test_an_exemplar_says_who_called(caller_first):
    spans, edges_, stats = Spans(CONFIG), Dependencies("default"), StepStats()
    call = made(stream=b'log{service="web"}', service="web", kind="client", trace_id=b"t", span_id=b"c")
    served = made(stream=b'log{service="cart"}', trace_id=b"t", span_id=b"s", parent_id=b"c", seconds=2.0, is_error=True)
    other = made(stream=b'log{service="cart"}', trace_id=b"u", span_id=b"s", seconds=1.0)
    feed(spans, [call, served, other] if caller_first else [served, other, call], edges_, stats)
    cells = [cell for cells in spans._saved.open.values() for cell in cells.values() if cell.worst.failed]
    assert {cell.worst.failed.in_words("cart") for cell in cells} == {"trace 74 failed after 2 s, web to cart"}
    assert {cell.worst.slow.trace_id for cell in cells} == {b"t"}


def test_a_service_that_takes_no_request_any_more_is_told():
    log = steady(350) + [record(350 + i, 3500.0 + i * 10.0, p=[span("other", at=3500.0 + i * 10.0)]) for i in range(70)]
    outputs, _ = play(machine(CONFIG), log)
    assert ("span_rate", AnomalyKind.RATE_DOWN) in {(alert.name, alert.kind) for alert in alerts_of(outputs)}


def alerts_of(outputs):
    from detect_world import alerts

    return alerts(outputs)


def test_spans_within_a_service_are_not_counted_and_calls_are_apart():
    shard = machine(CONFIG)
    kinds = [span(kind="internal", parent="p"), span(kind="client", operation="x"), span(kind="internal", operation="job")]
    play(shard, [record(i, i * 10.0, p=[(*k[:3], i * 10.0, *k[4:]) for k in kinds] * 10) for i in range(60)])
    rates = {key for key in series_of(shard) if key.startswith("span_rate")}
    assert rates == {
        'span_rate{kind="client",operation="x",service="cart"}',
        'span_rate{operation="job",service="cart"}',
        'span_rate{service="cart"}',
    }


def test_operations_of_a_service_are_bounded():
    spans = Spans(CONFIG)
    edges_, stats = Dependencies("default"), StepStats()
    feed(spans, [made(operation=f"op {n}") for n in range(3 * OPERATIONS_MAX)], edges_, stats)
    (service,) = spans._saved.services
    assert len(service.operations) <= OPERATIONS_MAX + 1
    assert " other" in service.operations


# ------------------------------------------------------------------------------------------------ bounds
def made(**named):
    base = {"row": 0, "ts_ns": ns(0.0), "stream": b"log", "service": "cart", "operation": "o", "kind": "server", "seconds": 1.0}
    return Span(**{**base, "is_error": False, **named})


def feed(spans, some, edges_, stats):
    from detect_world import SOURCE

    from engine.detect.catalog import SourceCatalog
    from engine.detect.drafts import Drafts
    from engine.detect.points import Step

    spans.take(some, SourceCatalog(SOURCE).describe, edges_, Step(Drafts(), stats, lambda _: None))


def test_spans_that_wait_are_bounded_and_those_that_make_way_call_their_peer():
    spans, edges_ = Spans(CONFIG), Dependencies("default")
    calls = [made(kind="client", trace_id=b"t", span_id=str(n).encode(), peer=f"p{n}") for n in range(WAITING_MAX + 5)]
    feed(spans, calls, edges_, StepStats())
    assert len(spans._saved.waiting) == WAITING_MAX
    assert len(edges_) == 5
    assert CELLS_MAX * 300 < 2**26


# ------------------------------------------------------------------------------------------------ edges
CALL = span("cart", kind="client", own="c", peer="prices.internal")
SERVED = span("prices", kind="server", own="s", parent="c")


def told(records, **config):
    shard = machine(CONFIG)
    outputs, _ = play(shard, records)
    return [(edge.caller, edge.callee, edge.kind) for edge in edges(outputs)]


@pytest.mark.parametrize("order", [[CALL, SERVED], [SERVED, CALL]])
def test_both_ends_of_a_call_meet_whichever_comes_first(order):
    late = [record(n, 20.0 * n, p=[]) for n in range(1, 3)]
    log = [record(0, 0.0, p=order), *late, record(9, 300.0, p=[span(at=300.0)]), record(10, 320.0)]
    assert told(log) == [("cart", "prices", "calls")]


def test_a_call_that_met_nobody_needs_the_peer_that_it_names():
    log = [record(0, 0.0, p=[CALL]), *(record(n, 20.0 * n, p=[span(at=20.0 * n)]) for n in range(1, 12))]
    assert told(log) == [("cart", "prices.internal", "calls")]


def test_an_edge_is_told_once_and_refreshed_every_few_minutes_while_it_is_seen():
    log = [record(i, i * 10.0, p=[(*CALL[:3], i * 10.0, *CALL[4:]), (*SERVED[:3], i * 10.0, *SERVED[4:])]) for i in range(100)]
    outputs, _ = play(machine(CONFIG), log)
    when = [edge.ts_ns for edge in edges(outputs)]
    assert 3 <= len(when) <= 5
    assert min(np.diff(when)) >= 300e9


def test_late_spans_are_counted():
    log = [record(i, i * 10.0, p=[span(at=i * 10.0)]) for i in range(60)]
    log.append(record(60, 600.0, p=[span(at=10.0)]))
    _, stats = play(machine(CONFIG), log)
    assert stats.counts[Metric.SAMPLES_DROPPED, ("late",)] == 1
    assert SHARD.partition == 0
