"""Prints one digest of what the models and the detect stage make of a fixed corpus: `python digest_corpus.py ROWS`.

With `control` in place of the rows it prints one of what is known to differ: exponentials of the C library and of numpy, and a
product of matrices. A setting that leaves this alone has not taken hold, and proves nothing.

Its input is made of whole numbers and of + - * / alone, so that a difference between two runs is one of the program.
"""

from __future__ import annotations

import math
import sys
from hashlib import blake2b

import numpy as np
from detect_world import SOURCE, machine, play, record
from numpy.typing import NDArray

from detectors import calibration
from engine.config.tree import Detect
from engine.detect.bank import Bank
from engine.detect.catalog import SourceCatalog

START_NS = 1_760_000_000_000_000_000
SERIES = 6
PODS = 7
"""One of them is born halfway, one is off at the end: peers and heirs."""


def noise(rows: int, seed: int) -> NDArray[np.float64]:
    """About normal, -6 … 6: twelve uniform numbers of a counter-based generator."""
    words = np.random.Generator(np.random.Philox(seed)).integers(0, 1 << 32, (12, rows)).astype(np.float64)
    total = np.zeros(rows)
    for part in words:  # one after the other: numpy's own sum may take them in any order
        total += part / 4_294_967_296.0
    return total - 6.0


def corpus(rows: int) -> list[NDArray[np.float64]]:
    """Noise, a wave, a ramp, steps, events and what is no number; one series each, all with a fault at three quarters."""
    index = np.arange(rows)
    day = (index % 1440) / 1440.0
    waves = 200.0 * day * (1.0 - day)
    series = [
        100.0 + 5.0 * noise(rows, 1),
        50.0 + waves + noise(rows, 2),
        20.0 + np.maximum(index - rows // 2, 0) * 0.05 + noise(rows, 3),
        np.where(index < rows // 2, 7.0, 9.0),
        (noise(rows, 4) > 2.0) * 1.0,
        100.0 + 5.0 * noise(rows, 5),
    ]
    fault = rows * 3 // 4
    for value in series:
        value[fault : fault + 20] += 200.0
    hostile = series[-1]
    for place, value in ((50, np.nan), (51, np.inf), (53, 1e200), (55, 5e-324), (56, 9.9e14)):
        hostile[place::97] = value
    return series


def models(rows: int) -> bytes:
    """Every result and the whole state of a bank of all tiers."""
    bank, catalog = Bank(Detect(tier="full")), SourceCatalog(SOURCE)
    for slot in range(SERIES):
        bank.admit(slot, catalog.describe(catalog.metric("digest", {"n": str(slot)})))
    slots = np.tile(np.arange(SERIES, dtype=np.int64), rows)
    ts_ns = START_NS + np.repeat(np.arange(rows, dtype=np.int64), SERIES) * 60_000_000_000
    scored = bank.score(slots, ts_ns, np.stack(corpus(rows), axis=1).reshape(-1))
    state = bank.snapshot()
    said = [scored.result[name] for name in calibration.RESULT.names]
    kind = calibration.RESULT.names.index("kind")
    said[kind] = said[kind].astype(np.int8)
    return b"".join(part.tobytes() for part in (*said, scored.factors)) + state["rows"].tobytes()


def stage(rows: int) -> bytes:
    """Every message of the detect stage: samples of all series, lines and an event."""
    log = []
    names = ["latency", "cpu.percent", "disk.percent", "limit", "events", "odd"]
    series = corpus(rows)
    fault = rows * 3 // 4
    pods = [(20.0 + k + 2.0 * noise(rows, 20 + k)).tolist() for k in range(PODS)]
    born = [rows // 2 if k == PODS - 1 else 0 for k in range(PODS)]
    pods[2][fault : fault + 60] = [4.0 * x for x in pods[2][fault : fault + 60]]
    for minute in range(rows):
        at = minute * 60.0
        samples = [(name, {"service": "cart"}, at, float(v[minute])) for name, v in zip(names, series, strict=True)]
        samples = [sample for sample in samples if abs(sample[3]) < 1e300]
        samples += [
            ("pods", {"service": "web", "pod": f"p{k}"}, at, pod[minute]) for k, pod in enumerate(pods) if minute >= born[k]
        ]
        lines = [({"service": "cart"}, at, 9, f"served request {minute} in {minute * 7919 % 70} ms")]
        if fault <= minute < fault + 20:
            lines.append(({"service": "cart"}, at, 17, f"cannot reach payment after {minute} ms: connection refused"))
        events = [("deploy", "cart", at, 9, True)] if minute == fault else []
        log.append(record(minute, at, s=samples, l=lines, e=events))
    outputs, _ = play(machine(Detect()), log, range(0, rows, 377))
    return b"\n".join(bytes(output.value or b"") for output in outputs)


def control() -> str:
    """What no kernel of ours may call."""
    x = 3.0 * noise(20_000, 9)
    square = x.reshape(100, 200) @ x.reshape(200, 100)  # many sums: a single one may round to the same bits by chance
    parts = (np.array([math.exp(one) for one in x.tolist()]).tobytes(), np.exp(x).tobytes(), square.tobytes())
    return " ".join(blake2b(part, digest_size=8).hexdigest() for part in parts)


def main() -> None:
    if sys.argv[1] == "control":
        sys.stdout.write(control())
        return
    rows = int(sys.argv[1])
    told = stage(rows)
    state = blake2b(models(rows), digest_size=16)
    state.update(told)
    sys.stdout.write(f"{state.hexdigest()} {len(told)}\n")


if __name__ == "__main__":
    main()
