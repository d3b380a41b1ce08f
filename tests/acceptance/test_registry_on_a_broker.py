"""Messages whose schema a registry keeps, through a broker and the daemon's own runner, with the registry away at first."""

from __future__ import annotations

import orjson
import pytest
from registry_world import FakeRegistry, avro_point, frame

from connectors import schemas
from engine.config import Config
from engine.errors import Unreachable
from engine.records import Record, Shard
from engine.wiring.files import through_kafka, through_memory

SHARD = Shard("points", 0)
STEP_MS = 30_000
TS_MS = 1_795_218_876_000


def config(url):
    mapping = {"time": "ts", "time_unit": "ms", "name": "metric", "values": "value", "labels": "labels"}
    source = {"name": "points", "topics": ["points"], "format": "schema_registry", "registry": {"url": url}, "mapping": mapping}
    return Config.model_validate({"sources": [source], "detect": {"warm_up": "5m"}})


def log():
    """A level that jumps, a message of no known schema, and one that is torn."""
    values = [frame(1, avro_point(float(5 + n % 3 + 100 * (n > 90)), TS_MS + n * STEP_MS)) for n in range(120)]
    values[40:40] = [frame(404, b"whatever"), frame(1, b"\x00")]
    return {SHARD: [Record(*SHARD, n, (TS_MS + n * STEP_MS) * 1_000_000, b"k", value) for n, value in enumerate(values)]}


def reasons(results):
    return [orjson.loads(line)["reason"] for line in results.files()["dead-letters.jsonl"]]


def test_a_registry_that_is_away_at_first_costs_time_and_no_record(monkeypatch):
    monkeypatch.setattr(schemas, "RETRY_FIRST_SECONDS", 0.05)
    with FakeRegistry() as registry:
        alone = through_memory(config(registry.url), log())
        registry.refusals += [(503, b"")] * 3
        through = through_kafka(config(registry.url), log(), "embedded")
    assert alone.count("alerts.jsonl") > 0
    assert reasons(alone) == ["unsupported", "malformed"]
    assert through.count("incidents.jsonl") == alone.count("incidents.jsonl")  # whose stamps name topics of our own
    for name in ("alerts.jsonl", "changes.jsonl", "actions.jsonl", "dead-letters.jsonl"):
        assert through.files()[name] == alone.files()[name]


def test_files_are_not_read_without_their_schemas():
    with FakeRegistry() as registry:
        registry.refusals += [(503, b"")]
        with pytest.raises(Unreachable, match="503"):
            through_memory(config(registry.url), log())
