"""Influx lines: the fast way and the library must never disagree."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from line_protocol_parser import LineFormatError, parse_line

from connectors.codecs import build_codec
from connectors.codecs.influx_points import LineReader
from connectors.codecs.influx_scan import ODD_LINES_MAX
from engine.config.tree import Format, Mapping, Source
from engine.errors import Reject
from engine.records import Record, series_key

SOURCE = Source(name="s", topics=["t"], format=Format.INFLUX)


class Naming:
    """A catalog that does nothing but name series."""

    def metric(self, name, labels, *, kind="", unit=""):
        return series_key(name, tuple(sorted(labels.items())))


def _record(value):
    return Record("topic", 0, 0, 7, None, value)


def _read(codec, catalog, record, value):
    decoded = codec.decode([record(value)], catalog)
    samples = decoded.samples
    return list(zip(samples.key, samples.ts_ns.tolist(), samples.value.tolist(), strict=True)), [
        r.reason for r in decoded.rejected
    ]


_numbers = st.one_of(
    st.floats(-1e14, 1e14).map(repr),
    st.integers(-(10**14), 10**14).map(lambda n: f"{n}i"),
    st.integers(0, 10**14).map(lambda n: f"{n}u"),
    st.sampled_from(
        [
            "1",
            "1.",
            ".5",
            "01",
            "-0",
            "+1",
            "1e5",
            "1e",
            "1.5i",
            "-1u",
            "1_0",
            "nan",
            "inf",
            "t",
            "T",
            "true",
            "False",
            '"a"',
            '"a b"',
        ]
    ),
    st.sampled_from(
        ["1e5i", "--1", "1.2.3", "", "0x10", "1e400", "99999999999999999999i", '"a,b=1"', '"', "1ii", "1u ", "12345678901234567"]
    ),
)
_names = st.sampled_from(["a", "b", "usage_idle", "a\\ b", "a\\,b", "c\\=d", "n-1"])
_fields = st.lists(st.tuples(_names, _numbers), min_size=1, max_size=4).map(lambda pairs: ",".join(f"{n}={v}" for n, v in pairs))
_times = st.sampled_from(
    ["", " 1795218870000000000", " -5", " 99999999999999999999", " 9223372036854775807", " 1.5", " 5 6", " x"]
)
_heads = st.sampled_from(["m", "m,a=b", "m,a=b,c=d\\ e", 'm,q="x"', "prometheus,a=b", " m", "m,a", "#m"])


@settings(max_examples=300, deadline=None)
@given(head=_heads, fields=_fields, time=_times)
def test_a_line_of_a_known_series_reads_as_one_of_an_unknown(head, fields, time):
    """The first decode warms nothing, the later ones have every head and field of the line in memory."""
    catalog, line = Naming(), f"{head} {fields}{time}".encode()
    cold = _read(build_codec(SOURCE), catalog, _record, line)
    codec = build_codec(SOURCE)
    names = {part.split("=")[0] for part in fields.split(",")}
    for name in names:
        _read(codec, catalog, _record, f"{head} {name}=1 5".encode())
    assert _read(codec, catalog, _record, line) == cold
    assert _read(codec, catalog, _record, line) == cold


@settings(max_examples=300, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_both_ways_read_a_number_to_the_same_bit(number):
    text = repr(number)
    try:
        slow = parse_line(f"m v={text}")["fields"]["v"]
    except LineFormatError:
        return
    assert np.float64(slow).tobytes() == np.float64(float(text)).tobytes()


def test_fields_come_in_the_order_of_the_line(catalog, record):
    found, _ = _read(build_codec(SOURCE), catalog, record, b"m c=1,a=2,b=3 5")
    assert [key for key, _, _ in found] == [b"m.c", b"m.a", b"m.b"]


def test_the_catalog_is_asked_once_for_each_series(catalog, record):
    codec = build_codec(SOURCE)
    codec.decode([record(b"m,host=a v=%d,w=1i %d" % (n, n)) for n in range(100)], catalog)
    assert len(catalog.asked) == 2


def test_another_catalog_is_asked_anew(catalog, record):
    codec = build_codec(SOURCE)
    codec.decode([record(b"m v=1")], catalog)
    other = type(catalog)()
    codec.decode([record(b"m v=1")], other)
    assert other.asked == [b"m.v"]


@pytest.mark.parametrize(
    ("value", "samples", "reasons"),
    [
        (b"m v=1 5\nbad\nm v=2 6\n", 2, [Reject.MALFORMED]),
        (b"m v=1 5\r\nm v=2 6\r\n", 2, []),
        (b"# a comment\n", 0, [Reject.EMPTY]),
        (b'm v="only text" 5', 0, [Reject.EMPTY]),
        (b'm v="a\nb",x=1 5\nm v="c",x=2 6', 2, []),
        (b'm v="never closed\nm x=1', 0, [Reject.MALFORMED]),
        (b"m v=NaN,w=1 5", 0, [Reject.MALFORMED]),
        (b"m v=1e16,w=1 5", 1, [Reject.UNLIMITED]),
        (b'm v="\xff",w=1 5\nm v=1 6', 1, [Reject.MALFORMED]),  # given as bytes, this line ends the library and the process
        (b"m,host=\xff v=1 5", 0, [Reject.MALFORMED]),
        (b"", 0, [Reject.EMPTY]),
        (None, 0, [Reject.EMPTY]),
    ],
)
def test_parts_that_cannot_be_used_cost_only_themselves(value, samples, reasons, catalog, record):
    for _ in range(2):
        found, rejected = _read(build_codec(SOURCE), catalog, record, value)
        assert len(found) == samples
        assert rejected == reasons


def test_a_line_without_time_has_the_records(catalog, record):
    (found,), _ = _read(build_codec(SOURCE), catalog, record, b"m v=1")
    assert found[1] == record(b"").ts_ns


def test_the_unit_of_times_may_be_stated(catalog, record):
    source = Source(name="s", topics=["t"], format=Format.INFLUX, mapping=Mapping(time_unit="s"))
    codec = build_codec(source)
    for _ in range(2):
        (found,), _ = _read(codec, catalog, record, b"m v=1 1795218870")
        assert found[1] == 1_795_218_870_000_000_000
        assert _read(codec, catalog, record, b"m v=1 1795218870000")[1] == [Reject.BAD_TIME]


def test_too_many_tags_reject_the_field(catalog, record):
    tags = b",".join(b"t%d=1" % n for n in range(31))
    _, rejected = _read(build_codec(SOURCE), catalog, record, b"m," + tags + b" v=1")
    assert rejected == [Reject.BAD_LABELS]


@given(text=st.text(st.sampled_from('a =,"\\\n\r'), max_size=40))
def test_a_newline_inside_a_quoted_string_ends_no_line(text):
    value, expected, is_open, escaped, line = text.rstrip().encode(), [], False, False, b""
    for byte in (value[at : at + 1] for at in range(len(value))):
        if byte == b"\n" and not is_open:
            expected.append(line)
            line, escaped = b"", False
            continue
        is_open ^= byte == b'"' and not escaped
        escaped = byte == b"\\" and not escaped
        line += byte
    joined, lines, *_ = LineReader(1, short=True).read([text.encode()], np.zeros(1, np.int64))
    found = [joined[begin:end] for begin, end in zip(lines.begin.tolist(), lines.end.tolist(), strict=True)]
    assert found == [one.rstrip(b"\r") for one in (*expected, line) if one.strip()]


@pytest.mark.parametrize("bad", [b"bad", b" m v=1", b"m  v=1", b"m v=05"])
def test_of_a_record_of_odd_lines_only_some_are_read(bad, catalog, record):
    value = b"m v=1 5\n" + (bad + b"\n") * (ODD_LINES_MAX + 1) + b"m v=2 6"
    codec = build_codec(SOURCE)
    for _ in range(2):
        found, reasons = _read(codec, catalog, record, value)
        read = 0 if Reject.MALFORMED in reasons else ODD_LINES_MAX
        assert len(found) == 1 + read
        assert reasons[-1] == Reject.TOO_MANY_FIELDS


@given(
    st.lists(
        st.sampled_from([b"m,t=a\\\\ b v=1", b'm s="x\\\\",v=1', b'm s="\\"",v=1 5', b"m\\ x,t\\,=\\= v\\ w=true", b"#", b""]),
        max_size=6,
    )
)
def test_escapes_are_read_as_the_library_reads_them(lines):
    value = b"\n".join(lines)
    expected = [
        (field, float(number))
        for line in lines
        if line and (parsed := parse_line(line.decode())) is not None
        for field, number in parsed["fields"].items()
        if not isinstance(number, str)
    ]
    codec, catalog = build_codec(SOURCE), Naming()
    for _ in range(2):
        found, _ = _read(codec, catalog, _record, value)
        assert [(key.decode().split("{")[0].split(".", 1)[1], number) for key, _, number in found] == expected
