"""The folder of compiled kernels: it changes with the sources, and a read-only one is passed over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

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


@kernel.kernel
def double(array: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    for i in range(array.shape[0]):
        out[i] = 2.0 * array[i]


def test_a_bound_kernel_takes_arrays_of_any_stride_and_length() -> None:
    table = np.arange(12.0).reshape(4, 3)
    call = kernel.bound(double, table[:, 1], np.zeros(4))
    for rows in (4, 2, 1, 0):
        out = np.zeros((rows, 2))
        call(table[:rows, 1], out[:, 0])
        assert out[:, 0].tolist() == [2.0, 8.0, 14.0, 20.0][:rows]
        assert not out[:, 1].any()
    if kernel.JIT:
        assert len(double.signatures) == 1, "one row is contiguous and must compile nothing anew"
