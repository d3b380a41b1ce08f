"""`foreshock demo`: the whole engine over a simulated shop, on a broker of its own, judged against what really happened."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from tempfile import TemporaryDirectory
from typing import IO, Annotated

import orjson
import typer

from connectors.simulator.messages import TOPICS
from connectors.simulator.scenario import Scenario, plan
from engine.cli.demo_truth import Verdict, judge
from engine.cli.demo_watch import Watcher, clock, short
from engine.config import Config
from engine.config.load import load_config
from engine.config.tree import Window
from engine.errors import Unreachable
from engine.wiring.demo import Engine, demo_configuration, embedded_settings, topic_partitions

_GROUP = "foreshock-detect"
_PAUSE_SECONDS = 0.2


def demo(
    scenario: Annotated[
        str, typer.Option(help="shop (everything), quiet (only the harmless surprises), or one fault by name")
    ] = "shop",
    seed: Annotated[int, typer.Option(help="changes times, places and sizes of the faults")] = 1,
    speed: Annotated[float, typer.Option(help="simulated seconds a second; 0: as fast as the engine reads")] = 0.0,
    keep_running: Annotated[bool, typer.Option("--keep-running", help="stay up with /metrics until Ctrl-C")] = False,
    port: Annotated[int, typer.Option(help="admin port for /metrics; 0: any free one")] = 0,
    output: Annotated[str, typer.Option(help="table, or json: ends with one line of figures")] = "table",
) -> None:
    """Run the engine over a simulated shop with eight faults and three harmless surprises, and judge what it finds."""
    story = plan(scenario, seed)
    began = time.monotonic()
    with ExitStack() as stack:
        bootstrap = stack.enter_context(_broker())
        folder = stack.enter_context(TemporaryDirectory(prefix="foreshock-demo-"))
        engine = Engine(_configuration(bootstrap, story, folder, port))
        watcher = Watcher(lambda text: typer.echo(text, err=output == "json"))
        stack.enter_context(_watching(engine, watcher))
        engine.start()
        stack.callback(engine.stop)
        _say(f"engine is up: metrics at http://127.0.0.1:{engine.admin_port}/metrics; seed {seed}, scenario {scenario}")
        producer = stack.enter_context(_simulator(bootstrap, story, speed, keep_running=keep_running))
        sent = _follow(producer, engine)
        engine.drain(60.0)
        seconds = time.monotonic() - began
        verdict = judge(story, watcher.latest)
        if output == "json":
            typer.echo(_as_json(verdict, sent, seconds, seed))
        else:
            typer.echo(_as_table(story, verdict, sent, seconds))
        if keep_running:
            _wait_for_interrupt(engine)
    if verdict.missed or verdict.false:
        raise typer.Exit(1)


def _configuration(bootstrap: str, story: Scenario, folder: str, port: int) -> Config:
    """The shop's configuration, with this run's broker and state folder."""
    config = configuration_of(bootstrap, story, folder)
    return config.model_copy(
        update={
            "kafka": config.kafka.model_copy(update={"client": embedded_settings()}),
            "state": config.state.model_copy(update={"path": folder}),
            "admin": config.admin.model_copy(update={"port": port}),
            "log": config.log.model_copy(update={"level": "warning"}),
        }
    )


def configuration_of(bootstrap: str, story: Scenario, folder: str) -> Config:
    """The shop's configuration with what was announced of this story: its maintenance window."""
    config = load_config(demo_configuration(), {"FORESHOCK_BOOTSTRAP": bootstrap, "FORESHOCK_DEMO_FOLDER": folder})
    windows = []
    if story.window is not None:
        entity, start, end = story.window
        windows = [Window(name="planned restart", entities=[entity], start=_rfc3339(start), end=_rfc3339(end))]
    return config.model_copy(update={"correlate": config.correlate.model_copy(update={"maintenance": windows})})


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


@contextmanager
def _broker() -> Iterator[str]:
    """An embedded broker in a process of its own, with the shop's topics and ours; yields its address."""
    topics = ",".join(f"{name}:{count}" for name, count in {**TOPICS, **topic_partitions(demo_configuration())}.items())
    with _process("connectors.broker.embedded", "--topics", topics) as (process, lines):
        address = lines.readline().strip()
        if not address:
            raise Unreachable(f"the embedded broker did not start (exit code {process.poll()})")
        yield address


@contextmanager
def _simulator(bootstrap: str, story: Scenario, speed: float, *, keep_running: bool) -> Iterator[IO[str]]:
    """The producing process; yields its progress lines."""
    arguments = [
        "--bootstrap",
        bootstrap,
        "--scenario",
        story.name,
        "--seed",
        str(story.seed),
        "--speed",
        str(speed),
        "--group",
        _GROUP,
    ]
    if keep_running:
        arguments.append("--keep-running")
    with _process("connectors.simulator", *arguments) as (_, lines):
        yield lines


@contextmanager
def _process(module: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """A child that ends with us: its standard input closes, and then it is told to stop. Ctrl-C is ours alone."""
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        if process.stdout is None or process.stdin is None:  # cannot be: both are pipes
            raise Unreachable(f"no pipe to {module}")
        yield process, process.stdout
    finally:
        if process.stdin is not None:
            process.stdin.close()
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def _watching(engine: Engine, watcher: Watcher) -> Iterator[None]:
    """A thread that reads the incidents and actions as anybody could, from their topics."""
    stop = threading.Event()
    thread = threading.Thread(target=engine.follow, args=(stop, watcher.incident, watcher.action), name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def _follow(lines: IO[str], engine: Engine) -> int:
    """Show progress until the scenario has been produced; returns the number of messages."""
    sent, told = 0, -1
    for line in lines:
        report = orjson.loads(line)
        sent = int(report["sent"])
        share = int(20 * report["simulated"] / report["of"])
        if share > told or report["ended"]:
            told = share
            _say(
                f"  {5 * share:3d} %  {report['simulated'] / 86400:4.1f} days simulated, {sent:,} records sent, {engine.lag():,} waiting"
            )
        if report["ended"]:
            break
        engine.check()
    else:
        raise Unreachable("the simulator ended before its scenario did")
    return sent


def _wait_for_interrupt(engine: Engine) -> None:
    _say(f"staying up: http://127.0.0.1:{engine.admin_port}/metrics (Ctrl-C ends)")
    try:
        while True:
            engine.check()
            time.sleep(_PAUSE_SECONDS)
    except KeyboardInterrupt:
        return


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _as_json(verdict: Verdict, sent: int, seconds: float, seed: int) -> str:
    figures = {
        "found": verdict.found,
        "missed": verdict.missed,
        "false": len(verdict.false),
        "hint_first": verdict.hint_first,
        "alerts": verdict.alerts,
        "incidents": verdict.incidents,
        "delay_seconds_median": verdict.delay_seconds_median,
        "records_per_second": round(sent / seconds),
        "seconds": round(seconds, 1),
        "seed": seed,
    }
    return orjson.dumps(figures).decode()


def _as_table(story: Scenario, verdict: Verdict, sent: int, seconds: float) -> str:
    rows = ["", "What happened, and what was found"]
    for finding in verdict.findings:
        fault = finding.fault
        what = f"  {clock(fault.start * 10**9)}  {fault.what:16} {fault.entity:13}"
        if finding.incident is None:
            rows.append(f"{what}  MISSED")
            continue
        rank = f"cause ranked {finding.rank}" if finding.rank else "cause not named"
        alerts = f"{finding.incident.alerts_total} alert{'s' if finding.incident.alerts_total != 1 else ''}"
        more = f", {finding.others} more incidents" if finding.others else ""
        delay = f"{finding.delay_seconds or 0:.0f} s"
        rows.append(f"{what}  found as {short(finding.incident.id)} after {delay}, {rank}, {alerts}{more}")
    rows.extend(f"  {clock(h.start * 10**9)}  {h.what:16} {h.entity:13}  harmless" for h in story.happenings if h.harmless)
    rows.extend(f"  FALSE: {clock(i.opened_ts_ns)}  {short(i.id)}  {i.title}" for i in verdict.false)
    per_incident = verdict.alerts / verdict.incidents if verdict.incidents else 0.0
    rows.append(
        f"\n{verdict.found} of {len(verdict.findings)} faults found, {verdict.missed} missed, {len(verdict.false)} false incidents; "
        f"true cause first in {verdict.hint_first}; {verdict.alerts} alerts in {verdict.incidents} incidents "
        f"({per_incident:.1f} an incident); median delay {verdict.delay_seconds_median} s; "
        f"{sent:,} records in {seconds:.1f} s ({sent / seconds:,.0f} a second)"
    )
    return "\n".join(rows)
