"""The short way for flat documents gives what the general way gives, whatever the bytes and whatever it has seen before."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.codecs import build_codec
from engine.config.tree import Format, Mapping, Source
from engine.detect.catalog import SourceCatalog
from engine.records import Record

PLAIN = b'{"name":"cpu","labels":{"host":"h1"},"ts":1772409600000,"value":51.4}'
ODD = [
    b"",
    b"[]",
    b"\xff",
    PLAIN + b" x",
    b" " + PLAIN + b"\n",
    PLAIN.replace(b"51.4", b"-0"),
    PLAIN.replace(b"51.4", b"1e400"),
    PLAIN.replace(b"51.4", b"1e300"),
    PLAIN.replace(b"51.4", b"NaN"),
    PLAIN.replace(b"51.4", b"true"),
    PLAIN.replace(b"51.4", b'"5"'),
    PLAIN.replace(b"51.4", b"null"),
    PLAIN.replace(b"51.4", b"9007199254740993"),
    PLAIN.replace(b"51.4", b"9" * 30),
    PLAIN.replace(b"51.4", b"9" * 5000),
    PLAIN.replace(b"51.4", b"[" * 3000),
    PLAIN.replace(b"1772409600000", b"1772409600000.5"),
    PLAIN.replace(b"1772409600000", b'"1772409600000"'),
    PLAIN.replace(b"1772409600000", b"9" * 19),
    PLAIN.replace(b"1772409600000", b"-0"),
    PLAIN.replace(b'"ts"', b'"ts":1,"ts"'),
    PLAIN.replace(b'"value"', b'"more":1,"value"'),
    PLAIN.replace(b'"labels"', b'"labels":{"a":"\xff"},"labels"'),
    PLAIN.replace(b'"labels"', b'"\\u006cabels":{"a":"\\ud800"},"labels"'),
    PLAIN.replace(b'"labels"', b'"labels":{"a":1e400},"labels"'),
    PLAIN.replace(b'{"host":"h1"}', b'{"host":"labels"}'),
    PLAIN.replace(b'{"host":"h1"}', b'{ "host" : "h1" }'),
    PLAIN.replace(b'{"host":"h1"}', b"null"),
    PLAIN.replace(b'{"host":"h1"}', b"5"),
    PLAIN.replace(b'{"host":"h1"}', b'{"host":"\xff"}'),
    PLAIN.replace(b'"cpu"', b'""'),
    PLAIN.replace(b'"cpu"', b"7"),
    PLAIN.replace(b'"cpu"', b'"c\xed\xa0\x80"'),
]


def _codec(labels):
    mapping = Mapping(time="ts", time_unit="ms", name="name", values={"": "value"}, labels=labels)
    source = Source(name="s", topics=["t"], format=Format.JSON, mapping=mapping)
    return build_codec(source), SourceCatalog(source)


def _seen(codec, catalog, payloads):
    decoded = codec.decode([Record("t", 0, n, 5, None, payload) for n, payload in enumerate(payloads)], catalog)
    row, key, ts_ns, value = decoded.samples
    return row.tolist(), key, ts_ns.tolist(), value.tobytes(), decoded.rejected


@pytest.fixture(scope="module")
def ways():
    """Both ways under one mapping, which the second states so that it is not seen to be flat; both have met the plain one."""
    both = _codec("labels"), _codec({"*": "labels"})
    for way in both:
        _seen(*way, [PLAIN, PLAIN])
    return both


@pytest.mark.parametrize("payload", ODD, ids=range(len(ODD)))
def test_odd_documents_fare_the_same(ways, payload):
    flat, general = ways
    assert _seen(*flat, [PLAIN, payload, payload, PLAIN]) == _seen(*general, [PLAIN, payload, payload, PLAIN])


@given(st.floats(-1e16, 1e16) | st.integers(-(2**70), 2**70), st.integers(-(2**70), 2**70))
def test_numbers_are_read_to_the_bit(ways, value, ts):
    payload = PLAIN.replace(b"51.4", repr(value).encode()).replace(b"1772409600000", repr(ts).encode())
    assert _seen(*ways[0], [payload]) == _seen(*ways[1], [payload])


@given(st.floats(-1e15, 1e15), st.integers(0, 25))
def test_decimals_are_read_to_the_bit(ways, value, digits):
    payload = PLAIN.replace(b"51.4", f"{value:.{digits}f}".encode())
    assert _seen(*ways[0], [payload]) == _seen(*ways[1], [payload])


@settings(max_examples=200)
@given(st.integers(0, 2**32))
def test_damaged_documents_fare_the_same(ways, seed):
    chance = random.Random(seed)
    payload = bytearray(PLAIN)
    for _ in range(chance.randint(1, 3)):
        payload[chance.randrange(len(payload))] = chance.choice(b'"{}:,\\0e-.\xc3 \x00' + bytes([chance.randrange(256)]))
    assert _seen(*ways[0], [bytes(payload)] * 2) == _seen(*ways[1], [bytes(payload)] * 2)
