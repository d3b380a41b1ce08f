"""Graphite: paths with and without tags, times, values that are none, and lines that are bad by themselves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.codecs.graphite import GraphiteCodec
from engine.config.tree import Format, Mapping, Source
from engine.detect.catalog import SourceCatalog
from engine.errors import Reject
from engine.records import Record

TS_NS = 1_795_218_875_000_000_000


def read(catalog, record, text, **labels):
    source = Source(name="s", topics=["t"], format=Format.GRAPHITE, mapping=Mapping(labels=labels))
    return GraphiteCodec(source).decode([record(text)], catalog)


def test_parts_of_the_path_are_labels_where_the_source_says_so(catalog, record):
    found = read(catalog, record, b"prod.web-07.cpu.idle 98.5 1795218876\r\n", environment="0", host="1")
    assert found.samples.key == [b'cpu.idle{environment="prod",host="web-07"}']
    assert found.samples.ts_ns.tolist() == [1_795_218_876_000_000_000]


def test_tags_are_labels_and_the_path_is_left_whole(catalog, record):
    found = read(catalog, record, b"disk.used;mount=/var;rack=r7 41.5 1795218876", host="0")
    assert found.samples.key == [b'disk.used{mount="/var",rack="r7"}']


@pytest.mark.parametrize("time", [b"", b"-1"])
def test_a_line_without_a_time_has_that_of_its_record(catalog, record, time):
    assert read(catalog, record, b"a.b 1 " + time).samples.ts_ns.tolist() == [TS_NS]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"a.b", Reject.MALFORMED),
        (b"a.b one 1795218876", Reject.MALFORMED),
        (b"a.b 1_000 1795218876", Reject.MALFORMED),
        (b"a.b 1 1795218876 more", Reject.MALFORMED),
        (b"a.b;tag 1 1795218876", Reject.MALFORMED),
        (b";tag=x 1 1795218876", Reject.MALFORMED),
        (b"\xff\xfe 1 1795218876", Reject.MALFORMED),
        (b"a.b 1 yesterday", Reject.BAD_TIME),
        (b"a.b 1 9999999999999999999", Reject.BAD_TIME),
        (b"a.b inf 1795218876", Reject.NOT_FINITE),
        (b"a.b 1e300 1795218876", Reject.NOT_FINITE),
        (b"a.b nan 1795218876", Reject.STALE),
    ],
)
def test_a_bad_line_costs_only_itself(catalog, record, line, reason):
    found = read(catalog, record, b"x 1 1795218876\n" + line + b"\ny 2 1795218876")
    assert [part.reason for part in found.rejected] == [reason]
    assert found.samples.value.tolist() == [1.0, 2.0]


def test_a_path_of_nothing_but_labels_names_no_metric(catalog, record):
    assert [part.reason for part in read(catalog, record, b"web-07 1 1795218876", host="0").rejected] == [Reject.MALFORMED]


PLAIN = [b"a.b 1 1795218876", b"a.b -2.5 -1", b"  c.d\t7 \r", b"x{y 1 1795218876", b"a.b 12345.678 5", b"c.d 0 -7"]
ODD = [
    b"a.b",
    b"a.b 1 2 3",
    b"a.b 1e3 5",
    b"a.b 1e0000005 5",
    b"a.b +1 5",
    b"a.b .5 5",
    b"a.b 5. 5",
    b"a.b 007 5",
    b"a.b -0 5",
    b"a.b 1 05",
    b"a.b 1 5.5",
    b"a.b 1 9300000000",
    b"a.b 1 99999999999999999999",
    b"a.b 9007199254740993 5",
    b"a.b 1000000000000000 5",
    b"a.b nan 5",
    b"new.path 1 5",
    b"\xff 1 5",
    b"a.b 1\x0b5",
    b"a.b 1 5\x00",
    b"a.b 5e-05 5",
    b"a.b 1e+1000 5",
    b"a.b 0.30000000000000004 5",
    b"\x1c a.b 1",
    b"",
    b" \r",
]


@settings(max_examples=200)
@given(st.lists(st.lists(st.sampled_from(PLAIN + ODD), max_size=8), min_size=1, max_size=5))
def test_the_short_way_gives_what_lines_give_one_by_one(records):
    source = Source(name="s", topics=["t"], format=Format.GRAPHITE)
    taught, fresh = (GraphiteCodec(source), SourceCatalog(source)), (GraphiteCodec(source), SourceCatalog(source))
    taught[0].decode([Record("t", 0, 0, TS_NS, None, b"\n".join(PLAIN))], taught[1])
    log = [Record("t", 0, n, TS_NS + n, None, b"\n".join(lines)) for n, lines in enumerate(records)]
    short = taught[0].decode(log, taught[1])
    parts = [GraphiteCodec(source).decode([record], fresh[1]) for record in log]
    assert list(short.samples.key) == [key for part in parts for key in part.samples.key]
    assert short.samples.row.tolist() == [n for n, part in enumerate(parts) for _ in part.samples.row]
    assert short.samples.ts_ns.tolist() == [ts for part in parts for ts in part.samples.ts_ns.tolist()]
    assert short.samples.value.tolist() == [value for part in parts for value in part.samples.value.tolist()]
    assert short.rejected == [one._replace(row=n) for n, part in enumerate(parts) for one in part.rejected]


def test_after_many_bad_lines_the_rest_of_a_record_is_not_read(catalog, record):
    found = read(catalog, record, b"bad\n" * 1_000 + b"a 1")
    assert [part.reason for part in found.rejected] == [Reject.MALFORMED] * 128 + [Reject.TOO_MANY_FIELDS]
    assert not len(found.samples.row)


@pytest.mark.parametrize("behind", [[], [b"a 2"], [b"bad"], [b"bad", b"a 2"], [b"a 2", b"bad"], [b"", b" "]])
def test_what_comes_after_too_many_bad_lines_is_told(catalog, record, behind):
    """Whether the lines around are known or not."""
    value = b"\n".join([b"a 1", *[b"bad"] * 64, b"a 7", *[b"bad"] * 64, *behind])
    source = Source(name="s", topics=["t"], format=Format.GRAPHITE)
    codec = GraphiteCodec(source)
    for _ in range(2):
        found = codec.decode([record(value)], catalog)
        more = [Reject.TOO_MANY_FIELDS] if any(line.strip() for line in behind) else []
        assert [part.reason for part in found.rejected] == [Reject.MALFORMED] * 128 + more
        assert found.samples.value.tolist() == [1.0, 7.0]


@pytest.mark.parametrize("behind", [[], [b"b.a 2"], [b"bad 2"], [b"bad 2", b"b.a 2"], [b"b.a 2", b"bad 2"], [b"", b" "]])
def test_what_comes_after_too_many_paths_of_which_no_name_is_left_is_told(catalog, record, behind):
    """Whether the lines around are known or not, and the bad paths too."""
    value = b"\n".join([b"b.a 1", *[b"bad 1"] * 64, b"b.a 7", *[b"bad 1"] * 64, *behind])
    source = Source(name="s", topics=["t"], format=Format.GRAPHITE, mapping=Mapping(labels={"host": "0"}))
    codec = GraphiteCodec(source)
    for _ in range(3):
        found = codec.decode([record(value)], catalog)
        more = [Reject.TOO_MANY_FIELDS] if any(line.strip() for line in behind) else []
        assert [part.reason for part in found.rejected] == [Reject.MALFORMED] * 128 + more
        assert found.samples.value.tolist() == [1.0, 7.0]
