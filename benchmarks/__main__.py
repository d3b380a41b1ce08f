"""One way to run them all: `python -m benchmarks NAME [--quick] [--output json]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module

import orjson

BENCHMARKS: dict[str, str] = {
    "pipeline": "messages a second from a topic to alerts, beside a bare consume loop, Quix Streams and Bytewax",
    "latency": "milliseconds from a record's producer to what the detect stage says with it, at a steady rate",
    "formats": "points or lines a second of each input format: as a library reads it, and by the short way where there is one",
    "attack": "a new series for every sample: memory over time, and what it does to honest series of the same partition",
    "memory": "resident memory of many live series, and over fifty million messages",
    "poison": "one record in ten is broken: what it costs, and whether just these go to the dead letters",
    "kernels": "samples a second of each detector kernel and of the whole bank, beside river",
    "fleets": "one pod that is off among forty, and new pods in their first hours: found and false, on made-up fleets",
    "entities": "several metrics that are a little off together: found and false, on made-up entities",
    "forecasts": "coverage of intervals, false alerts a series and month, delay of leaks; on made-up series and those of --data",
    "calibration": "false alerts a series and month at a score of 1.0, on made-up months in which nothing happens",
    "made_up": "writes made-up production KPIs with known events, for `quality` (--out FOLDER)",
    "sessions": "log sessions that went unlike the others: F1 and ranking on labelled sets (--data) and made-up ones",
    "logs": "what is told of log lines: precision, recall and F1 of each kind of anomaly, on made-up logs with known troubles",
    "templates": "log templates beside Drain3: accuracy by a scorer given with --scorer, lines a second, memory over long streams",
    "causes": "root causes beside BARO, N-sigma, correlation and random walk: accuracy, abstention, calibration, time a case",
    "grouping": "alerts into incidents, beside grouping by service and by gaps in time: F1 over pairs, ARI, V-measure, compression",
    "storm": "the correlate stage with 10,000 open alerts, in a storm of 100,000, and its hints over 1,000 series",
    "end_to_end": "faults on a continuous stream whose times nobody gives: found, true entity first, incidents about nothing, delay",
    "shop": "the shop of `foreshock demo` offline, over many seeds: faults found, true cause first, incidents about nothing",
    "quality": "metric detection on labelled series in a folder (--data), by the scorers given with --scorer",
}
"""Name → what it measures. Each is a module here with `run(quick: bool, options: list[str]) -> dict`."""


def main() -> int:
    """Run one benchmark and print its figures as one JSON line (or readable, by default)."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=sorted(BENCHMARKS))
    parser.add_argument("--list", action="store_true", help="name them all")
    parser.add_argument("--quick", action="store_true", help="small and rough: does it run, what is the order of size")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    arguments, options = parser.parse_known_args()
    if arguments.list or not arguments.name:
        for name, about in sorted(BENCHMARKS.items()):
            print(f"{name:10} {about}")
        return 0
    run: Callable[..., dict[str, object]] = import_module(f"benchmarks.{arguments.name}").run
    figures = {"benchmark": arguments.name, "quick": arguments.quick, **run(quick=arguments.quick, options=options)}
    indent = orjson.OPT_INDENT_2 if arguments.output == "text" else 0
    sys.stdout.write(orjson.dumps(figures, option=indent).decode() + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
