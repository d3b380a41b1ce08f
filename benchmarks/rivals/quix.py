"""Quix Streams: JSON in, a decayed mean and variance for each key kept in a dictionary, alerts out.

Run as: python quix.py BOOTSTRAP TOPIC MESSAGES. Prints one JSON line: messages, seconds from the first to the last, alerts.
"""

import json
import sys
import time

from quixstreams import Application
from quixstreams.models.topics import TopicConfig
from quixstreams.models.topics.admin import TopicAdmin


def _inspect_topics(admin: TopicAdmin, topic_names: list[str], timeout: float = 30) -> dict[str, TopicConfig]:
    """The embedded broker cannot describe topic configurations, so these are given; nothing of the measured path changes."""
    known = admin.list_topics(timeout=timeout)
    return {n: TopicConfig(num_partitions=len(known[n].partitions), replication_factor=1, extra_config={}) for n in topic_names}


TopicAdmin.inspect_topics = _inspect_topics


def main() -> None:
    bootstrap, topic, expected = sys.argv[1], sys.argv[2], int(sys.argv[3])
    application = Application(
        broker_address=bootstrap,
        consumer_group=f"bench-quix-{time.time_ns()}",
        auto_offset_reset="earliest",
        auto_create_topics=False,
        loglevel="ERROR",
        consumer_extra_config={"session.timeout.ms": 6000, "fetch.wait.max.ms": 10, "queued.max.messages.kbytes": 65536},
    )
    source = application.topic(topic, value_deserializer="json")
    alerts = application.topic("bench.alerts", value_serializer="json")
    state: dict[str, list[float]] = {}
    seen = {"messages": 0, "alerts": 0, "first": 0.0, "last": 0.0}

    def score(value: dict, key: bytes, timestamp: int, headers: object) -> dict | None:
        now = time.perf_counter()
        if not seen["messages"]:
            seen["first"] = now
        seen["messages"] += 1
        if seen["messages"] == expected:
            seen["last"] = now
            application.stop()
        row = state.setdefault(key, [value["value"], 1.0, 0.0])
        gap = value["value"] - row[0]
        z = gap / (row[1] ** 0.5 + 1e-9)
        row[0] += 0.05 * gap
        row[1] += 0.05 * (gap * gap - row[1])
        row[2] += 1
        if row[2] > 30 and abs(z) > 6:
            seen["alerts"] += 1
            return {"key": str(key), "z": z}
        return None

    frame = application.dataframe(source).apply(score, metadata=True).filter(lambda alert: alert is not None)
    frame.to_topic(alerts)
    application.run()
    print(json.dumps({"messages": seen["messages"], "seconds": seen["last"] - seen["first"], "alerts": seen["alerts"]}))


if __name__ == "__main__":
    main()
