"""Bodies that came compressed: what is undone, what is refused, and that a bomb costs nothing."""

import gzip
import io
import random
import tracemalloc

import cramjam
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.codecs import build_codec
from connectors.codecs.packed import RUN_BYTES, UNPACKED_FACTOR
from engine.config.tree import Format, Source
from engine.config.values import Compression
from engine.records import Record

LINE = b"2026-11-20 ERROR gateway timeout after 3000 ms"
ENCODING = "Content-Encoding"


def _zstd_of_unknown_size(body):
    stream = zstandard.ZstdCompressor().compressobj()
    return stream.compress(body) + stream.flush()


PACK = {
    Compression.GZIP: lambda body: gzip.compress(body, mtime=0),
    Compression.ZSTD: zstandard.ZstdCompressor().compress,
    Compression.SNAPPY: lambda body: bytes(cramjam.snappy.compress_raw(body)),
}
each_way = pytest.mark.parametrize("way", list(PACK))


def _codec(way, **more):
    return build_codec(Source(name="s", topics=["t"], format=Format.TEXT, compression=way, **more))


def _records(*values, headers=()):
    return [Record("t", 0, n, 1, None, value, headers) for n, value in enumerate(values)]


@each_way
def test_a_body_is_read_as_if_it_had_come_plain(way, catalog):
    plain = build_codec(Source(name="s", topics=["t"], format=Format.TEXT)).decode(_records(LINE, b"", LINE * 3), catalog)
    packed = _codec(way).decode(_records(PACK[way](LINE), b"", PACK[way](LINE * 3)), catalog)
    assert packed.lines.text == plain.lines.text
    assert packed.lines.row.tolist() == plain.lines.row.tolist() == [0, 2]
    assert packed.rejected == plain.rejected


def test_zstd_frames_that_do_not_state_their_size_are_read_too(catalog):
    body = LINE * 1000
    decoded = _codec("zstd", line_bytes_max="1MiB").decode(_records(_zstd_of_unknown_size(body)), catalog)
    assert decoded.lines.text == [body]


@each_way
def test_a_body_cut_off_or_continued_is_malformed(way, catalog):
    body = PACK[way](LINE * 20)
    values = [body[:length] for length in range(1, len(body))] + [body + b"x", body + body]
    decoded = _codec(way).decode(_records(*values), catalog)
    assert {part.reason for part in decoded.rejected} == {"malformed"}
    assert len(decoded.rejected) == len(values)


def test_a_frame_of_unknown_size_cut_off_or_continued_is_malformed(catalog):
    body = _zstd_of_unknown_size(LINE * 20)
    values = [body[:length] for length in range(1, len(body))] + [body + b"x", body + body]
    assert len(_codec("zstd").decode(_records(*values), catalog).rejected) == len(values)


@pytest.mark.parametrize(
    ("headers", "value", "reason"),
    [
        (((ENCODING, b"gzip"),), gzip.compress(LINE), None),
        (((ENCODING.lower(), b" X-GZIP "),), gzip.compress(LINE), None),
        (((ENCODING, b"snappy"),), bytes(cramjam.snappy.compress_raw(LINE)), None),
        (((ENCODING, b"identity"),), LINE, None),
        ((), gzip.compress(LINE), None),
        ((), zstandard.compress(LINE), None),
        ((), LINE, None),
        (((ENCODING, b"gzip"),), LINE, "malformed"),
        (((ENCODING, b"br"),), LINE, "unsupported"),
        (((ENCODING, b"gzip, gzip"),), gzip.compress(gzip.compress(LINE)), "unsupported"),
        (((ENCODING, b"gzip"), (ENCODING, b"gzip")), gzip.compress(gzip.compress(LINE)), "unsupported"),
    ],
)
def test_auto_goes_by_the_header_then_by_the_first_bytes(headers, value, reason, catalog):
    decoded = _codec("auto").decode(_records(value, headers=headers), catalog)
    assert [part.reason for part in decoded.rejected] == ([reason] if reason else [])
    assert decoded.lines.text == ([] if reason else [LINE])


def test_nothing_is_asked_of_the_bytes_unless_configured(catalog):
    decoded = _codec("none").decode(_records(gzip.compress(LINE), headers=((ENCODING, b"gzip"),)), catalog)
    assert decoded.lines.text != [LINE]


def _bombs():
    zeros = bytes(50_000_000)
    yield "gzip", gzip.compress(zeros, 9)
    yield "zstd", zstandard.compress(zeros)
    yield "zstd", _zstd_of_unknown_size(zeros)
    yield "snappy", bytes(cramjam.snappy.compress_raw(zeros))
    yield "snappy", b"\xff\xff\xff\xff\x0f" + b"a" * 50  # says that it is of 4 GB
    wide = io.BytesIO()
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=27)
    with zstandard.ZstdCompressor(compression_params=parameters).stream_writer(wide, closefd=False) as stream:
        stream.write(LINE)
    yield "zstd", wide.getvalue()  # wants a window of 128 MB


@pytest.mark.parametrize(("way", "bomb"), list(_bombs()), ids=["gzip", "zstd", "zstd-unstated", "snappy", "snappy-lie", "window"])
def test_a_bomb_is_refused_and_costs_no_memory(way, bomb, catalog):
    codec = _codec(way)
    tracemalloc.start()
    decoded = codec.decode(_records(bomb, PACK[way](LINE)), catalog)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert decoded.rejected[0].reason in ("too_large", "malformed")
    assert decoded.lines.text == [LINE]
    assert peak < 32_000_000


def test_how_much_may_come_out_follows_the_limit_of_records(catalog):
    text = bytes(range(33, 120)) * 100
    most = len(text) // UNPACKED_FACTOR + 1
    small, fitting = (_codec("gzip", record_bytes_max=f"{size}B") for size in (most - 100, most))
    assert [part.reason for part in small.decode(_records(gzip.compress(text)), catalog).rejected] == ["too_large"]
    assert not fitting.decode(_records(gzip.compress(text)), catalog).rejected


def test_a_batch_larger_than_one_run_keeps_its_order(catalog):
    body = random.Random(1).randbytes(3_000_000).hex().encode()
    count = RUN_BYTES // len(body) + 3
    values = [gzip.compress(body, 1)] * count + [b"x", gzip.compress(LINE)]
    decoded = _codec("gzip").decode(_records(*values), catalog)
    assert decoded.lines.row.tolist() == [*range(count), count + 1]
    assert [part.row for part in decoded.rejected] == [count]


@each_way
@settings(max_examples=50, deadline=None)
@given(body=st.binary(min_size=1, max_size=300), junk=st.binary(max_size=40), at=st.integers(0, 400))
def test_any_bytes_are_accounted_for(way, body, junk, at):
    packed = PACK[way](body)
    values = [packed, junk, packed[:at] + junk + packed[at:]]
    decoded = _codec(way).decode(_records(*values), _Open())
    assert {*decoded.lines.row.tolist(), *(part.row for part in decoded.rejected)} == {0, 1, 2}


class _Open:
    def stream(self, labels):
        return b"s"
