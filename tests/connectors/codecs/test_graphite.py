"""Graphite: paths with and without tags, times, values that are none, and lines that are bad by themselves."""

import pytest

from connectors.codecs.graphite import GraphiteCodec
from engine.config.tree import Format, Mapping, Source
from engine.errors import Reject

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
