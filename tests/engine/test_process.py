"""Runners side by side: started together, stopped together, and what the probes say meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from log_world import StillClock, TallyMachine, Told, World, WorldPublisher, WorldSource, numbers

from engine.errors import ForeshockError, Unreachable
from engine.health import STALLED_SECONDS
from engine.ports import Polled
from engine.process import Process
from engine.records import Shard
from engine.runner import Runner, RunnerOptions

PATIENCE_SECONDS = 30.0
"""After which a test is given up: nothing is ever measured."""
ONE = Shard("numbers", 0)


class Waiting(WorldSource):
    """Waits for records for as long as it is asked to; tells when it has nothing left, and may fail or hang by then."""

    def __init__(self, world: World, at_the_end: Callable[[], None] = lambda: None) -> None:
        super().__init__(world)
        self.idle, self.closed = threading.Event(), threading.Event()
        self._never = threading.Event()
        self._at_the_end = at_the_end

    def poll(self, timeout_seconds: float) -> Polled:
        if self.done():
            self.idle.set()
            self._at_the_end()
            self._never.wait(timeout_seconds)
        return super().poll(timeout_seconds)

    def close(self) -> None:
        super().close()
        self.closed.set()


class Torn(Waiting):
    def close(self) -> None:
        raise OSError("closing failed")


class HastyClock(StillClock):
    """Each look at it is a minute later than the one before."""

    def __init__(self) -> None:
        super().__init__(step_seconds=60.0)


def a_runner(source: Waiting, stage: str = "detect", clock: StillClock | None = None) -> Runner:
    return Runner(
        stage,
        source,
        WorldPublisher(source.world),
        None,
        TallyMachine,
        RunnerOptions(start="earliest", poll_seconds=0.01),
        observe=lambda _stats: None,
        log=Told(),
        clock=clock or StillClock(),
    )


def a_source(at_the_end: Callable[[], None] = lambda: None, kind: type[Waiting] = Waiting) -> Waiting:
    return kind(World({ONE: numbers(ONE, range(50))}), at_the_end)


def fail() -> None:
    raise Unreachable("the broker is away")


def crash() -> None:
    raise ZeroDivisionError("a defect")


def test_every_runner_works_until_told_to_stop_and_drains() -> None:
    sources = [a_source(), a_source()]
    process = Process([a_runner(source) for source in sources], StillClock())
    process.start()
    assert all(source.idle.wait(PATIENCE_SECONDS) for source in sources)
    assert process.stop() == 0
    assert [source.world.commits[ONE][0] for source in sources] == [50, 50]
    assert all(source.closed.is_set() for source in sources)


@pytest.mark.parametrize(("at_the_end", "code"), [(fail, 4), (crash, 1)])
def test_when_one_runner_fails_all_are_stopped_and_its_exit_code_is_that_of_the_process(
    at_the_end: Callable[[], None], code: int
) -> None:
    good, bad = a_source(), a_source(at_the_end)
    process = Process([a_runner(good), a_runner(bad, "correlate")], StillClock())
    process.start()
    assert process.wait(threading.Event(), 0.01) == code
    assert good.world.commits[ONE][0] == 50
    assert good.closed.is_set()
    with pytest.raises(ForeshockError, match=r"^correlate: "):
        process.check()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_runner_that_cannot_even_end_in_order_is_a_failure_too() -> None:
    """Otherwise a stage would be dead in a process that lives on."""
    good = a_source()
    process = Process([a_runner(good), a_runner(a_source(fail, kind=Torn), "correlate")], StillClock())
    process.start()
    assert process.wait(threading.Event(), 0.01) == 1
    assert good.closed.is_set()
    with pytest.raises(ForeshockError, match="correlate"):
        process.check()


def test_a_request_to_stop_ends_the_wait() -> None:
    source, stop = a_source(), threading.Event()
    process = Process([a_runner(source)], StillClock())
    process.start()
    assert source.idle.wait(PATIENCE_SECONDS)
    stop.set()
    assert process.wait(stop) == 0
    assert source.closed.is_set()
    process.check()


def test_a_runner_that_hangs_is_left_behind_and_the_exit_code_says_so() -> None:
    release = threading.Event()
    source = a_source(lambda: None if release.wait(PATIENCE_SECONDS) else fail())
    process = Process([a_runner(source)], HastyClock())
    process.start()
    assert source.idle.wait(PATIENCE_SECONDS)
    assert process.stop() == 1
    release.set()
    assert source.closed.wait(PATIENCE_SECONDS)


def test_what_the_runners_shared_is_closed_once_and_after_all_of_them() -> None:
    sources, closed = [a_source(), a_source()], []
    process = Process(
        [a_runner(source) for source in sources],
        StillClock(),
        [lambda: closed.append([source.closed.is_set() for source in sources])],
    )
    process.start()
    process.stop()
    process.stop()
    assert closed == [[True, True]]


def test_stopping_what_was_never_started_is_allowed() -> None:
    assert Process([a_runner(a_source())], StillClock()).stop() == 0


def test_a_process_without_runners_has_nothing_to_wait_for() -> None:
    assert Process([], StillClock()).wait(threading.Event()) == 0


# ------------------------------------------------------------------------------------------------ probes
def test_the_probes_follow_the_life_of_a_process() -> None:
    source = a_source()
    process = Process([a_runner(source)], StillClock())
    assert process.live() == (True, "ok")
    assert process.started() == (False, "detect: not started")
    assert process.ready() == (False, "detect: no assignment from the group yet")
    process.start()
    assert source.idle.wait(PATIENCE_SECONDS)
    assert process.live() == process.ready() == process.started() == (True, "ok")
    process.stop()
    assert process.live() == (True, "ok")
    assert process.ready() == (False, "stopping")


def test_one_stage_that_is_not_ready_makes_the_process_not_ready_and_is_named() -> None:
    source = a_source()
    process = Process([a_runner(source), a_runner(a_source(), "correlate")], StillClock())
    process._threads = process._threads[:1]  # the second never comes up
    process.start()
    assert source.idle.wait(PATIENCE_SECONDS)
    assert process.ready() == (False, "correlate: no assignment from the group yet")
    assert process.started() == (False, "correlate: not started")
    process.stop()


def test_a_failed_stage_is_not_alive() -> None:
    process = Process([a_runner(a_source(fail))], StillClock())
    process.start()
    process.wait(threading.Event(), 0.01)
    assert process.live() == (False, "detect: Unreachable: the broker is away")


def test_a_loop_that_stands_still_is_not_alive() -> None:
    release = threading.Event()
    source = a_source(lambda: None if release.wait(PATIENCE_SECONDS) else fail())
    clock = StillClock()
    process = Process([a_runner(source)], clock)
    process.start()
    assert source.idle.wait(PATIENCE_SECONDS)
    assert process.live() == (True, "ok")
    clock.now += 1e6 + STALLED_SECONDS
    holds, reason = process.live()
    assert not holds
    assert reason.startswith("detect: the loop has not come round for")
    release.set()
    process.stop()
