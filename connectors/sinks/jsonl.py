"""Incidents as JSON lines in a file that only grows: for `tail -f`, for scripts and for a shipper."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from engine.config.tree import JsonLinesSink as Settings
from engine.errors import Retry
from engine.records import Incident, encode


class JsonLinesSink:
    """One line for each revision, whole or absent to a reader of whole lines. Not synced: the topic is what lasts."""

    def __init__(self, settings: Settings) -> None:
        self.name = settings.name
        self._path = Path(settings.path)
        self._file: BinaryIO | None = None

    def deliver(self, incident: Incident, attempt: int) -> None:  # noqa: ARG002 - a reader tells repeats by id and revision
        """Append and hand to the operating system. Raises Retry when it refuses: a full disk passes."""
        line = encode(incident) + b"\n"
        try:
            if self._file is None:
                self._file = self._open()
            written = self._file.write(line)
        except OSError as error:
            self.close()
            raise Retry(f"cannot write {self._path}: {error.strerror}") from error
        if written != len(line):
            self.close()  # the torn line is ended when the file is opened again
            raise Retry(f"cannot write {self._path}: the disk took {written} of {len(line)} bytes")

    def _open(self) -> BinaryIO:
        """Append, unbuffered; a line that was torn by a crash or a full disk is ended first."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        torn = self._path.exists() and self._path.stat().st_size > 0 and not _ends_with_newline(self._path)
        file = self._path.open("ab", buffering=0)
        if torn:
            file.write(b"\n")
        return file

    def close(self) -> None:
        """Close the file; a later delivery opens it again (so a rotated file is left alone after `close`)."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"
