"""One engine process for the test that kills it: works for so many rounds, says so, works on a little, and waits."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests" / "support")]


def main(bootstrap: str, prefix: str, state: str, rounds: str) -> None:
    """Never returns by itself."""
    from kafka_laws import Member

    from engine.config.tree import Kafka

    client = {"session.timeout.ms": 1500, "heartbeat.interval.ms": 300, "fetch.wait.max.ms": 20}
    kafka = Kafka(bootstrap=bootstrap, topic_prefix=prefix, client=client, start="earliest", batch_records_max=7)
    member = Member(kafka, Path(state))
    worked = 0
    while worked < int(rounds) + 2:  # the kill comes in one of the last rounds, or when they are over
        before = member.position()
        member.runner.step_once()
        worked += member.position() > before
        if worked == int(rounds):
            sys.stdout.write("in the middle\n")
            sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
