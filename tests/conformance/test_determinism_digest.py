"""The same input gives the same bits on every processor: one digest under every setting that stands in for another machine.

Each run is a process of its own with the setting in its environment. The compiled kernels are kept in one folder, by processor.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CORPUS = ROOT / "tests" / "support" / "digest_corpus.py"
ROWS = 2880
ROWS_PLAIN = 320
"""Without the compiler a row costs three hundred times as much."""

NUMPY_FEATURES = "X86_V3 X86_V4 AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"
"""As numpy names them from 2.4 on, and before."""
HARDWARE = {
    "no fused multiply-add in the C library": {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-FMA,-FMA_Usable,-FMA4,-AVX512F"},
    "numpy without wide vectors": {"NPY_DISABLE_CPU_FEATURES": NUMPY_FEATURES},
    "an older OpenBLAS": {"OPENBLAS_CORETYPE": "Nehalem"},
}  # fmt: skip
SETTINGS = {
    **HARDWARE,
    "a processor of no special gifts": {"NUMBA_CPU_NAME": "generic"},
    "another seed of Python's hashes, one thread": {"PYTHONHASHSEED": "7", "NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
}


def digest_of(rows: int | str, setting: dict[str, str]) -> str:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "0", "PYTHONPATH": str(ROOT), **setting}
    command = [
        sys.executable,
        "-W",
        "ignore",
        str(CORPUS),
        str(rows),
    ]  # numpy says so when it lacks a feature that it was told to leave
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def native() -> str:
    told = digest_of(ROWS, {})
    assert int(told.split()[1]) > 10_000, "a digest of silence proves nothing"
    return told


@pytest.mark.slow
@pytest.mark.parametrize("setting", HARDWARE.values(), ids=list(HARDWARE))
def test_the_setting_takes_hold(setting: dict[str, str]) -> None:
    """It changes the bits of what is not portable; else the law below would be kept by doing nothing."""
    flags = Path("/proc/cpuinfo").read_text().split() if Path("/proc/cpuinfo").exists() else []
    if not {"fma", "avx2", "avx512f"} <= set(flags):
        pytest.skip("this processor has nothing to be taken away")
    assert digest_of("control", setting) != digest_of("control", {})


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS.values(), ids=list(SETTINGS))
def test_no_setting_of_the_processor_changes_a_bit(setting: dict[str, str], native: str) -> None:
    assert digest_of(ROWS, setting) == native


@pytest.mark.slow
def test_compiled_kernels_give_the_bits_of_plain_python() -> None:
    assert digest_of(ROWS_PLAIN, {"NUMBA_DISABLE_JIT": "1"}) == digest_of(ROWS_PLAIN, {"NUMBA_DISABLE_JIT": "0"})
