"""The demo as anybody starts it: it finds the fault and says so in one line."""

from __future__ import annotations

import subprocess
import sys

import orjson
import pytest

FIGURES = {
    "found", "missed", "false", "hint_first", "alerts", "incidents", "delay_seconds_median", "records_per_second", "seconds", "seed",
}  # fmt: skip


@pytest.mark.slow
def test_the_demo_finds_a_bad_deploy_and_ends_with_its_figures() -> None:
    command = [sys.executable, "-m", "engine", "demo", "--scenario", "bad-deploy", "--seed", "3", "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    figures = orjson.loads(done.stdout.splitlines()[-1])
    assert set(figures) == FIGURES
    assert (figures["found"], figures["missed"], figures["seed"]) == (1, 0, 3)
    assert figures["incidents"] >= 1
