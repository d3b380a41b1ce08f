"""Laws of sessions and numbers of log lines in a shard: cut-invariant, restorable, bounded."""

from __future__ import annotations

import base64

import msgspec
import numpy as np
import pytest
from detect_world import alerts, machine, play, record

from detectors.kernel import JIT
from engine.config.logs import Logs
from engine.config.tree import Detect
from engine.detect import slots
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Snapshot

QUICK = Detect(
    warm_up=600.0,
    samples_min=20,
    count_bucket=30.0,
    log_lateness=30.0,
    recover=3,
    logs=Logs(session_idle=20.0, sessions_min=20),
)
STEPS = ("accepted order", "reserved stock", "charged card", "order complete")


def shop(seed: int, minutes: int = 60 if JIT else 12, broken_from: int = 45) -> list:
    """Orders of two services, a record a tick; from a minute on some are never completed and take long."""
    rng, log, waiting = np.random.default_rng(seed), [], []
    for tick in range(minutes * 6):
        at = tick * 10.0
        for _ in range(int(rng.poisson(1.5))):
            key, bad = f"req-{int(rng.integers(2**40)):010x}", tick > broken_from * 6 and rng.random() < 0.5
            service, slow = f"s{int(rng.integers(2))}", 20.0 if bad else 1.0
            words = (*STEPS[:2], "card provider timed out") if bad else STEPS
            waiting += [
                (service, at + 3.0 * k, f"{key} {w} in {slow * rng.gamma(4.0, 10.0):.0f} ms") for k, w in enumerate(words)
            ]
        due = [line for line in waiting if line[1] < at + 10.0]
        waiting = [line for line in waiting if line[1] >= at + 10.0]
        lines = [({"service": service}, when, 9, text) for service, when, text in sorted(due, key=lambda line: line[1])]
        lines.append(({"service": "s0"}, at, 9, "nothing to see here"))
        log.append(record(tick, at + 10.0, l=lines))
    return log


@pytest.mark.parametrize("cuts", [[1, 50, 51, 52, 200, 350], range(0, 360, 7)])
def test_sessions_and_numbers_do_not_depend_on_cuts(cuts):
    log = shop(1)
    whole, parts = machine(QUICK), machine(QUICK)
    assert play(whole, log)[0] == play(parts, log, cuts)[0]
    saved, other = whole.snapshot(), parts.snapshot()
    assert [name for name in saved.columns if saved.columns[name].tobytes() != other.columns[name].tobytes()] == []


@pytest.mark.parametrize("cut", [5, 130, 300])
def test_a_restored_shard_has_the_same_sessions(cut):
    log = shop(2)
    first, second = machine(QUICK), machine(QUICK)
    play(first, log[:cut])
    saved = first.snapshot()
    second.restore(
        Snapshot(msgspec.json.decode(msgspec.json.encode(saved.meta)), {k: v.copy() for k, v in saved.columns.items()})
    )
    assert play(second, log[cut:])[0] == play(first, log[cut:])[0]


@pytest.mark.skipif(not JIT, reason="too few sessions")
def test_broken_sessions_and_long_times_are_told_with_words():
    outputs, stats = play(machine(QUICK), shop(3))
    told = {alert.kind: alert for alert in alerts(outputs)}
    assert stats.counts[Metric.SESSIONS, ("odd",)] > 5
    assert {"broken_sequence", "line_value"} <= told.keys()
    assert "usually once" in told["broken_sequence"].text
    assert told["broken_sequence"].example.startswith("req-")


@pytest.mark.parametrize(
    "column", ["lines.sessions.saved", "lines.sessions.rows", "lines.sessions.models", "lines.sessions.ends", "lines.seen"]
)
def test_torn_sessions_are_refused(column):
    shard = machine(QUICK)
    play(shard, shop(4, 6))
    saved = shard.snapshot()
    with pytest.raises(StateError):
        machine(QUICK).restore(Snapshot(saved.meta, {**saved.columns, column: saved.columns[column][:-1]}))


def test_there_is_room_for_so_many_sessions_streams_and_numbers():
    tight = Logs(sessions_open_max=3, session_streams_max=1, numbers_max=1)
    _, stats = play(machine(QUICK.model_copy(update={"logs": tight})), shop(5, 6))
    for limit in ("sessions_open_max", "session_streams_max", "numbers_max"):
        assert stats.counts[Metric.LIMITS_REACHED, (limit,)] > 0


def test_what_is_off_costs_nothing():
    off = QUICK.model_copy(update={"logs": Logs(sessions=False, numbers=False)})
    shard = machine(off)
    _, stats = play(shard, shop(6, 6))
    assert not any(metric is Metric.SESSIONS for metric, _ in stats.counts)
    assert shard.snapshot().columns["lines.sessions.models"].size == 0


def beside(log):
    """The same log, its keys of sessions and its times beside the texts."""
    for part in log:
        parts = msgspec.json.decode(part.value)
        for line in parts["l"]:
            key, _, text = line[3].partition(" ")
            if key.startswith("req-") and sum(map(str.isdigit, key)) >= 4:
                text, _, took = text.removesuffix(" ms").partition(" in ")
                carried = [base64.b64encode(key.encode()).decode(), [["took_ms", float(took or 0)]]]
                line[3:] = [text, carried] if took else [text, carried[:1]]
        yield part._replace(value=msgspec.json.encode(parts))


@pytest.mark.skipif(not JIT, reason="too few sessions")
def test_keys_and_numbers_beside_the_text_count_as_those_within_it():
    log = shop(3)
    (_, inside), (outputs, outside) = play(machine(QUICK), log), play(machine(QUICK), list(beside(log)))
    verdicts = {labels: count for (metric, labels), count in inside.counts.items() if metric is Metric.SESSIONS}
    assert verdicts == {labels: count for (metric, labels), count in outside.counts.items() if metric is Metric.SESSIONS}
    assert verdicts["odd",] > 5
    told = [alert for alert in alerts(outputs) if alert.kind == "line_value"]
    assert {("field", "took_ms")} == {label for alert in told for label in alert.labels.items() if label[0] in ("field", "slot")}
    assert told[0].text.startswith("took_ms in '")


@pytest.mark.parametrize("cut", [5, 130])
def test_fields_neither_depend_on_cuts_nor_on_a_restore(cut):
    log = list(beside(shop(2, 25)))
    whole, first, second = machine(QUICK), machine(QUICK), machine(QUICK)
    play(first, log[:cut])
    saved = first.snapshot()
    second.restore(
        Snapshot(msgspec.json.decode(msgspec.json.encode(saved.meta)), {k: v.copy() for k, v in saved.columns.items()})
    )
    expected = play(whole, log)[0]
    assert play(machine(QUICK), log, range(0, 150, 7))[0] == expected
    play(second, log[cut:])
    saved, other = whole.snapshot(), second.snapshot()
    assert [name for name in saved.columns if saved.columns[name].tobytes() != other.columns[name].tobytes()] == []


def named(names: range, at: float, service: str = "s") -> list:
    return [({"service": service}, at, 9, "done", ["", [[f"x{n}_ms", 1.0]]]) for n in names]


def test_names_of_numbers_have_a_bound_for_a_shard_and_for_what_one_stream_may_take(monkeypatch):
    monkeypatch.setattr(slots, "FIELDS_MAX", 3)
    monkeypatch.setattr(slots, "STREAM_FIELDS_MAX", 2)
    lines = [*named(range(5), 1.0), *named(range(5, 8), 1.0, "other"), *named(range(8), 1.0, "third")]
    shard = machine(QUICK)
    _, stats = play(shard, [record(0, 1.0, l=lines)])
    assert stats.counts[Metric.LIMITS_REACHED, ("number_names_max",)] == 3 + 2 + 5


def test_names_that_are_used_no_more_make_room(monkeypatch):
    monkeypatch.setattr(slots, "FIELDS_MAX", 3)
    short = QUICK.model_copy(update={"idle_after": 300.0})
    log = [record(n, 30.0 * n, l=named(range(2, 4) if n else range(2), 30.0 * n)) for n in range(80)]
    whole, parts = machine(short), machine(short)
    _, stats = play(whole, log)
    play(parts, log[:50])
    saved = parts.snapshot()
    parts = machine(short)
    parts.restore(saved)
    play(parts, log[50:])
    fields = [msgspec.json.decode(shard.snapshot().columns["lines.saved"].tobytes())[2]["fields"] for shard in (whole, parts)]
    assert sorted(name for name, _ in fields[0] if name) == ["x2_ms", "x3_ms"]
    assert fields[0] == fields[1]
    assert 0 < stats.counts[Metric.LIMITS_REACHED, ("number_names_max",)] < 79
