"""The thin process around the runners: a thread for each, probes over all of them, an orderly end."""

from __future__ import annotations

import ctypes
import gc
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from engine.errors import ForeshockError
from engine.health import Health
from engine.ports import Clock
from engine.runner import Runner

STOP_SECONDS: Final = 20.0
"""A runner drains in under ten; what takes longer is left to the end of the process."""
_NO_CODE: Final = 1
SPARE_SECONDS: Final = 60.0
"""How often memory is given back."""
_COLLECT_AFTER: Final = (100_000, 50, 50)
"""Objects between two looks of the collector. A batch makes tens of thousands, which go by themselves when it is done."""


class Process:
    """Runs runners side by side. Implements the admin server's probes. When one fails, all are stopped."""

    def __init__(self, runners: Sequence[Runner], clock: Clock, closing: Sequence[Callable[[], None]] = ()) -> None:
        """`closing` is called once when every runner has ended: what they used and do not own."""
        self._closing = tuple(closing)
        self._runners = tuple(runners)
        self._clock = clock
        self._stop = threading.Event()
        self._codes: dict[int, int] = {}
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=runner.health.stage, daemon=True)
            for number, runner in enumerate(self._runners)
        ]

    def start(self) -> None:
        """Returns at once."""
        spare_collector()
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        """A runner that does not even come back with a code has failed too: no stage may be dead in a process that lives on."""
        code = _NO_CODE
        try:
            code = self._runners[number].run(self._stop)
        finally:
            self._codes[number] = code
            if code:
                self._stop.set()

    def check(self) -> None:
        """Raises ForeshockError when a runner has failed."""
        failed = [runner.health for number, runner in enumerate(self._runners) if self._codes.get(number)]
        if failed:
            raise ForeshockError("; ".join(f"{health.stage}: {health.ended}" for health in failed))

    def wait(self, stop: threading.Event, pause_seconds: float = 0.2) -> int:
        """Until `stop` is set, a runner fails, or all have ended; then stop what still runs. Returns the worst exit code."""
        spare_at = self._clock.monotonic_seconds() + SPARE_SECONDS
        while not stop.is_set() and not self._stop.is_set() and any(t.is_alive() for t in self._threads):
            stop.wait(pause_seconds)
            if self._clock.monotonic_seconds() >= spare_at:
                spare_memory()
                spare_at += SPARE_SECONDS
        return self.stop()

    def stop(self) -> int:
        """Drain and end every runner; returns the worst exit code."""
        self._stop.set()
        deadline = self._clock.monotonic_seconds() + STOP_SECONDS
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - self._clock.monotonic_seconds()))
        late = any(t.is_alive() for t in self._threads)
        if not late:
            closing, self._closing = self._closing, ()
            for close in closing:
                close()
        return max([*self._codes.values(), 1 if late else 0], default=0)

    # ------------------------------------------------------------------------------------------- probes
    def live(self) -> tuple[bool, str]:
        """Every loop still turns."""
        now = self._clock.monotonic_seconds()
        return _all([health.live(now) for health in self._healths()])

    def ready(self) -> tuple[bool, str]:
        """Every stage processes and commits, and nobody has asked to stop."""
        if self._stop.is_set():
            return False, "stopping"
        return _all([health.ready() for health in self._healths()])

    def started(self) -> tuple[bool, str]:
        """Every loop has come round once."""
        return _all([health.started() for health in self._healths()])

    def _healths(self) -> list[Health]:
        return [runner.health for runner in self._runners]


def _all(verdicts: Sequence[tuple[bool, str]]) -> tuple[bool, str]:
    reasons = [reason for holds, reason in verdicts if not holds]
    return not reasons, "; ".join(reasons) or "ok"


def spare_collector() -> None:
    """Have the garbage collector look less often, and never again at what is there now: code and models, which stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


def spare_memory() -> None:
    """Give back to the system what the C library keeps of arrays that were let go of. Tables grow by doubling, and what they outgrew stays with it as
    holes: a hundred MB beside a million series. No effect where it is another library.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
