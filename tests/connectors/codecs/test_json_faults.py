"""What one pass says of broken JSON is what the library says, at the same character; what it does not know it leaves to the library."""

import random

import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.codecs import json_faults
from connectors.codecs.json_mapping import JsonCodec
from engine.config.tree import Format, Mapping, Source
from engine.detect.catalog import SourceCatalog
from engine.errors import Reject
from engine.records import Record

WHOLE = [
    b'{"name":"cpu","labels":{"host":"h1"},"ts":1772409600000,"value":51.4}',
    b'{"a":[1,2,{"b":null}],"c":true,"d":false,"e":-0.5e+10}',
    '[1,[],{},[{}],"é\\n\\u00e9"]'.encode(),
    ' [ 1.5 , 2e300 , "\N{GRINNING FACE}" ] '.encode(),
    b'{"a":1e307,"b":123456789012345678901234567890}',
]
PIECES = [bytes([byte]) for byte in b'{}[]:,"\\0123456789.eE+-truefalsn \t\n\x00\x01u\xc3\xa9'] + [
    b"1e999",
    b"null",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\\u00e9",
    b"\\ud800",
    b"01",
    b"-x",
    b"1.",
]


def _said(text):
    """(verdict, character) of the compiled pass."""
    buffer = np.frombuffer(text + bytes(8), np.uint8)
    verdict, place = np.zeros(1, np.int8), np.zeros(1, np.int64)
    members = np.zeros((json_faults.MEMBERS_MAX, 4), np.int64)
    json_faults.check(buffer, np.zeros(1, np.int64), np.array([len(text)]), members, verdict, place)
    return int(verdict[0]), int(place[0])


def _library(text):
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return (json_faults.INFINITE, None) if "infinity" in error.msg else (json_faults.BROKEN, error.pos)
    return json_faults.WHOLE, None


def _agree(text):
    verdict, place = _said(text)
    if verdict != json_faults.UNKNOWN:
        assert (verdict, place if verdict == json_faults.BROKEN else None) == _library(text), text


def _damaged(seed):
    chance = random.Random(seed)
    text = bytearray(chance.choice(WHOLE))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        at = chance.randrange(len(text) + 1)
        match chance.randrange(4):
            case 0:
                text[at:at] = chance.choice(PIECES)
            case 1:
                del text[at : at + chance.randint(1, 3)]
            case 2:
                text[at : at + 1] = chance.choice(PIECES)
            case _:
                del text[max(at, 1) :]
    return bytes(text) or b" "


@pytest.mark.parametrize("text", WHOLE)
def test_whole_texts_are_known_as_such_and_where_they_are_cut_is_known(text):
    assert _said(text)[0] == json_faults.WHOLE
    for size in range(1, len(text)):
        _agree(text[:size])


@settings(max_examples=2000)
@given(st.integers(0, 2**32))
def test_damaged_texts_are_broken_where_the_library_says(seed):
    _agree(_damaged(seed))


@given(st.binary(min_size=1, max_size=40))
@example(b"\xef\xbb\xbf{}")
@example(b" ")
@example(b"[" * 61)
@example(b"[" * 60 + b"]" * 60)
@example(b'{"a":"\\ud83d\\ude00"}')
@example(b"1.7976931348623159e308")
@example(b"0." + b"0" * 400 + b"1")
@example(b"1" + b"0" * 400)
def test_any_bytes_are_broken_where_the_library_says(text):
    _agree(text)


VALUES = st.sampled_from(
    [
        b"1",
        b"-0",
        b"1.5",
        b"1e999",
        b'""',
        b'"x"',
        b'"5"',
        b'"\\u0035"',
        b"true",
        b"null",
        b"[]",
        b'{"a":1}',
        b'"caf\xc3\xa9"',
        b"9" * 30,
        b"",
    ]
)
NAMES = st.sampled_from([b"name", b"labels", b"ts", b"value", b"more", b"", b"val\\u0075e"])


@settings(max_examples=1000)
@given(st.lists(st.tuples(NAMES, VALUES), max_size=20), st.booleans())
def test_documents_are_refused_for_the_reason_that_the_general_reader_has(members, reads_text):
    document = b"{" + b",".join(b'"%s":%s' % member for member in members) + b"}"
    seen = []
    for labels in ("labels", {"*": "labels"}):  # the second is not seen to be flat
        mapping = Mapping(time="ts", time_unit="ms", name="name", values={"": "value"}, labels=labels, numeric_strings=reads_text)
        source = Source(name="s", topics=["t"], format=Format.JSON, mapping=mapping)
        decoded = JsonCodec(source).decode([Record("t", 0, 0, 5, None, document)], SourceCatalog(source))
        seen.append((decoded.rejected, decoded.samples.value.tolist(), list(decoded.samples.key)))
    assert seen[0] == seen[1]


def test_broken_records_are_refused_unread(monkeypatch):
    """Exceptions cost several times what a good message does: no broken record of the usual kinds comes to the general reader."""
    mapping = Mapping(time="ts", time_unit="ms", name="name", values={"": "value"}, labels="labels")
    source = Source(name="s", topics=["t"], format=Format.JSON, mapping=mapping)
    good = b'{"name":"cpu","labels":{},"ts":1772409600000,"value":1}'
    broken = [
        b"",
        good[:-3],
        b"\x00\x01binary",
        b"[]",
        good.replace(b"1772409600000", b'"then"'),
        good.replace(b":1}", b':"much"}'),
        good.replace(b'"cpu"', b'""'),
        good.replace(b'"cpu"', b"7"),
        good.replace(b"value", b"volume"),
        good.replace(b"1}", b"1e999}"),
    ]
    read = []
    general = JsonCodec._decode_one
    monkeypatch.setattr(JsonCodec, "_decode_one", lambda codec, row, *more: read.append(row) or general(codec, row, *more))
    records = [Record("t", 0, offset, 5, None, value) for offset, value in enumerate([good, *broken])]
    decoded = JsonCodec(source).decode(records, SourceCatalog(source))
    assert read == [0]
    assert [part.row for part in decoded.rejected] == list(range(1, len(broken) + 1))
    assert {part.reason for part in decoded.rejected} == {
        Reject.EMPTY,
        Reject.MALFORMED,
        Reject.WRONG_TYPE,
        Reject.BAD_TIME,
        Reject.NOT_FINITE,
    }
