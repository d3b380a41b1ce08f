"""The benchmark of templates runs on whatever has the form of a labelled set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import templates


def test_it_runs_without_rivals_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"user u{n} logged in after {n} ms" if n % 2 else f"disk sd{n} full" for n in range(400)]
    one, stream = tmp_path / "sets" / "one", tmp_path / "stream"
    for folder, name in ((one, "content.log"), (stream, "stream.log")):
        folder.mkdir(parents=True)
        (folder / name).write_text("\n".join(lines) + "\n")
    np.save(stream / "truth.npy", np.arange(400) % 2)
    monkeypatch.setattr(templates, "MINERS_PYTHON", tmp_path / "missing")
    figures = templates.run(quick=True, options=["--data", str(tmp_path / "sets"), "--stream", str(stream)])
    assert figures["left_out"] == ["drain3: make rivals"]
    for name, by_name in ((one.name, figures["sets"]), (stream.name, figures["streams"])):
        ours = by_name[name]["foreshock"]  # type: ignore[index]
        assert ours["templates"] == 2
        assert ours["lines_per_second"] > 0
    attacks = figures["attacks"]
    assert set(attacks) == {"every word new", "few letters", "random bytes", "digits only"}  # type: ignore[call-overload]


def test_accuracies_are_averaged_and_of_ratios_the_middle_is_taken() -> None:
    one = {"foreshock": {"GA": 1.0, "times drain3 plain": 4.0, "templates": 7}}
    two = {"foreshock": {"GA": 0.5, "times drain3 plain": 10.0, "templates": 9}}
    three = {"foreshock": {"GA": 0.9, "times drain3 plain": 5.0, "templates": 9}}
    assert templates._means({"a": one, "b": two, "c": three}) == {"foreshock": {"GA": 0.8, "times drain3 plain": 5.0}}
