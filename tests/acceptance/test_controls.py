"""What hostile producers try, against a whole detect machine as it is shipped: see `docs/security.md`."""

import tracemalloc

import numpy as np
import orjson
import pytest

from connectors.codecs import build_codec
from connectors.codecs.heads import Heads
from detectors import pairs, parts
from engine.config.topic_patterns import matches
from engine.config.tree import Detect, Format, Mapping, Source
from engine.detect.catalog import SourceCatalog
from engine.detect.stage import DetectMachine
from engine.metrics import Metric
from engine.ports import StepStats
from engine.records import Record, Shard, Topic

START_MS = 1_772_409_600_000
STEP_MS = 10_000
MIB = 1 << 20
SHARD = Shard("in", 0)
MAPPING = Mapping(time="ts", time_unit="ms", name="name", values={"": "value"}, labels="labels")
QUICK = Detect(warm_up=300.0, samples_min=20, confirm=1, confirm_of=1)


def machine(config=QUICK):
    source = Source(name="s", topics=["in"], format=Format.JSON, mapping=MAPPING, entity_labels=["host"])
    return DetectMachine(SHARD, codec=build_codec(source), catalog=SourceCatalog(source), source=source, config=config)


def point(n, host="h1", name="cpu", value=None, ahead_ms=0):
    value = 50.0 + n % 3 if value is None else value
    at = START_MS + n * STEP_MS
    document = {"name": name, "labels": {"host": host}, "ts": at + ahead_ms, "value": value}
    return orjson.dumps(document), at


def play(shard, payloads):
    """Outputs and counts of these (value, time of the log in ms), as one log cut into batches of fifty."""
    outputs, stats = [], StepStats()
    records = [Record("in", 0, n, at * 1_000_000, None, value) for n, (value, at) in enumerate(payloads)]
    for begin in range(0, len(records), 50):
        result = shard.step(records[begin : begin + 50])
        outputs += result.outputs
        for place, amount in result.stats.counts.items():
            stats.counts[place] = stats.counts.get(place, 0) + amount
    return outputs, stats.counts


def alerts_of(outputs, host):
    """What was told of a host first, of each of its alerts: later revisions come with ticks, and these with whoever is there."""
    said = [orjson.loads(output.value) for output in outputs if output.topic is Topic.ALERTS]
    return [(one["kind"], one["ts_ns"], one["state"]) for one in said if one.get("entity") == host and one["revision"] == 1]


def dead(outputs):
    return [int(dict(o.headers)["__connect.errors.offset"]) for o in outputs if o.topic is Topic.DEAD_LETTERS]


def honest(n):
    """A metric that is far off towards the end."""
    return point(n, value=500.0 if n >= 180 else None)


MALFORMED = [
    b"",
    b"\xff\xfe",
    b'{"name":"cpu","labels":{"host":"\xed\xa0\x80"},"ts":1,"value":1}',
    b'{"name":"cpu","labels":{"host":"\\ud800"},"ts":1,"value":1}',
    b'{"name":"cpu","labels":{"host":"h1"},"ts":1772409600000,"value":NaN}',
    b'{"name":"cpu","labels":{"host":"h1"},"ts":1772409600000,"value":1e999}',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"name":"cpu","labels":{"host":"h1"},"ts":"\x00","value":[]}',
]


def test_s1_malformed_documents_go_to_the_dead_letters_and_harm_no_neighbour():
    plain = [honest(n) for n in range(200)]
    mixed, expected = [], []
    for n, one in enumerate(plain):
        if n % 20 == 7:
            expected += range(len(mixed), len(mixed) + len(MALFORMED))
            mixed += [(bad, one[1]) for bad in MALFORMED]
        mixed.append(one)
    calm, _ = play(machine(), plain)
    outputs, counts = play(machine(), mixed)
    assert dead(outputs) == expected
    assert counts[Metric.SAMPLES, ("metric",)] == 200
    assert alerts_of(outputs, "h1") == alerts_of(calm, "h1") != []


@pytest.mark.parametrize(
    "bomb",
    [
        b"[" + b"{}," * 349_000 + b"{}]",
        b'{"name":"cpu","labels":{' + b",".join(b'"k%d":"v"' % n for n in range(80_000)) + b'},"ts":1,"value":1}',
        b'{"x":"' + b"\\u0000" * 170_000 + b'"}',
    ],
    ids=["objects", "labels", "escapes"],
)
def test_s2_a_megabyte_that_is_small_as_text_costs_no_memory(bomb):
    shard = machine()
    play(shard, [point(n) for n in range(10)])
    assert len(bomb) <= MIB
    tracemalloc.start()
    outputs, _ = play(shard, [(bomb, START_MS + 100_000 + n) for n in range(20)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(dead(outputs)) == 20
    assert peak < 64 * MIB + 20 * 2 * 65_536


@pytest.mark.parametrize("value", [1e308, -1e308, 5e-324, -5e-324, 1e15, 2**63, -(2.0**70), 0.0, -0.0])
def test_s5_extreme_numbers_leave_the_models_finite(value):
    shard = machine()
    payloads = [point(n, value=value if n % 9 == 8 else None) for n in range(200)]
    play(shard, payloads)
    _, counts = play(
        shard,
        [(orjson.dumps({**orjson.loads(p), "ts": orjson.loads(p)["ts"] + 2_000_000}), at + 2_000_000) for p, at in payloads],
    )
    state = shard.snapshot().columns["bank.rows"]
    rows = np.frombuffer(state.tobytes(), shard._watch.bank._dtype)
    for name in ("level", "calibration"):
        for field in rows.dtype[name].names:
            column = rows[name][field]
            assert column.dtype.kind != "f" or np.isfinite(column).all(), (name, field)
    assert counts[Metric.SAMPLES, ("metric",)] > 100


def test_s6_stamps_from_the_future_make_nobody_late():
    payloads = [honest(n) for n in range(200)]
    forged = list(payloads)
    for at in (50, 51, 120):
        value, when = point(at, host="liar", ahead_ms=30 * 86_400_000)
        forged.insert(at, (value, when + 30 * 86_400_000))
    calm, _ = play(machine(), payloads)
    outputs, counts = play(machine(), forged)
    assert counts[Metric.SAMPLES, ("metric",)] == 200
    assert (Metric.SAMPLES_DROPPED, ("late",)) not in counts
    assert alerts_of(outputs, "h1") == alerts_of(calm, "h1") != []


def test_s7_a_label_that_explodes_takes_nothing_from_others():
    config = QUICK.model_copy(update={"series_max": 500, "series_per_name_max": 300})
    mixed = []
    for n in range(200):
        mixed.append(honest(n))
        mixed += [point(n, host=f"x{n}-{k}", name="made_up") for k in range(20)]
    calm, _ = play(machine(config), [honest(n) for n in range(200)])
    shard = machine(config)
    outputs, counts = play(shard, mixed)
    assert counts[Metric.SERIES_REFUSED, ("name_full",)] == 200 * 20 - 300
    assert len(shard._watch.table) == 301
    assert alerts_of(outputs, "h1") == alerts_of(calm, "h1") != []


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|aa)+$", "^(a|a?)+$", "^(.*a){25}$", "^([a-zA-Z]+)*$"])
def test_s9_patterns_of_users_take_linear_time_or_are_refused(pattern):
    """With a backtracking matcher each of these takes longer than the age of the universe; no clock is needed to see it."""
    assert not matches(pattern, "a" * 5_000 + "!")


def _collide(secret, texts, place=0, places=1 << 11):
    """Those that begin to be looked for at one place of a table with this secret."""
    key = np.array(secret, np.uint64)
    buffers = [np.frombuffer(text + bytes(pairs.PADDING), np.uint8) for text in texts]
    places_of = [
        int(pairs.keyed_hash(buffer, 0, len(text), key)) & (places - 1) for text, buffer in zip(texts, buffers, strict=True)
    ]
    return [text for text, at in zip(texts, places_of, strict=True) if at == place]


def test_s10_keys_that_collide_under_one_secret_do_not_under_another():
    """Who does not know the secret, which each process draws anew, cannot make keys collide; known ones are compared byte by byte."""
    texts = [b"n%d" % n for n in range(20_000)]
    same = _collide((1, 2), texts)
    assert len(same) > 2
    assert len(_collide((3, 4), same)) <= 1
    heads = Heads(1_000)
    heads.add([(name + b'{"h":"1"}', name) for name in same])
    assert heads.words.words(np.arange(len(same))) == same


def test_s10_parts_made_to_collide_are_read_the_general_way_and_push_nobody_out():
    table = parts.table(1 << 10, 1 << 16)
    mask = len(table.node) - 1
    same = []
    for n in range(200_000):
        name = b"n%d" % n
        if int(parts._hash(np.frombuffer(name + bytes(parts.PADDING), np.uint8), 0, len(name), -1)) & mask == 0:
            same.append(name)
        if len(same) > 2 * parts.PROBES_MAX:
            break
    known = [parts.add(table, np.frombuffer(name + bytes(parts.PADDING), np.uint8), len(name)) for name in same]
    assert known[: parts.PROBES_MAX] == list(range(parts.PROBES_MAX))
    assert set(known[parts.PROBES_MAX :]) == {-1}
