"""Lines at their own time, whatever brings them."""

from __future__ import annotations

import orjson
import pytest

from connectors.codecs import build_codec
from engine.config.tree import Format, Mapping, Source
from engine.detect.catalog import SourceCatalog
from engine.records import Record

SECOND_NS = 1_000_000_000
NOW_NS = 1_795_218_880 * SECOND_NS
LINE = "2026-11-20 23:54:36,120 WARN queue is long"
SAID_NS = 1_795_218_876_120_000_000


def times_of(source: Source, *values: bytes) -> list[int]:
    records = [Record("logs", 0, k, NOW_NS, None, value) for k, value in enumerate(values)]
    return build_codec(source).decode(records, SourceCatalog(source)).lines.ts_ns.tolist()


def source(format_: Format, header_times: str | None, **mapping: str) -> Source:
    return Source(
        name="logs", topics=["logs"], format=format_, header_times=header_times, mapping=Mapping.model_validate(mapping)
    )


def test_of_plain_text():
    assert times_of(source(Format.TEXT, "UTC"), LINE.encode(), b"order 7 complete") == [SAID_NS, NOW_NS]
    assert times_of(source(Format.TEXT, "Europe/Berlin"), LINE.encode()) == [SAID_NS - 3600 * SECOND_NS]


def test_by_default_the_time_of_the_record_counts():
    assert times_of(source(Format.TEXT, None), LINE.encode()) == [NOW_NS]


@pytest.mark.parametrize("time", ["", "at |"])
def test_of_documents_without_a_time(time):
    assert times_of(source(Format.JSON, "UTC", time=time, message="m"), orjson.dumps({"m": LINE})) == [SAID_NS]


def test_a_time_of_the_document_is_better():
    document = orjson.dumps({"at": "2026-11-20T23:54:37Z", "m": LINE})
    assert times_of(source(Format.JSON, "UTC", time="at |", message="m"), document) == [SAID_NS + 880_000_000]
