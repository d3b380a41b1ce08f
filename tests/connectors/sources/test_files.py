"""Files as logs: the same records each time, and all that matters inside them."""

import gzip

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.codecs import build_codec
from connectors.sources.files import SECOND_NS, START_NS, WIDE, ending, read_records, source_for, stem
from engine.config.tree import Format
from engine.errors import UsageError
from engine.records import series_key

NS = 1_000_000_000
AT = 1_795_218_870 * NS


class Naming:
    """A catalog that does nothing but name series."""

    def metric(self, name, labels, *, kind="", unit=""):
        return series_key(name, tuple(sorted(labels.items())))

    def stream(self, labels):
        return self.metric("log", labels)


@pytest.fixture
def read(tmp_path):
    """The records of a file with this name and content."""

    def run(name, content, **options):
        path = tmp_path / name
        raw = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        return list(read_records(path, "topic", **options))

    return run


def _rows(records):
    return [(record.ts_ns, orjson.loads(record.value)["values"]) for record in records]


# ------------------------------------------------------------------------------------------------ CSV
def test_one_series_belongs_to_the_name_of_its_file(read):
    records = read("cpu.csv", "timestamp,value\n1795218870,0.5\n1795218880,0.25\n", partition=3)
    assert [r.offset for r in records] == [0, 1]
    assert {(r.topic, r.partition, r.key, r.headers) for r in records} == {("topic", 3, b"cpu", ())}
    assert records[0].value == b'{"time":1795218870000000000,"values":{"cpu:value":0.5}}'
    assert _rows(records)[1] == (AT + 10 * NS, {"cpu:value": 0.25})


def test_columns_with_a_colon_name_their_entity_and_those_without_belong_to_the_file(read):
    records = read("shop.csv", "time,web:cpu,db:primary:load,m0\n1795218870,1,2,3\n")
    assert _rows(records) == [(AT, {"web:cpu": 1.0, "db:primary:load": 2.0, "shop:m0": 3.0})]


def test_missing_cells_are_left_out_and_bad_ones_are_kept_for_the_codec_to_refuse(read):
    (record,) = read("a.csv", "time,x:a,x:b,x:c,x:d,x:e,x:f,x:g\n1795218870,, nan,NULL,1,abc,inf\n")
    assert _rows([record]) == [(AT, {"x:d": 1.0, "x:e": "abc", "x:f": "inf"})]
    decoded = build_codec(WIDE).decode([record], Naming())
    assert decoded.samples.key == [b'd{entity="x"}']
    assert [part.reason for part in decoded.rejected] == ["wrong_type", "wrong_type"]


@pytest.mark.parametrize(
    "cell",
    [
        "1795218870",
        "1795218870.0",
        "1795218870000",
        "1795218870000000",
        "1795218870000000000",
        "2026-11-20T23:54:30Z",
        "2026-11-20 23:54:30",
        "2026-11-20 23:54:30.000",
        "2026-11-21 01:54:30+02:00",
    ],
)
def test_times_of_every_kind(read, cell):
    (record,) = read("a.csv", f"timestamp,value\n{cell},1\n")
    assert record.ts_ns == AT
    assert orjson.loads(record.value)["time"] == AT


@pytest.mark.parametrize(("cell", "seconds"), [("1970-01-02", 86400), ("1970-01-01 01:00", 3600), ("1970-01-01T02", 7200)])
def test_times_down_to_the_day_hour_or_minute(read, cell, seconds):
    (record,) = read("a.csv", f"timestamp,value\n{cell},1\n")
    assert record.ts_ns == seconds * NS


def test_a_row_without_a_readable_time_is_a_record_that_the_codec_refuses(read):
    records = read("a.csv", "timestamp,value\n1795218870,1\nyesterday,2\n1795218890,3\n")
    assert [r.ts_ns for r in records] == [AT, AT, AT + 20 * NS]
    decoded = build_codec(WIDE).decode(records, Naming())
    assert decoded.samples.value.tolist() == [1.0, 3.0]
    assert [(part.row, part.reason) for part in decoded.rejected] == [(1, "bad_time")]


def test_a_row_with_no_value_at_all_keeps_its_place_in_the_log(read):
    records = read("a.csv", "timestamp,value\n1795218870,1\n1795218880,\n1795218890,3\n")
    assert [r.offset for r in records] == [0, 1, 2]
    assert [part.reason for part in build_codec(WIDE).decode(records, Naming()).rejected] == ["empty"]


def test_compressed_files_and_marks_of_byte_order_make_no_difference(read):
    content = "\ufefftimestamp,value\r\n1795218870,1\r\n\r\n"
    assert read("cpu.csv.gz", content) == read("cpu.csv", content)
    assert len(read("cpu.csv", content)) == 1


@pytest.mark.parametrize("content", ["", "timestamp\n1\n"])
def test_a_csv_without_columns_is_refused(read, content):
    with pytest.raises(UsageError, match="no header"):
        read("a.csv", content)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_numbers_keep_every_bit(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_text("timestamp,value\n" + "".join(f"1795218870,{value!r}\n" for value in values))
    assert [found["a:value"] for _, found in _rows(read_records(path, "t"))] == values


# ------------------------------------------------------------------------------------------------ lines
def test_log_lines_are_one_second_apart(read):
    records = read("app.log", "one\r\n\n  \ntwo\nthree")
    assert [r.value for r in records] == [b"one", b"two", b"three"]
    assert [r.ts_ns for r in records] == [START_NS, START_NS + SECOND_NS, START_NS + 2 * SECOND_NS]
    assert {r.key for r in records} == {b"app"}
    assert read("app.txt", "one", start_ns=5)[0].ts_ns == 5


def test_influx_lines_tell_their_time(read):
    records = read("m.influx", "m v=1 1795218870000000000\nm v=2\nm v=3 1795218880000000000\n")
    assert [r.ts_ns for r in records] == [AT, AT, AT + 10 * NS]


@pytest.mark.parametrize(
    "line",
    [
        '{"timestamp":1795218870}',
        '{"time":"2026-11-20T23:54:30Z"}',
        '{"@timestamp":1795218870.0}',
        '{"ts":"1795218870000"}',
        '{"time":null,"timestamp":"never","@timestamp":"2026-11-20T23:54:30.000Z"}',
    ],
)
def test_json_lines_tell_their_time(read, line):
    assert read("a.jsonl", line)[0].ts_ns == AT


def test_json_lines_that_tell_none_stay_near_their_neighbours(read):
    lines = ["{}", "broken", '{"ts":1795218870}', "{}", "[1]", '{"ts":1795218880}']
    records = read("a.ndjson", "\n".join(lines))
    assert [r.ts_ns for r in records] == [START_NS, START_NS + NS, AT, AT, AT, AT + 10 * NS]
    assert [r.value.decode() for r in records] == lines


@pytest.mark.parametrize(
    "content",
    [b"no gzip at all", gzip.compress(b"{}\n" * 9999)[:-20], gzip.compress(b"{}\n" * 9)[:12] + b"\xff" * 40],
    ids=["no gzip at all", "cut short", "broken inside"],  # the bytes hold the time, and every process must give them one name
)
def test_a_damaged_or_missing_file_is_an_error_of_use(tmp_path, content):
    path = tmp_path / "a.jsonl.gz"
    with pytest.raises(UsageError, match="cannot be read"):
        list(read_records(path, "topic"))
    path.write_bytes(content)
    with pytest.raises(UsageError, match="cannot be read"):
        list(read_records(path, "topic"))


def test_reading_twice_gives_the_same(read):
    content = "{}\n" * 3 + '{"ts":1795218870}\n'
    assert read("a.jsonl", content) == read("a.jsonl", content)


# ------------------------------------------------------------------------------------------------ kinds of file
@pytest.mark.parametrize(
    ("name", "kind", "name_alone"),
    [("a.b.csv", ".csv", "a.b"), ("CPU.CSV", ".csv", "CPU"), ("a.jsonl.gz", ".jsonl", "a"), ("x.log", ".log", "x")],
)
def test_endings_and_stems(tmp_path, name, kind, name_alone):
    assert (ending(tmp_path / name), stem(tmp_path / name)) == (kind, name_alone)


def test_an_unknown_ending_is_refused_with_those_that_are_known(tmp_path):
    with pytest.raises(UsageError) as caught:
        ending(tmp_path / "a.parquet")
    assert ".csv" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "timestamp,value\n1795218870,1\n"),
        ("a.jsonl", '{"timestamp":"2026-11-20T23:54:30Z","name":"m","value":1,"labels":{"service":"a"}}\n'),
        ("a.influx", "m v=1 1795218870000000000\n"),
        ("a.log", "ERROR something\n"),
    ],
)
def test_the_default_source_reads_what_the_file_gives(read, tmp_path, name, content):
    records = read(name, content)
    decoded = build_codec(source_for(tmp_path / name, "topic")).decode(records, Naming())
    assert len(decoded.samples.row) + len(decoded.lines.row) == 1
    assert not decoded.rejected


def test_the_wide_source_splits_entities():
    assert WIDE.format is Format.JSON
    assert WIDE.entity_labels[0] == "entity"
