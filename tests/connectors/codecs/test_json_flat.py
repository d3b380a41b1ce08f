"""The short way for flat documents gives what the general way gives, whatever the bytes and whatever it has seen before."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.codecs import build_codec
from connectors.codecs.json_flat import FlatReader, is_flat, specimen
from engine.config.tree import Format, Mapping, Source
from engine.detect.catalog import SourceCatalog
from engine.records import Record

PLAIN = b'{"name":"cpu","labels":{"host":"h1"},"ts":1772409600000,"value":51.4}'
GUESSED = [PLAIN, PLAIN]
"""After these one like them is expected."""
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
    assert _seen(*ways[0], [*GUESSED, payload]) == _seen(*ways[1], [*GUESSED, payload])


@given(st.floats(-1e15, 1e15), st.integers(0, 25))
def test_decimals_are_read_to_the_bit(ways, value, digits):
    payload = PLAIN.replace(b"51.4", f"{value:.{digits}f}".encode())
    assert _seen(*ways[0], [*GUESSED, payload]) == _seen(*ways[1], [*GUESSED, payload])


@settings(max_examples=200)
@given(st.integers(0, 2**32))
def test_damaged_documents_fare_the_same(ways, seed):
    chance = random.Random(seed)
    payload = bytearray(PLAIN)
    for _ in range(chance.randint(1, 3)):
        payload[chance.randrange(len(payload))] = chance.choice(b'"{}:,\\0e-.\xc3 \x00' + bytes([chance.randrange(256)]))
    for before in ([], GUESSED):
        payloads = [*before, bytes(payload), bytes(payload)]
        assert _seen(*ways[0], payloads) == _seen(*ways[1], payloads)


WRITTEN = (
    b'{"name":"%s","labels":{"host":"%s"},"ts":%d,"value":%d}',
    b'{"value":%4$d,"ts":%3$d,"labels":{"host":"%2$s"},"name":"%1$s"}',
    b' { "ts" : %3$d , "name" : "%1$s", "value" : %4$d, "labels" : {"host":"%2$s"} } \n',
)


def _written(form, name, host, ts, value):
    text = WRITTEN[form].decode()
    for place, part in enumerate((name, host, ts, value), 1):
        kind = "s" if place < 3 else "d"
        text = (
            text.replace(f"%{place}${kind}", str(part))
            if "$" in WRITTEN[form].decode()
            else text.replace(f"%{kind}", str(part), 1)
        )
    return text.encode()


@settings(max_examples=100)
@given(st.integers(0, 2**32))
def test_whatever_is_written_in_whatever_order_is_read_as_the_general_way_does(ways, seed):
    """What a document is expected to be, after the one before it, is never taken for what it is."""
    chance = random.Random(seed)
    names, hosts = ("cpu", "cp", "cpu2", "mem"), ("a", "ab", "h1", "h10")
    cycle = [(chance.randrange(3), chance.choice(names), chance.choice(hosts)) for _ in range(chance.randint(1, 6))]
    payloads = []
    for n in range(200):
        form, name, host = cycle[n % len(cycle)] if chance.random() < 0.9 else chance.choice(cycle)
        payloads.append(_written(form, name, host, 1772409600000 + n, chance.randint(-999, 10 ** chance.randint(1, 20))))
        if chance.random() < 0.05:
            payloads[-1] = payloads[-1][: chance.randrange(len(payloads[-1]))]
    fresh = _codec("labels")
    assert _seen(*fresh, payloads) == _seen(*ways[1], payloads)
    assert _seen(*ways[0], payloads) == _seen(*ways[1], payloads)


def test_a_batch_that_is_new_is_learned_while_it_is_read(monkeypatch):
    """Of a batch with few series in many records only the first of each is read the general way."""
    payloads = [_written(0, "cpu", f"h{n % 5}", 1772409600000 + n, n) for n in range(1000)]
    read = []
    general = FlatReader._put_unusual
    monkeypatch.setattr(FlatReader, "_put_unusual", lambda reader, row, *more: read.append(row) or general(reader, row, *more))
    assert len(_seen(*_codec("labels"), payloads)[0]) == 1000
    assert read == list(range(64))


def test_a_specimen_is_a_document_of_the_form_of_its_mapping():
    """It is what the kernels are compiled with before the first record comes."""
    mapping = Mapping(time="at", time_unit="s", name="metric", values={"": "number"}, labels="tags")
    assert is_flat(mapping)
    codec = build_codec(source := Source(name="s", topics=["t"], format=Format.JSON, mapping=mapping))
    decoded = codec.decode([Record("t", 0, 0, 5, None, specimen(mapping))], SourceCatalog(source))
    assert list(decoded.samples.key) == [b'warm-up{host="none"}']
    assert (decoded.samples.ts_ns.tolist(), decoded.samples.value.tolist()) == ([1_000_000_000], [1.0])
