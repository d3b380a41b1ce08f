"""Laws of the detect machine: pure, cut-invariant, restorable, unharmed by bad input."""

import msgspec
import numpy as np
import pytest
from detect_world import (
    SECOND,
    SHARD,
    alerts,
    dead_letters,
    machine,
    messages,
    metric,
    ns,
    play,
    record,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors.kernel import JIT
from engine.config.tree import Detect, Rule
from engine.errors import Reject, StateError
from engine.metrics import Metric
from engine.ports import Snapshot
from engine.records import ALL_PARTITIONS, AlertState, AnomalyKind, Change, Record, Topic, Watermark

QUICK = Detect(
    false_alarm_every=3600.0,
    warm_up=600.0,
    samples_min=20,
    count_bucket=30.0,
    log_lateness=30.0,
    recover=3,
    adopt_after=1800.0,
    lease=120.0,
)

EXAMPLES = 15 if JIT else 1  # the template miner takes its time when it is not compiled
SEEDS = range(12 if JIT else 3)


def busy_log(seed: int, n: int = 260) -> list[Record]:
    """A log of everything: shifts, spikes, silences, resets, new templates, rare events, late, forged and broken records."""
    rng = np.random.default_rng(seed)
    shift, silent, counter = rng.integers(120, n, 4), rng.integers(120, n, 4), 0.0
    log = []
    for i in range(n):
        at, service = i * 20.0, f"s{i % 3}"
        value = 100.0 + float(rng.normal()) * 3 + (80.0 if shift[i % 3] < i < shift[i % 3] + 60 else 0.0)
        counter = 0.0 if rng.random() < 0.02 else counter + int(rng.integers(50, 60))
        samples = [("requests_total", {"service": "s9"}, at, counter)]
        if not silent[i % 3] < i < silent[i % 3] + 50:
            samples += [(name, {"service": service}, at, value * k) for k, name in enumerate(("a", "b"), 1)]
        if rng.random() < 0.05:
            samples.append(("a", {"service": service}, at - float(rng.integers(1, 400)), 99.0))
        lines = [
            ({"service": service}, at + j, 9, f"served request {rng.integers(1000)} in {rng.integers(90)} ms") for j in range(3)
        ]
        if i > 150 and rng.random() < 0.2:
            lines.append(({"service": service}, at, 17, f"cannot reach {rng.choice(['db', 'cache'])} after {i} tries"))
        events = [("k8s.OOMKilling" if rng.random() < 0.5 else "deploy", service, at, 13, False)] if rng.random() < 0.05 else []
        spans, needs = busy_spans(seed, i, at)
        log.append(record(i, at, s=samples, l=lines, e=events, p=spans, x=needs))
        if rng.random() < 0.03:
            log[-1] = log[-1]._replace(value=b"\xff")
        if rng.random() < 0.01:
            log[-1] = log[-1]._replace(ts_ns=ns(at) + 10**17)
    return log


def busy_spans(seed: int, i: int, at: float) -> tuple[list, list]:
    """Calls between services that fail for a while; some come late, some have no other end, some ends come first."""
    rng = np.random.default_rng((seed, i))
    spans = []
    for n in range(25):
        failing = 150 < i < 190 and rng.random() < 0.5
        trace, when = f"{i}-{n}", at - (float(rng.integers(1, 300)) if rng.random() < 0.02 else 0.0)
        seconds = float(rng.random()) * (0.5 if failing else 0.1)
        ends = [
            ("s0", "call", "client", when, seconds, failing, trace, "a", "", "db"),
            (f"s{n % 3}", f"GET /{n % 2}", "server", when, seconds, failing, trace, "b", "a", ""),
        ]
        spans += ends if rng.random() < 0.5 else ends[::-1]
    return spans, [(f"p{rng.integers(40)}", "node", "runs_on", at)]


# ------------------------------------------------------------------------------------------------ determinism
@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 260), max_size=6))
def test_the_same_log_gives_the_same_outputs_however_it_is_cut(seed, cuts):
    log = busy_log(seed)
    whole, _ = play(machine(QUICK), log)
    parts, _ = play(machine(QUICK), log, cuts)
    assert whole == parts


def test_one_record_at_a_time_is_the_same_as_all_at_once():
    log = busy_log(1)
    assert play(machine(QUICK), log)[0] == play(machine(QUICK), log, range(len(log)))[0]


def test_busy_logs_are_busy():
    seen, said = [], []
    for seed in SEEDS:
        outputs, stats = play(machine(QUICK), busy_log(seed))
        seen += alerts(outputs)
        said += [message for message in messages(outputs) if isinstance(message, Change)]
        assert dead_letters(outputs)
        assert stats.counts[Metric.LINES, ()] > 100
    assert {AnomalyKind.GAP, AnomalyKind.LEVEL_UP, AnomalyKind.SPIKE} <= {alert.kind for alert in seen}
    assert {alert.state for alert in seen} == {AlertState.FIRING, AlertState.UNKNOWN, AlertState.RESOLVED}
    assert len({alert.reason for alert in seen}) >= 5
    assert said


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 260))
@example(19, 154)  # log time steps back while alerts wait to be told again
def test_a_restored_machine_has_the_same_future(seed, cut):
    log = busy_log(seed)
    first = machine(QUICK)
    play(first, log[:cut])
    saved = first.snapshot()
    saved = Snapshot(msgspec.json.decode(msgspec.json.encode(saved.meta)), {k: v.copy() for k, v in saved.columns.items()})
    second = machine(QUICK)
    second.restore(saved)
    assert play(second, log[cut:])[0] + second.finish().outputs == play(first, log[cut:])[0] + first.finish().outputs
    assert_same_snapshot(
        first.snapshot(), second.snapshot(), besides={"bank.rows", "bank.former_rows"}
    )  # numbers of shadows may differ


def assert_same_snapshot(a, b, besides=frozenset()):
    assert a.meta == b.meta
    assert a.columns.keys() == b.columns.keys()
    assert [name for name in a.columns.keys() - besides if a.columns[name].tobytes() != b.columns[name].tobytes()] == []


def test_a_snapshot_is_a_copy():
    shard = machine(QUICK)
    play(shard, busy_log(5)[:200])
    saved = shard.snapshot()
    before = {name: column.tobytes() for name, column in saved.columns.items()}
    play(shard, busy_log(5)[200:])
    assert before == {name: column.tobytes() for name, column in saved.columns.items()}


def test_an_empty_snapshot_is_a_valid_state():
    shard = machine(QUICK)
    shard.restore(machine(QUICK).snapshot())
    assert play(shard, busy_log(7)) == play(machine(QUICK), busy_log(7))


@pytest.mark.parametrize(
    "name",
    [
        "table.rows",
        "table.abouts",
        "table.keys_arena",
        "intake.log",
        "episodes",
        "lines.saved",
        "events.saved",
        "spans.saved",
        "dependencies.edges",
    ],
)
def test_a_torn_snapshot_is_refused_and_changes_nothing(name):
    log = busy_log(11)
    shard, other = machine(QUICK), machine(QUICK)
    play(shard, log)
    saved = shard.snapshot()
    play(other, log[:100])
    before = other.snapshot()
    with pytest.raises(StateError):
        other.restore(Snapshot(saved.meta, {**saved.columns, name: saved.columns[name][:-3]}))
    assert_same_snapshot(before, other.snapshot())


def test_snapshots_of_other_shards_versions_and_buckets_are_refused():
    saved = machine(QUICK).snapshot()
    for meta in ({"shard": "other-1"}, {"version": 0}, {"count_bucket": 1.0}):
        with pytest.raises(StateError):
            machine(QUICK).restore(Snapshot({**saved.meta, **meta}, saved.columns))


def test_no_records_change_nothing():
    shard = machine(QUICK)
    play(shard, busy_log(2)[:100])
    before = shard.snapshot()
    assert shard.step([]).outputs == []
    assert_same_snapshot(before, shard.snapshot())


# ------------------------------------------------------------------------------------------------ outputs
def test_stamps_count_from_zero_for_each_record_in_order():
    log = busy_log(13)
    outputs, _ = play(machine(QUICK), log, [50, 51, 120])
    seen = {}
    for message in messages(outputs):
        place = message.stamp.offset
        assert message.stamp[:2] == tuple(SHARD)
        assert message.stamp.seq >= seen.get(place, 0)
        seen[place] = message.stamp.seq + 1
    stamps = [(message.stamp.offset, message.stamp.seq) for message in messages(outputs)]
    assert stamps == sorted(set(stamps))


def test_nothing_said_is_older_than_the_watermark_before_it():
    told = 0
    for message in messages(play(machine(QUICK), busy_log(17, 500))[0]):
        if isinstance(message, Watermark):
            assert message.ts_ns >= told
            told = message.ts_ns
        elif not isinstance(message, Change):
            assert message.ts_ns >= told


def test_watermarks_go_to_every_partition_and_alerts_to_that_of_their_domain():
    outputs, _ = play(machine(QUICK), busy_log(3, 400))
    for output, message in zip([o for o in outputs if o.topic is Topic.ALERTS], messages(outputs), strict=True):
        wanted = (b"", ALL_PARTITIONS) if isinstance(message, Watermark) else (b"default", None)
        assert (output.key, output.partition) == wanted


def test_the_end_tells_a_final_watermark_once_and_continues_the_numbers_of_the_last_record():
    shard = machine(QUICK)
    log = busy_log(19)
    outputs, _ = play(shard, log)
    end = shard.finish().outputs
    final = messages(end)[-1]
    assert final.final
    assert final.ts_ns == max(ns(i * 20.0) for i in range(len(log)) if log[i].value != b"\xff") + 2 * SECOND
    stamps = [(message.stamp.offset, message.stamp.seq) for message in messages([*outputs, *end])]
    assert stamps == sorted(set(stamps))


def test_the_end_of_nothing_is_nothing():
    assert machine().finish().outputs == []


def test_every_alert_of_an_occurrence_has_its_id_and_the_next_revision():
    revisions = {}
    for seed in SEEDS:
        told = {}
        for alert in alerts(play(machine(QUICK), busy_log(seed))[0]):
            assert alert.revision == told.get(alert.id, 0) + 1
            told[alert.id] = alert.revision
        revisions |= {(seed, key): last for key, last in told.items()}
    assert len(revisions) > 2 * len(SEEDS)
    assert max(revisions.values()) > 3


def test_events_are_passed_on_as_changes():
    outputs, _ = play(machine(), [record(0, 0.0, e=[("deploy", "cart", 0.0, 9, True), ("k8s.Killing", "cart", 0.0, 13, False)])])
    changes = [message for message in messages(outputs) if isinstance(message, Change)]
    assert [(c.name, c.entity, c.is_change, c.stamp.seq) for c in changes] == [
        ("deploy", "cart", True, 0),
        ("k8s.Killing", "cart", False, 1),
    ]
    assert len({c.id for c in changes}) == 2


# ------------------------------------------------------------------------------------------------ bad input
def good(n: int) -> list[Record]:
    return [metric(i, i * 10.0, 5.0) for i in range(n)]


BAD = {
    Reject.MALFORMED: lambda r: r._replace(value=b"{"),
    Reject.TOO_LARGE: lambda r: r._replace(value=b" " * 100_001),
    Reject.NOT_FINITE: lambda r: record(r.offset, 10.0 * r.offset, s=[("x", {}, 10.0 * r.offset, 1e15)]),
    Reject.FUTURE_TIME: lambda r: record(r.offset, 10.0 * r.offset, s=[("x", {}, 10.0 * r.offset + 301, 1.0)]),
    Reject.TOO_OLD: lambda r: record(r.offset, 10.0 * r.offset, s=[("x", {}, 10.0 * r.offset - 86_500, 1.0)]),
}


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_record_goes_once_to_the_dead_letters_and_harms_no_other(reason):
    log = good(40)
    log[20] = BAD[reason](log[20])
    outputs, stats = play(machine(), log, [7, 20, 21])
    dead = dead_letters(outputs)
    assert len(dead) == 1
    headers = dict(dead[0].headers)
    assert headers["foreshock.error.code"] == str(reason).encode()
    assert headers["__connect.errors.offset"] == b"20"
    assert (dead[0].key, dead[0].value) == (b"key", log[20].value[:65_536])
    assert stats.counts[Metric.DEAD_LETTERS, ("in", reason)] == 1
    assert stats.counts[Metric.SAMPLES, ("metric",)] == 39


def test_a_record_with_many_bad_parts_is_one_dead_letter_and_its_good_parts_are_used():
    at = 200.0
    mixed = record(20, at, s=[("x", {}, at + 400, 1.0), ("x", {}, at, 1e16), ("x", {}, at, 3.0)])
    log = [*good(20), mixed]
    outputs, stats = play(machine(), log)
    assert len(dead_letters(outputs)) == 1
    assert sum(n for (name, _), n in stats.counts.items() if name is Metric.RECORDS_REJECTED) == 2
    assert stats.counts[Metric.SAMPLES, ("metric",)] == 21


def test_what_is_said_on_purpose_without_a_value_is_counted_and_no_dead_letter():
    log = good(40)
    log[20] = log[20]._replace(value=b"stale")
    outputs, stats = play(machine(), log, [7, 20, 21])
    assert dead_letters(outputs) == []
    assert stats.counts[Metric.RECORDS_REJECTED, ("in", Reject.STALE)] == 1
    assert not any(name is Metric.DEAD_LETTERS for name, _ in stats.counts)


def test_a_truncated_dead_letter_says_so():
    log = [good(1)[0]._replace(value=b" " * 200_000)]
    dead = dead_letters(play(machine(), log)[0])[0]
    assert dict(dead.headers)["foreshock.value.truncated"] == b"200000"
    assert len(dead.value) == 65_536


def test_two_forged_record_times_make_no_honest_record_late():
    log = good(100)
    for place in (40, 60):
        log[place] = log[place]._replace(ts_ns=ns(10.0 * place) + 10**18)
    outputs, stats = play(machine(), log)
    assert dead_letters(outputs) == []
    assert stats.counts[Metric.SAMPLES, ("metric",)] == 100


def test_history_read_as_it_was_written_is_not_old():
    assert dead_letters(play(machine(), [metric(i, i * 86_400.0 * 3, 1.0) for i in range(50)])[0]) == []


# ------------------------------------------------------------------------------------------------ limits
def test_a_full_table_refuses_new_series_and_keeps_the_live_ones():
    log = [metric(i, i * 10.0, 5.0, service=f"s{i % 5}") for i in range(50)]
    shard = machine(Detect(series_max=3))
    _, stats = play(shard, log)
    assert stats.counts[Metric.SAMPLES, ("metric",)] == 30
    assert stats.counts[Metric.SAMPLES_DROPPED, ("refused",)] == 20


def test_a_silent_series_gives_its_place_back():
    config = Detect(series_max=1, idle_after=300.0)
    log = [metric(0, 0.0, 1.0, service="old"), *(metric(1 + i, 400.0 + i * 10, 1.0, service="new") for i in range(20))]
    _, stats = play(machine(config), log)
    assert stats.counts[Metric.SERIES_EVICTED, ()] == 1
    assert stats.counts[Metric.SAMPLES, ("metric",)] > 10


def test_an_ignored_series_takes_no_place():
    config = Detect(rules=[Rule(match="lat*", ignore=True)])
    _, stats = play(machine(config), good(10))
    assert stats.counts[Metric.SAMPLES_DROPPED, ("ignored",)] == 10
    assert (Metric.SAMPLES, ("metric",)) not in stats.counts


def test_late_and_repeated_samples_are_counted_not_scored():
    log = [*good(10), metric(10, 90.0, 5.0), metric(11, 90.0, 7.0), metric(12, 50.0, 5.0)]
    _, stats = play(machine(), log)
    assert stats.counts[Metric.SAMPLES_DROPPED, ("repeated",)] == 1
    assert stats.counts[Metric.SAMPLES_DROPPED, ("late",)] == 2
