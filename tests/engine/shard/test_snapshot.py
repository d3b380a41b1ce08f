"""Snapshots as bytes: what was written comes back to the bit, and nothing else is ever taken for a snapshot."""

from __future__ import annotations

import zlib

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from engine.errors import StateError
from engine.ports import Saved, Snapshot
from engine.records import Shard
from engine.shard import snapshot
from engine.shard.snapshot import decode, encode, read_manifest

SCALARS = st.one_of(
    nps.boolean_dtypes(),
    nps.integer_dtypes(endianness="?"),
    nps.unsigned_integer_dtypes(endianness="?"),
    nps.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    nps.byte_string_dtypes(min_len=1, max_len=9),
    nps.unicode_string_dtypes(min_len=1, max_len=5),
)
NAMES = st.text("abcdefgh_", min_size=1, max_size=6)
FIELDS = st.tuples(NAMES, SCALARS) | st.tuples(NAMES, SCALARS, nps.array_shapes(max_dims=2, max_side=3))
STRUCTURES = st.lists(FIELDS, min_size=1, max_size=4, unique_by=lambda field: field[0]).map(np.dtype)
COLUMN = st.one_of(SCALARS, STRUCTURES).flatmap(lambda dtype: nps.arrays(dtype, st.integers(0, 6)))
META = st.dictionaries(
    NAMES,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)
SAVED = st.builds(
    lambda meta, columns, offset: Saved(Shard("metrics", 3), offset, "k", Snapshot(meta, columns)),
    META,
    st.dictionaries(NAMES, COLUMN, max_size=4),
    st.integers(0, 2**62),
)


def same(left: Saved, right: Saved) -> bool:
    """To the bit: NaN equals NaN of the same payload. Byte order is the only thing that may differ."""
    if left[:3] != right[:3] or left.snapshot.meta != right.snapshot.meta:
        return False
    if list(left.snapshot.columns) != list(right.snapshot.columns):
        return False
    pairs = zip(left.snapshot.columns.values(), right.snapshot.columns.values(), strict=True)
    return all(
        a.dtype.newbyteorder("<") == b.dtype.newbyteorder("<")
        and a.astype(a.dtype.newbyteorder("<")).tobytes() == b.astype(b.dtype.newbyteorder("<")).tobytes()
        for a, b in pairs
    )


def back(manifest: bytes, chunks: list[bytes]) -> Saved:
    return decode(read_manifest(manifest), lambda n: chunks[n])


@settings(deadline=None)
@given(SAVED)
def test_a_snapshot_comes_back_to_the_bit(saved: Saved) -> None:
    assert same(back(*encode(saved)), saved)


@settings(deadline=None)
@given(SAVED)
def test_encoding_is_the_same_each_time_and_columns_come_back_writable(saved: Saved) -> None:
    assert encode(saved) == encode(back(*encode(saved)))
    assert all(column.flags.writeable for column in back(*encode(saved)).snapshot.columns.values())


@settings(max_examples=300, deadline=None)
@given(SAVED, st.data())
def test_changed_bytes_are_refused_or_change_nothing(saved: Saved, data: st.DataObject) -> None:
    manifest, chunks = encode(saved)
    parts = [manifest, *chunks]
    which = data.draw(st.integers(0, len(parts) - 1))
    at = data.draw(st.integers(0, len(parts[which])))
    put = data.draw(st.binary(max_size=4))
    drop = data.draw(st.integers(0, 4))
    parts[which] = parts[which][:at] + put + parts[which][at + drop :]
    try:
        found = back(parts[0], parts[1:])
    except StateError:
        return
    assert same(found, saved)


def forged(dtype: object) -> np.dtype:
    """The dtype of a column that a manifest with a right checksum describes so."""
    body = msgspec.json.encode({
        "format": 1, "topic": "t", "partition": 0, "offset": 0, "kernel_id": "", "meta": {},
        "columns": [{"name": "a", "dtype": dtype, "rows": 0}], "chunks": [],
    })  # fmt: skip
    return back(b"foreshock-snapshot 1 %08x %d\n" % (zlib.crc32(body), len(body)) + body, []).snapshot.columns["a"].dtype


@settings(max_examples=300, deadline=None)
@given(st.recursive(st.none() | st.integers() | st.text("<|fiOVU4810", max_size=5), lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["bytes", "fields"]), x)))  # fmt: skip
def test_a_forged_schema_with_a_right_checksum_is_refused_or_harmless(dtype: object) -> None:
    try:
        found = forged(dtype)
    except StateError:
        return
    assert not found.hasobject


@pytest.mark.parametrize("text", ["01", "0x", "(1", "<i4,<f8", "3f8", "O", "|O8", "<f8 ", "<f8\n", "V8", "", "<U0", "<i\u0664"])
def test_a_dtype_that_is_not_as_it_is_written_is_refused(text: str) -> None:
    """Each of these made the parser of numpy raise something else, or was read as another dtype."""
    with pytest.raises(StateError):
        forged(text)


def test_a_large_column_is_cut_into_chunks_and_whole_again() -> None:
    column = np.arange(400_000, dtype="<f8")
    manifest, chunks = encode(Saved(Shard("t", 0), 9, "k", Snapshot({}, {"a": column, "b": column[:3].astype("<i2")})))
    assert [len(chunk) for chunk in chunks] == [900_000, 900_000, 900_000, 500_006]
    assert back(manifest, chunks).snapshot.columns["a"].tobytes() == column.tobytes()


TITLED = np.zeros(1, np.dtype({"names": ["a"], "formats": ["<f8"], "titles": ["a second name"]}))


@pytest.mark.parametrize("column", [np.array([object()]), np.array([1j]), np.zeros((2, 2)), np.array(["2026"], "M8[s]"), TITLED])
def test_what_cannot_be_written_as_plain_columns_is_refused(column: np.ndarray) -> None:
    with pytest.raises(StateError):
        encode(Saved(Shard("t", 0), 0, "", Snapshot({}, {"a": column})))


def test_a_meta_that_is_not_json_is_refused() -> None:
    with pytest.raises(StateError, match="not JSON"):
        encode(Saved(Shard("t", 0), 0, "", Snapshot({"a": object()}, {})))


def test_padding_and_nested_fields_keep_their_places() -> None:
    inner = np.dtype([("x", "u1"), ("y", "<f8", (2, 3))], align=True)
    column = np.zeros(3, np.dtype([("n", "<i4"), ("inner", inner)], align=True))
    column["inner"]["y"] = np.nan
    saved = Saved(Shard("t", 0), 0, "", Snapshot({}, {"a": column}))
    assert back(*encode(saved)).snapshot.columns["a"].dtype == column.dtype
    assert same(back(*encode(saved)), saved)


def test_no_more_is_taken_than_the_limits_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, _ = encode(Saved(Shard("t", 0), 0, "", Snapshot({}, {"a": np.zeros(3), "b": np.zeros(3)})))
    monkeypatch.setattr(snapshot, "COLUMNS_MAX", 1)
    with pytest.raises(StateError, match="limits"):
        read_manifest(manifest)
