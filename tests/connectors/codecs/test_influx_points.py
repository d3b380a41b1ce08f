"""The short way for Influx's lines gives what the general ways give, whatever the bytes, and is taken where it can be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torn_bytes import told, torn

from connectors.codecs import influx, known_parts
from connectors.codecs.influx import InfluxCodec
from detectors.kernel import JIT
from engine.config.tree import Format, Mapping, Source
from engine.detect.catalog import SourceCatalog
from engine.records import Record

SOURCE = Source(name="s", topics=["t"], format=Format.INFLUX)
SECONDS = SOURCE.model_copy(update={"mapping": Mapping(time_unit="s")})
FLIPS = 3_000 if JIT else 60
TEXTS = (
    b'disk,path=C:\\\\Program\\ Files,host=a free=5i,ok=true,note="say \\"hi\\", a=1" 5\n# a comment\nonly text="x" 6\n'
    b'disk,path=C:\\\\Program\\ Files,host=a free=-0,ok=F,note="two\nlines",limit=9223372036854771712i\n'
)
PLAIN = b"cpu,host=a,dc=x user=1.5,system=93.33333333333333,reads=17i,free=3u 1795218875509000000\nmem,host=a used=2 5\nmem,host=b used=-2e3\n"


def records(values):
    return [Record("t", 0, n, 1_000 + n, None, value) for n, value in enumerate(values)]


def agrees(values, source=SOURCE):
    """Both ways, cold and warm, in one batch and record by record."""
    catalog, general, short = SourceCatalog(source), InfluxCodec(source, short=False), InfluxCodec(source)
    short.decode(records([PLAIN]), catalog)
    for _ in range(3):
        assert told(short.decode(records(values), catalog)) == told(general.decode(records(values), catalog))
    for value in values:
        assert told(short.decode(records([value]), catalog)) == told(general.decode(records([value]), catalog))


def left(value, taught=PLAIN):
    """Records that the short way leaves to the general reader, when it has seen the same series before."""
    codec = InfluxCodec(SOURCE)
    codec.decode(records([taught]), SourceCatalog(SOURCE))
    _, lines, *_ = codec._points.read([value], np.zeros(1, np.int64))
    return [verdict for verdict in lines.verdict.tolist() if verdict != known_parts.KNOWN]


def test_numbers_of_series_that_were_read_before_are_read_the_short_way():
    assert left(PLAIN) == []
    assert left(b"mem,host=b used=7.25\r\n\ncpu,host=a,dc=x reads=-17i,free=18u") == []
    agrees([PLAIN, PLAIN.replace(b"17i", b"19i"), PLAIN.replace(b"host=a", b"host=c"), b"", None, PLAIN])
    agrees([PLAIN, b"mem,host=a used=1 1795218875\nmem,host=a used=1 9223372036\nmem,host=a used=1 9223372037"], SECONDS)


def test_texts_and_escapes_are_no_hindrance():
    assert left(TEXTS, taught=TEXTS) == []
    assert left(TEXTS.replace(b"say", "säen".encode()), taught=TEXTS) == []
    agrees([TEXTS, PLAIN + TEXTS, TEXTS + PLAIN, TEXTS.replace(b"5i", b'"none"')])


@pytest.mark.parametrize(
    "line",
    [
        b"mem,host=a used=1,used=2",
        b'mem,host=a used=1,used="2"',
        b'mem,host=a used="2",used=1',
        b'mem,host=a text="a",text="b",used=1',
        b"mem,host=a used=1e15",
        b"mem,host=a used=-0",
        b"mem,host=a used=9223372036854775807i",
    ],
)
def test_what_the_library_reads_in_its_own_way_is_read_so(line):
    assert left(line) == []
    agrees([line, PLAIN + line, line + b"\n" + PLAIN, PLAIN])


@pytest.mark.parametrize(
    "line",
    [
        b'mem,host=a used=1,text="a"b',
        b'mem,host=a used=1,text="a',
        b'mem,host=a used=1,text="\xff"',
        b'mem,host=a used=1,text="\0"',
        b'mem,host="a" used=1',
        b'mem,host=a us"ed=1',
        b"mem,host=a used=truer",
        b"mem,host=a used=tRUE",
        b"mem,host=a used=.5",
        b"mem,host=a used=5.",
        b"mem,host=a used=05",
        b"mem,host=a used=-0i",
        b"mem,host=a used=1e999",
        b"mem,host=a used=-1u",
        b"mem,host=a used=9223372036854775808i",
        b"mem,host=a used=18446744073709551615u",
        b"mem,host=a used=1 -5",
        b"mem,host=a used=1 9223372036854775807",
        b"mem,host=a used=1 99999999999999999999",
        b"mem,host=a used=1  5",
        b"mem,host=a  used=1",
        b"mem,host=a used=1,",
        b"mem,host=a used=",
        b"mem,host=a =1",
        b"mem,host=a",
        b" mem,host=a used=1",
        b"#mem,host=a used=1\0",
        b"mem,host=a used=1 5 5",
        b"mem,host=a used=1 \nmem,host=a used=1",
        b"mem\\,host=a used=1",
        b"mem,host=a " + b",".join(b"f%d=1" % n for n in range(70)),
    ],
)
def test_what_is_odd_is_left_to_the_general_reader(line):
    assert len(left(line)) == 1
    agrees([line, PLAIN + line, line + b"\n" + PLAIN, PLAIN])


def test_both_ways_agree_on_torn_bytes():
    rng = np.random.default_rng(5)
    agrees([PLAIN, *(torn(PLAIN, rng) for _ in range(FLIPS))])
    agrees([TEXTS, *(torn(TEXTS, rng) for _ in range(FLIPS))])


PARTS = st.sampled_from(
    [
        b"mem,host=a",
        b"cpu",
        b" ",
        b" ",
        b",",
        b"used",
        b"user",
        b"=",
        b"=",
        b"1",
        b"2.5",
        b"-7i",
        b"3u",
        b"1e3",
        b"\n",
        b"\r\n",
        b"#",
        b"5",
        b"\xff",
        b"t",
        b'"',
        b"\\",
        b"\\ ",
    ]
)
LINES = st.sampled_from(
    [
        b"mem,host=a used=1 5\n",
        b"mem,host=b used=2.25,free=1i\n",
        b"cpu u=5",
        b"cpu user=1.7976931348623157e308",
        b"cpu user=123456789.123456789",
    ]
)


@settings(max_examples=200 if JIT else 10, deadline=None)
@given(st.lists(st.lists(st.one_of(LINES, PARTS), max_size=8).map(b"".join), min_size=1, max_size=5))
def test_both_ways_agree_on_records_of_any_shape(values):
    agrees(values)


def test_a_table_that_is_full_begins_anew(monkeypatch):
    monkeypatch.setattr(known_parts, "NODES_MAX", 30)
    agrees([b"mem,host=h%d used=1,free=2" % (n % 40) for n in range(100)])


def test_records_are_learned_some_at_a_time(monkeypatch):
    monkeypatch.setattr(influx, "TAUGHT_MAX", 3)
    values = [b"mem,host=h%d used=1,free=2" % n for n in range(20)]
    agrees(values)
    codec = InfluxCodec(SOURCE)
    codec.decode(records(values), SourceCatalog(SOURCE))
    assert not codec._points.read(values, np.zeros(len(values), np.int64)).lines.verdict.any()


def test_a_batch_that_is_new_is_learned_while_it_is_read(monkeypatch):
    monkeypatch.setattr(influx, "NEW_FIRST", 4)
    read = []
    general = InfluxCodec._read
    monkeypatch.setattr(InfluxCodec, "_read", lambda codec, line, *more: read.append(line) or general(codec, line, *more))
    values = [b"mem,host=h%d used=1" % (n % 5) for n in range(100)]
    agrees(values)
    read.clear()
    InfluxCodec(SOURCE).decode(records(values), SourceCatalog(SOURCE))
    assert read == values[:5]


def test_long_batches_are_read_some_records_at_a_time(monkeypatch):
    monkeypatch.setattr(influx, "RECORDS_MAX", 3)
    agrees([PLAIN, b"mem,host=a used=1", b"mem,host=n used=true"] * 4)
