"""Snapshots in a folder: `<root>/<topic>-<partition>/<offset>/{manifest, 0000, 0001, …}`.

A snapshot is written beside its place (chunks first, the manifest last, each synced) and moved into it in one step; the
folder is synced too, so that it is there after a power cut or not at all. The newest few are kept.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from pathlib import Path
from typing import Final

from engine.errors import StateError
from engine.ports import Saved
from engine.records import Shard
from engine.shard import snapshot

_MANIFEST: Final = "manifest"
_OFFSET: Final = re.compile(r"\d{20}")
_SAFE: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")  # what Kafka allows in the name of a topic


class FolderStore:
    """Implements `ports.StateStore`. One process writes a shard; calls may come from different threads."""

    def __init__(self, root: Path, *, keep: int = 3) -> None:
        self.skipped = 0
        self._root = root
        self._keep = keep
        self._lock = threading.Lock()

    def save(self, saved: Saved) -> int:
        """See `ports.StateStore`."""
        manifest, chunks = snapshot.encode(saved)
        folder = self._folder(saved.shard)
        with self._lock:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                _clear_leftovers(folder)
                _write_whole(folder, f"{saved.offset:020d}", manifest, chunks)
                self._forget_old(folder)
            except OSError as error:
                raise StateError(f"writing a snapshot of {saved.shard}: {error.strerror or error}") from error
        return len(manifest) + sum(map(len, chunks))

    def load(self, shard: Shard, at_most: int) -> Saved | None:
        """See `ports.StateStore`."""
        folder = self._folder(shard)
        with self._lock:
            for offset in sorted(_offsets(folder), reverse=True):
                if offset > at_most:
                    continue
                try:
                    return _read(folder / f"{offset:020d}", shard, offset)
                except (StateError, OSError):
                    self.skipped += 1
        return None

    def close(self) -> None:
        """Nothing is held open."""

    def _folder(self, shard: Shard) -> Path:
        name = str(shard)
        if not _SAFE.fullmatch(name):
            raise StateError(f"{name!r} cannot be the name of a folder")
        return self._root / name

    def _forget_old(self, folder: Path) -> None:
        for offset in sorted(_offsets(folder), reverse=True)[self._keep :]:
            # The manifest goes first: half a snapshot must not look like a whole one.
            (folder / f"{offset:020d}" / _MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(folder / f"{offset:020d}", ignore_errors=True)


def _offsets(folder: Path) -> list[int]:
    try:
        return [int(entry.name) for entry in folder.iterdir() if _OFFSET.fullmatch(entry.name)]
    except FileNotFoundError:
        return []


def _read(place: Path, shard: Shard, offset: int) -> Saved:
    manifest = snapshot.read_manifest((place / _MANIFEST).read_bytes())
    saved = snapshot.decode(manifest, lambda n: (place / f"{n:04d}").read_bytes())
    if saved.shard != shard or saved.offset != offset:
        raise StateError(f"{place.name} holds the snapshot of {saved.shard} at {saved.offset}")
    return saved


def _write_whole(folder: Path, name: str, manifest: bytes, chunks: list[bytes]) -> None:
    beside = folder / f".{name}"
    beside.mkdir()
    for n, chunk in enumerate(chunks):
        _write_synced(beside / f"{n:04d}", chunk)
    _write_synced(beside / _MANIFEST, manifest)
    _sync_folder(beside)
    shutil.rmtree(folder / name, ignore_errors=True)  # the same offset again: by determinism the same content
    beside.rename(folder / name)
    _sync_folder(folder)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _clear_leftovers(folder: Path) -> None:
    """What a crash left half written."""
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            shutil.rmtree(entry, ignore_errors=True)
