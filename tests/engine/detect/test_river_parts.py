"""Laws of river beside our own detectors: named, bounded, shown; in the score only when asked; never in a snapshot."""

from __future__ import annotations

import numpy as np
import pytest
from detect_world import alerts, machine, play, record

from engine.config.load import parse_config
from engine.config.river import River, RiverPart
from engine.config.tree import Detect
from engine.errors import ConfigError
from engine.metrics import Metric
from engine.records import AlertState

MINUTES = 600
FAULT = 500
SCORER = RiverPart(use="standard_absolute_deviation", match="lat*")
TREES = RiverPart(use="half_space_trees", match="*", over="entity", params={"seed": 1, "window_size": 100, "n_trees": 10})


def log(services: int = 1, times: float = 1.5):
    """Two metrics of each service, a sample a minute; from FAULT on both of the first service are `times` what they were."""
    rng = np.random.default_rng(1)
    value = rng.normal(100.0, 3.0, (MINUTES, services, 2))
    value[FAULT:, 0] *= times
    return [
        record(
            n,
            n * 60.0,
            s=[
                (name, {"service": f"s{s}"}, n * 60.0, float(value[n, s, k]))
                for s in range(services)
                for k, name in enumerate(("latency", "load"))
            ],
        )
        for n in range(MINUTES)
    ]


def told(*parts: RiverPart, records=None, **limits: int):
    """Alerts by name, and the counts, of a shard with these parts."""
    outputs, stats = play(machine(Detect(river=River(parts=list(parts), **limits))), records or log())
    return alerts(outputs), stats


@pytest.mark.parametrize(
    "part", [SCORER, TREES, RiverPart(use="adwin", match="latency", params={"clock": 4})], ids=lambda p: p.use
)
def test_what_a_part_says_is_a_factor_and_changes_nothing_else(part):
    plain, _ = told()
    found, stats = told(part)
    assert stats.counts[Metric.RIVER_CALLS, (part.use,)] > 0.9 * (MINUTES - 60)
    assert [(a.state, a.score, a.ts_ns) for a in found] == [(a.state, a.score, a.ts_ns) for a in plain]
    factor = f"river.{part.use}"
    assert any(factor in alert.factors for alert in found), [a.factors for a in found]
    assert not any(key.startswith("river.") for alert in plain for key in alert.factors)


def test_only_metrics_that_match_are_looked_at():
    found, _ = told(SCORER)
    assert all(alert.name == "latency" for alert in found if any(key.startswith("river.") for key in alert.factors))


def test_a_part_with_a_weight_raises_the_score():
    plain, _ = told(SCORER)
    weighed, _ = told(SCORER.model_copy(update={"weight": 1.0}))

    def peak(found):
        return max(a.peak_score for a in found if a.name == "latency" and a.state is AlertState.FIRING)

    assert peak(weighed) > peak(plain) + 0.2


def test_objects_and_calls_have_a_maximum_that_is_counted():
    records = log(services=5)
    _, stats = told(SCORER, records=records, objects_max=2)
    assert stats.counts[Metric.LIMITS_REACHED, ("river_objects_max",)] == 3
    assert stats.counts[Metric.RIVER_CALLS, (SCORER.use,)] <= 2 * MINUTES
    _, stats = told(SCORER, records=records, calls_max=1)
    assert stats.counts[Metric.LIMITS_REACHED, ("river_calls_max",)] > 0
    assert stats.counts[Metric.RIVER_CALLS, (SCORER.use,)] <= MINUTES


def test_it_looks_no_more_often_than_it_was_told():
    _, stats = told(SCORER.model_copy(update={"every": 300.0}))
    assert stats.counts[Metric.RIVER_CALLS, (SCORER.use,)] <= MINUTES // 5


def test_the_same_however_the_log_is_cut():
    config, records = Detect(river=River(parts=[SCORER, TREES])), log()
    whole, _ = play(machine(config), records)
    parts, _ = play(machine(config), records, range(0, MINUTES, 7))
    assert whole == parts


def test_after_a_restore_it_learns_anew_and_says_nothing_meanwhile():
    config, records = Detect(river=River(parts=[SCORER])), log()
    first, second = machine(config), machine(config)
    play(first, records[: FAULT - 20])
    saved = first.snapshot()
    assert not any("river" in name for name in saved.columns)
    second.restore(saved)
    outputs, stats = play(second, records[FAULT - 20 :])
    assert stats.counts[Metric.RIVER_CALLS, (SCORER.use,)] > 0
    found = alerts(outputs)
    assert found
    assert not any(key.startswith("river.") for alert in found for key in alert.factors)


@pytest.mark.parametrize(
    ("part", "place", "words"),
    [
        ("{use: adwim, match: x}", "use", "did you mean adwin?"),
        ("{use: os.system, match: x}", "use", "no detector of river"),
        ("{use: adwin, match: x, params: {delta: 2}}", "params", "from 1e-09 to 0.5"),
        ("{use: loda, match: x, params: {code: 1}}", "params", "no parameter 'code'"),
        ("{use: adwin, match: x, over: entity}", "over", "one number at a time"),
        ("{use: adwin, match: x, every: 1s}", "every", "10"),
    ],
)
def test_what_cannot_be_is_said_before_it_runs(part, place, words):
    with pytest.raises(ConfigError) as caught:
        parse_config(f"detect:\n  river:\n    parts: [{part}]\n".encode(), {})
    found = {complaint.path: str(complaint) for complaint in caught.value.complaints}
    assert any(path.endswith(place) and words in text for path, text in found.items()), found
