"""What people would be told of a log: its alerts, by the detect stage with all its gates."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from connectors.codecs import build_codec
from engine.config.tree import Detect, Source
from engine.detect.catalog import SourceCatalog
from engine.detect.stage import DetectMachine
from engine.records import Alert, AlertState, Record, Shard, Topic, decode_alerts_message

BATCH: Final = 500


def alerts_of(records: Iterable[Record], shard: Shard, source: Source, config: Detect) -> list[Alert]:
    """The first message of each alert that fires, in order."""
    machine = DetectMachine(shard, codec=build_codec(source), catalog=SourceCatalog(source), source=source, config=config)
    log = iter(records)
    batches = iter(lambda: list(islice(log, BATCH)), [])
    outputs = (output for batch in batches for output in machine.step(batch).outputs if output.topic is Topic.ALERTS)
    messages = (decode_alerts_message(output.value or b"") for output in outputs)
    return [m for m in messages if isinstance(m, Alert) and m.revision == 1 and m.state is AlertState.FIRING]
