"""Laws of records keyed anew: each series on one partition, nothing lost, nothing twice, repeats dropped."""

from __future__ import annotations

import cramjam
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.codecs import build_codec
from connectors.codecs.proto import prometheus_write_pb2 as write
from engine.config.tree import Detect, Format, Mapping, Source
from engine.detect.catalog import SourceCatalog
from engine.detect.placing import Places
from engine.detect.rekey import RECORD_BYTES_MAX, STAMP, RekeyMachine
from engine.detect.rekeyed import RekeyedMachine, SharedCodec
from engine.detect.stage import DetectMachine
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Snapshot
from engine.records import Record, Shard, Topic

PARTITIONS = 4
TS_NS = 1_795_218_876_000_000_000
INFLUX = Source(name="metrics", topics=["t"], format=Format.INFLUX, rekey=PARTITIONS)
LOGS = Source(
    name="logs",
    topics=["t"],
    format=Format.JSON,
    rekey=PARTITIONS,
    mapping=Mapping(records=".", time="", message="m", labels={"service": "s"}, origin=["s"], partial="p"),
)


def records(values, partition=0):
    return [Record("t", partition, n, TS_NS + n, b"k", value, (("h", b"1"),)) for n, value in enumerate(values)]


def rekey(source, found):
    machine = RekeyMachine(Shard("t", 0), codec=build_codec(source), catalog=SourceCatalog(source), source=source)
    return machine.step(found).outputs


def logs_of(outputs):
    """The internal topic: for each partition its records."""
    logs = {partition: [] for partition in range(PARTITIONS)}
    for output in outputs:
        log = logs[output.partition]
        log.append(Record(output.topic, output.partition, len(log), output.ts_ns, output.key, output.value, output.headers))
    return logs


def read_back(source, outputs):
    """What every partition's codec gives: samples, lines and rejections as the producer's records name them."""
    found = []
    for partition, log in logs_of(outputs).items():
        decoded = SharedCodec(build_codec(source), partition, PARTITIONS).decode(log, SourceCatalog(source))
        found += [
            ("sample", partition, *rest)
            for rest in zip(decoded.samples.key, decoded.samples.ts_ns, decoded.samples.value, strict=True)
        ]
        found += [("line", partition, *rest) for rest in zip(decoded.lines.key, decoded.lines.text, strict=True)]
        found += [("rejected", partition, part.reason, part.detail) for part in decoded.rejected]
    return found


def plainly(source, found):
    decoded = build_codec(source).decode(found, SourceCatalog(source))
    told = [("sample", *rest) for rest in zip(decoded.samples.key, decoded.samples.ts_ns, decoded.samples.value, strict=True)]
    told += [("line", *rest) for rest in zip(decoded.lines.key, decoded.lines.text, strict=True)]
    return told + [("rejected", part.reason, part.detail) for part in decoded.rejected]


BATCH = b"\n".join(b"cpu,host=h%d usage=%d %d" % (n, n, TS_NS) for n in range(20))


# ------------------------------------------------------------------------------------------------ the stage
def test_a_record_goes_as_it_came_to_each_partition_of_its_series():
    outputs = rekey(INFLUX, records([b"cpu,host=a usage=1 5", BATCH]))
    (one, *many) = outputs
    assert (one.topic, one.key, one.value, one.ts_ns) == ("rekeyed.metrics", b"k", b"cpu,host=a usage=1 5", TS_NS)
    assert one.headers == (("h", b"1"), (STAMP, b"t/0/0/0"))
    assert sorted({output.partition for output in many}) == [output.partition for output in many] == list(range(PARTITIONS))
    assert [output.headers[-1][1] for output in many] == [b"t/0/1/%d" % seq for seq in range(PARTITIONS)]


def test_what_names_no_series_goes_to_one_partition():
    assert len(rekey(INFLUX, records([None, b"", b"no influx at all", b"\xff"]))) == 4


def test_what_says_what_metrics_are_goes_to_all():
    source = Source(name="w", topics=["t"], format=Format.PROMETHEUS_REMOTE_WRITE, rekey=PARTITIONS)
    request = write.Write1()
    request.metadata.add(metric_family_name="jobs", type=write.COUNTER)
    body = bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
    assert [output.partition for output in rekey(source, records([body]))] == list(range(PARTITIONS))


def test_how_the_log_is_cut_changes_nothing():
    found = records([BATCH, b"cpu,host=a usage=1 5", b"bad", *[b"cpu,host=h%d usage=1 5" % n for n in range(30)]])
    machine = RekeyMachine(Shard("t", 0), codec=build_codec(INFLUX), catalog=SourceCatalog(INFLUX), source=INFLUX)
    assert [output for record in found for output in machine.step([record]).outputs] == rekey(INFLUX, found)


def test_what_cannot_be_written_once_more_goes_to_the_dead_letters():
    (output,) = rekey(INFLUX, records([b"x" * (RECORD_BYTES_MAX + 1)]))
    assert output.topic is Topic.DEAD_LETTERS


# ------------------------------------------------------------------------------------------------ both ends
def told_once(source, found):
    there = read_back(source, rekey(source, found))
    assert sorted(([kind, *rest] for kind, _, *rest in there), key=repr) == sorted(map(list, plainly(source, found)), key=repr)
    return there


def test_every_series_is_on_one_partition_and_nothing_is_lost_or_twice():
    there = told_once(INFLUX, records([BATCH] * 3 + [b"bad", b"cpu,host=a usage=x\ncpu,host=b usage=2 5\ncpu,host=c usage=2 5"]))
    partitions = {}
    for kind, partition, key, *_ in there:
        if kind == "sample":
            partitions.setdefault(key, set()).add(partition)
    assert all(len(places) == 1 for places in partitions.values())
    assert len(set().union(*partitions.values())) == PARTITIONS


def test_lines_of_several_services_in_one_record_come_apart_with_their_pieces():
    values = [orjson.dumps([{"m": f"part {n} of {s}", "s": s, "p": "P" if n % 2 else ""} for s in "abcdef"]) for n in range(4)]
    found = records(values)
    told_once(LOGS, found)
    for partition, log in logs_of(rekey(LOGS, found)).items():
        lines = SharedCodec(build_codec(LOGS), partition, PARTITIONS).decode(log, SourceCatalog(LOGS)).lines
        assert list(lines.pieces.raw) == lines.text
        assert len(lines.pieces.origin) == len(lines.pieces.more) == len(lines.text)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(st.none(), st.binary(max_size=40), st.sampled_from([BATCH, b"m,host=a v=1 5", b"m,host=b v=x\nm v=2 5"])),
        max_size=6,
    )
)
def test_whatever_comes_is_told_exactly_once(values):
    told_once(INFLUX, records(values))


def test_what_is_looked_at_together_meets():
    catalog = SourceCatalog(INFLUX)
    places = Places(1024, catalog.describe)

    def place(name, **labels):
        return places.of(catalog.metric(name, labels))

    assert len({place("m_bucket", le=le, path="/a") for le in ("1", "2", "+Inf")} | {place("m_sum", path="/a")}) == 1
    assert place("cpu", service="web", core="1") == place("memory", service="web")
    assert len({place("cpu", host=f"h{n}") for n in range(50)}) > 40
    assert len({place(f"total_{n}") for n in range(50)}) > 40


# ------------------------------------------------------------------------------------------------ the reader
def detecting():
    codec, catalog = SharedCodec(build_codec(INFLUX), 0, 1), SourceCatalog(INFLUX)
    return RekeyedMachine(DetectMachine(Shard("r", 0), codec=codec, catalog=catalog, source=INFLUX, config=Detect()))


def stamped(offsets, partition=0, first=0):
    return [
        Record(
            "r",
            0,
            first + n,
            TS_NS + offset,
            b"",
            b"cpu,host=a usage=1 %d" % (TS_NS + offset),
            ((STAMP, b"t/%d/%d/0" % (partition, offset)),),
        )
        for n, offset in enumerate(offsets)
    ]


def counted(result):
    dropped = result.stats.counts.get((Metric.DUPLICATES_DROPPED, ("detect",)), 0)
    return dropped, result.stats.counts.get((Metric.SAMPLES, ("metric",)), 0)


def test_repeats_after_a_crash_are_dropped_by_stamp_for_each_partition_they_come_from():
    machine = detecting()
    machine.step(stamped([0, 1, 2]))
    assert counted(machine.step(stamped([1, 2, 3], first=3)))[0] == 2
    assert counted(machine.step(stamped([1, 2, 3], partition=1, first=6)))[0] == 0


def test_what_was_seen_outlives_a_crash():
    machine = detecting()
    machine.step(stamped([0, 1, 2]))
    again = detecting()
    again.restore(machine.snapshot())
    assert counted(again.step(stamped([0, 1, 2], first=3)))[0] == 3


def test_a_snapshot_of_another_machine_is_refused():
    with pytest.raises(StateError):
        detecting().restore(Snapshot({}, {}))


@pytest.mark.parametrize("stamp", [b"", b"x", b"t/0/0", b"t/0/-1/0", b"t/0/1/" + b"9" * 30, b"\xff/0/0/0", b"a/b/1/2/3"])
def test_a_forged_stamp_harms_nobody(stamp):
    machine = detecting()
    machine.step([Record("r", 0, 0, TS_NS, b"", b"cpu,host=a usage=1 5", ((STAMP, stamp),))])
    assert counted(machine.step(stamped([0], first=1)))[0] == 0
