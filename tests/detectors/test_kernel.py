"""The folder of compiled kernels: it changes with the sources, and a read-only one is passed over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detectors import kernel


def test_the_folder_is_named_by_the_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kernel.config, "CACHE_DIR", str(tmp_path))
    assert kernel.cache_folder() == tmp_path / kernel.source_hash()
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.py").write_text("x = 1\n")
    changed = tmp_path / "changed"
    changed.mkdir()
    (changed / "a.py").write_text("x = 2\n")
    assert kernel.source_hash(other) != kernel.source_hash(changed)


def test_a_place_that_cannot_be_written_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setattr(kernel.config, "CACHE_DIR", str(blocked / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr(kernel.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = kernel.cache_folder()
    assert folder is not None
    assert tmp_path in folder.parents
    monkeypatch.setattr(kernel.tempfile, "gettempdir", lambda: str(blocked))
    assert kernel.cache_folder() is None


def test_rows_of_a_state_have_attributes_and_are_no_copies() -> None:
    state = np.zeros(2, [("level", np.float64)])
    assert np.shares_memory(kernel.as_state(state), state)
