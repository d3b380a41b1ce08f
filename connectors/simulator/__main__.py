"""The producing process: `python -m connectors.simulator --bootstrap HOST:PORT --scenario shop --seed 1`.

Progress goes to standard output as one JSON line for each simulated hour. The embedded broker keeps only a few MiB a
partition, so the process watches how far `--group` has read and never runs more than `--ahead` messages in front of it.
"""

from __future__ import annotations

import argparse
import sys
import time

import orjson
from confluent_kafka import Consumer, Producer, TopicPartition

from connectors.simulator.messages import TOPICS, Counters, Message, messages, ticks_of
from connectors.simulator.scenario import STEP_SECONDS, plan

_SPAN = 15
_TICKS_AN_HOUR = 3600 // STEP_SECONDS
_STALLED_SECONDS = 60.0


class Throttle:
    """Keeps the producer within `ahead` messages of what the consumer group has committed, and within the asked speed."""

    def __init__(self, bootstrap: str, group: str, ahead: int, speed: float) -> None:
        settings = {"bootstrap.servers": bootstrap, "group.id": group or "nobody", "enable.auto.commit": False}
        self._consumer = Consumer(settings)
        self._partitions = [TopicPartition(t, p) for t, n in TOPICS.items() for p in range(n)]
        self._group = group
        self._ahead = ahead
        self._speed = speed
        self._began = time.monotonic()

    def wait(self, sent: int, simulated_seconds: float) -> None:
        """Return when more may be sent. Raises SystemExit when the group has not moved for a minute."""
        if self._speed > 0:
            time.sleep(max(0.0, self._began + simulated_seconds / self._speed - time.monotonic()))
        since, seen = time.monotonic(), -1
        while self._group and sent - (read := self._read()) > self._ahead:
            if read != seen:
                since, seen = time.monotonic(), read
            if time.monotonic() - since > _STALLED_SECONDS:
                raise SystemExit(f"the group {self._group} stopped reading at {read} of {sent} messages")
            time.sleep(0.02)

    def _read(self) -> int:
        return sum(max(p.offset, 0) for p in self._consumer.committed(self._partitions, timeout=10))

    def close(self) -> None:
        self._consumer.close()


def _send(producer: Producer, message: Message) -> None:
    while True:
        try:
            producer.produce(
                message.topic, key=message.key, value=message.value, timestamp=message.ts_ms, headers=list(message.headers)
            )
        except BufferError:
            producer.poll(0.05)
        else:
            return


def _report(sent: int, simulated_seconds: float, total: float, *, ended: bool = False) -> None:
    sys.stdout.buffer.write(orjson.dumps({"sent": sent, "simulated": simulated_seconds, "of": total, "ended": ended}) + b"\n")
    sys.stdout.flush()


def main() -> None:
    """Produce the whole scenario, then go on quietly in real time when asked to."""
    arguments = _arguments()
    scenario = plan(arguments.scenario, arguments.seed)
    producer = Producer(
        {"bootstrap.servers": arguments.bootstrap, "linger.ms": 20, "enable.idempotence": True, "compression.type": "lz4"}
    )
    throttle = Throttle(arguments.bootstrap, arguments.group, arguments.ahead, arguments.speed)
    total, counters, sent, tick = ticks_of(scenario), Counters(), 0, 0
    while tick < total or arguments.keep_running:
        count = min(_SPAN, total - tick) if tick < total else 1
        for message in messages(scenario, tick, count, counters):
            _send(producer, message)
            sent += 1
        producer.poll(0)
        tick += count
        throttle.wait(sent, tick * STEP_SECONDS)
        if tick % _TICKS_AN_HOUR < count:
            _report(sent, tick * STEP_SECONDS, total * STEP_SECONDS)
        if tick == total:
            producer.flush(30)
            _report(sent, tick * STEP_SECONDS, total * STEP_SECONDS, ended=True)
        if tick >= total:
            time.sleep(1.0)
    producer.flush(30)
    throttle.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m connectors.simulator", description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--scenario", default="shop")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=0.0, help="simulated seconds a second; 0: as fast as the group reads")
    parser.add_argument("--group", default="", help="consumer group to stay close to; empty: do not look")
    parser.add_argument("--ahead", type=int, default=12_000, help="messages that may be unread")
    parser.add_argument("--keep-running", action="store_true", help="go on after the scenario, one tick a second")
    return parser.parse_args()


if __name__ == "__main__":
    main()
