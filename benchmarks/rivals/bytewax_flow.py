"""Bytewax: JSON in, a decayed mean and variance for each key by `stateful_map`, alerts out.

Run as: python bytewax_flow.py BOOTSTRAP TOPIC MESSAGES. Prints one JSON line: messages, seconds from first to last, alerts.
"""

import json
import sys
import time

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSinkMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.testing import cluster_main


class Done(Exception):
    """All expected messages were seen."""


def main() -> None:
    bootstrap, topic, expected = sys.argv[1], sys.argv[2], int(sys.argv[3])
    seen = {"messages": 0, "alerts": 0, "first": 0.0, "last": 0.0}

    def decode(message):
        return message.key.decode(), json.loads(message.value)["value"]

    def score(row, value):
        now = time.perf_counter()
        if not seen["messages"]:
            seen["first"] = now
        seen["messages"] += 1
        if seen["messages"] == expected:
            seen["last"] = now
            raise Done
        if row is None:
            row = (value, 1.0, 0)
        gap = value - row[0]
        z = gap / (row[1] ** 0.5 + 1e-9)
        alert = row[2] > 30 and abs(z) > 6
        seen["alerts"] += alert
        return (row[0] + 0.05 * gap, row[1] + 0.05 * (gap * gap - row[1]), row[2] + 1), z if alert else None

    flow = Dataflow("bench")
    source = kop.input(
        "in", flow, brokers=[bootstrap], topics=[topic], tail=True, batch_size=1000, add_config={"fetch.wait.max.ms": "10"}
    )
    keyed = op.map("decode", source.oks, decode)
    scored = op.stateful_map("score", keyed, score)
    alerts = op.filter("alerts", scored, lambda pair: pair[1] is not None)
    out = op.map("out", alerts, lambda pair: KafkaSinkMessage(pair[0].encode(), str(pair[1]).encode()))
    kop.output("kafka", out, brokers=[bootstrap], topic="bench.alerts")
    try:
        cluster_main(flow, [], 0)
    except BaseException:
        if not seen["last"]:
            raise
    print(json.dumps({"messages": seen["messages"], "seconds": seen["last"] - seen["first"], "alerts": seen["alerts"]}))


if __name__ == "__main__":
    main()
