"""Real programs that put things on Kafka: found, set up from `configs/producers`, run, and ended."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from kafka_laws import until
from kafka_server import PROJECT

CONFIGS = PROJECT / "configs" / "producers"
PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
STOP_SECONDS = 60.0
LOOK_SECONDS = 0.1


def program(name: str, package: str) -> str:
    """Where a program is; the test is skipped with a plain word when it is not here."""
    found = shutil.which(name, path=PLACES)
    if found is None:
        pytest.skip(f"{name} is not on this machine: apt-get install {package}")
    return found


def version(command: Sequence[str]) -> str:
    """The first number with dots that a program says of itself."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    found = re.search(r"\d+\.\d+(\.\d+)*", done.stdout + done.stderr)
    return found[0] if found else "of unknown version"


def check(command: Sequence[str], package: str) -> None:
    """Let a program look at its configuration: a module that it cannot load is a reason to skip, all else to fail."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    said = done.stdout + done.stderr
    missing = re.search(r"[^\n:]*: cannot open shared object file", said)
    if missing is not None:
        pytest.skip(f"{missing[0].strip()}: apt-get install {package}")
    assert done.returncode == 0, said


def filled(name: str, folder: Path, values: Mapping[str, object]) -> Path:
    """A file of `configs/producers` with its words between @ signs filled in, each of which must be known."""
    text = re.sub(r"@(\w+)@", lambda word: str(values[word[1]]), (CONFIGS / name).read_text())
    path = folder / name
    path.write_text(text)
    return path


class Running:
    """A program in the foreground, its words in a file. Leaving the block tells it to end and waits until it has."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self._said = folder / f"{Path(command[0]).name}.log"
        self._output = self._said.open("wb")
        self._process = subprocess.Popen(
            command, stdout=self._output, stderr=subprocess.STDOUT, cwd=folder, env={**os.environ, **(environment or {})}
        )

    def until(self, done: Callable[[], bool], about: Callable[[], object] = str) -> None:
        """Wait until it is done; fails, with what is known `about` it, when the program ends before or takes too long."""
        try:
            until(done, self._look)
        except AssertionError:
            pytest.fail(f"not done in time: {about()}; the program said: {self.said()[-2000:]}")

    def _look(self) -> None:
        try:
            code = self._process.wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            return
        pytest.fail(f"the program ended with {code}: {self.said()[-2000:]}")

    def said(self) -> str:
        """All that it has said so far."""
        return self._said.read_text(errors="replace")

    def stop(self) -> None:
        """End it in its own way: what it holds is written first."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                pytest.fail(f"the program did not end: {self.said()[-2000:]}")
        self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
