"""Snapshots in a folder: whole or absent, the newest few, never a torn one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from connectors.stores.folder import FolderStore
from engine.errors import StateError
from engine.ports import Saved, Snapshot
from engine.records import Shard

SHARD = Shard("metrics", 2)


def saved(offset: int, shard: Shard = SHARD, rows: int = 5) -> Saved:
    return Saved(shard, offset, "k", Snapshot({"n": offset}, {"a": np.full(rows, float(offset))}))


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def offset_of(found: Saved | None) -> int | None:
    return None if found is None else found.offset


def test_the_newest_at_or_before_an_offset_is_found(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    for offset in (10, 20, 30):
        store.save(saved(offset))
    assert [offset_of(store.load(SHARD, at)) for at in (9, 10, 29, 30, 10**9)] == [None, 10, 20, 30, 30]
    assert store.load(Shard("metrics", 3), 100) is None


def test_only_the_newest_few_are_kept(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, keep=2)
    for offset in range(1, 6):
        store.save(saved(offset))
    assert [offset_of(store.load(SHARD, at)) for at in (3, 4, 5)] == [None, 4, 5]
    assert len(list((tmp_path / "metrics-2").iterdir())) == 2


def test_the_size_told_is_the_size_on_disk(tmp_path: Path) -> None:
    size = FolderStore(tmp_path).save(saved(1, rows=300_000))
    assert size == sum(path.stat().st_size for path in files(tmp_path))


@pytest.mark.parametrize("damage", ["cut", "flip", "remove", "empty"])
@pytest.mark.parametrize("which", [0, -1])
def test_a_damaged_file_sends_us_to_the_snapshot_before(tmp_path: Path, damage: str, which: int) -> None:
    store = FolderStore(tmp_path)
    store.save(saved(10))
    store.save(saved(20))
    victim = files(tmp_path / "metrics-2" / f"{20:020d}")[which]
    content = victim.read_bytes()
    if damage == "remove":
        victim.unlink()
    else:
        victim.write_bytes({"cut": content[:-1], "flip": content[:-1] + bytes([content[-1] ^ 1]), "empty": b""}[damage])
    assert offset_of(store.load(SHARD, 100)) == 10
    assert store.skipped == 1


def test_what_a_crash_left_half_written_is_not_seen_and_is_cleared_away(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.save(saved(10))
    half = tmp_path / "metrics-2" / f".{20:020d}"
    half.mkdir()
    (half / "0000").write_bytes(b"half")
    assert offset_of(store.load(SHARD, 100)) == 10
    store.save(saved(20))
    assert not half.exists()
    assert offset_of(store.load(SHARD, 100)) == 20


def test_a_crash_before_the_move_leaves_the_old_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    store.save(saved(10))

    def no_space(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(StateError, match="No space left"):
        store.save(saved(20))
    assert offset_of(store.load(SHARD, 100)) == 10


def test_the_same_offset_may_be_saved_again(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.save(saved(10))
    store.save(saved(10))
    assert offset_of(store.load(SHARD, 10)) == 10


def test_a_snapshot_in_the_wrong_place_is_not_taken(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.save(saved(10))
    (tmp_path / "metrics-2").rename(tmp_path / "metrics-7")
    assert store.load(Shard("metrics", 7), 100) is None
    assert store.skipped == 1


def test_a_topic_is_never_a_path(tmp_path: Path) -> None:
    with pytest.raises(StateError):
        FolderStore(tmp_path).save(saved(1, Shard("../up", 0)))
