"""What every benchmark says beside its figures: the machine, the versions, the spread."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from statistics import median


def machine() -> dict[str, object]:
    """Processor, cores and the versions that decide speed."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "numba", "confluent-kafka")},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def resident_bytes() -> int:
    """Memory of this process that is there now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def spread(values: Iterable[float]) -> dict[str, float]:
    """Median, lowest and highest of several runs."""
    ordered = sorted(values)
    return {"median": round(median(ordered), 3), "lowest": round(ordered[0], 3), "highest": round(ordered[-1], 3)}
