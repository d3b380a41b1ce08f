"""What of live lines is mined, and what else they say: levels, sessions, numbers; through a whole shard too."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from detect_world import SOURCE, machine, play, record

from engine.config.logs import Logs
from engine.config.mapping import Mapping
from engine.config.tree import Detect
from engine.detect import loglines
from engine.detect.messages import Messages
from engine.metrics import Metric
from engine.records import Fields, Lines

HEADER = b"2026-03-02T10:00:00Z [notice] "
BODY = b'{"msg":"order complete","trace_id":"4bf92f35","took_ms":31,"level":"warn"}'
LOGFMT = b'level=error msg="order lost" trace_id=4bf92f35 size=7 took=1.5s'


def read(texts: list[bytes], severity: int = 0, config: Logs | None = None, mapping: Mapping | None = None):
    n = len(texts)
    lines = Lines(np.arange(n, dtype=np.int32), [b"log"] * n, np.arange(n), np.full(n, severity, np.int8), texts)
    return Messages(config or Logs(), mapping or Mapping()).read(lines, np.zeros(n, np.int64))


def test_a_body_is_opened_alone_and_behind_a_header():
    lines, messages, _ = read([BODY, HEADER + BODY, LOGFMT, HEADER + LOGFMT, b"plain 5 ms"])
    assert messages == [b"order complete", b"order complete", b"order lost", b"order lost", b"plain 5 ms"]
    assert lines.severity.tolist() == [13, 13, 17, 17, 0]
    json, logfmt = (("took_ms", 31.0),), (("size", 7.0), ("took", 1.5))
    assert lines.fields == [Fields(b"4bf92f35", numbers) for numbers in (json, json, logfmt, logfmt)] + [Fields()]
    assert lines.text[1] == HEADER + BODY


def test_a_header_gives_a_level_where_nothing_else_does():
    assert read([HEADER + b"x"]).lines.severity.tolist() == [10]
    assert read([HEADER + b"x"], severity=17).lines.severity.tolist() == [17]


def test_what_is_off_leaves_lines_as_they_are():
    lines, messages, _ = read([HEADER + BODY], config=Logs(headers=False, bodies=False))
    assert messages == [HEADER + BODY]
    assert (lines.severity.tolist(), lines.fields) == ([0], None)
    assert read([HEADER + BODY], config=Logs(bodies=False)).messages == [BODY]


def test_the_mapping_of_the_source_says_what_of_a_body_is_read():
    fields = read([BODY], mapping=Mapping(session="level", numbers="none")).lines.fields
    assert fields == [Fields(b"warn")]


def shop(n: int, headed: bool) -> list:
    head = "2026-03-02 10:00:{:02} INFO  [worker-{}] c.shop.Orders - " if headed else ""
    texts = [head.format(k % 60, k % 7) + f"order {k} is complete" for k in range(n)]
    return [record(k, float(k), l=[({"service": "s"}, float(k), 0, text)]) for k, text in enumerate(texts)]


@pytest.mark.parametrize("cuts", [(), (1, 63, 64, 65, 100)])
def test_templates_of_a_stream_with_headers_are_those_of_its_messages(cuts):
    headed, bare = machine(Detect()), machine(Detect())
    play(headed, shop(150, True), cuts)
    play(bare, shop(150, False))
    mined = [shard.snapshot().columns["lines.miner.line"].tobytes() for shard in (headed, bare)]
    assert mined[0] == mined[1]


def test_members_that_a_source_keeps_split_the_stream_of_a_body():
    source = SOURCE.model_copy(update={"keep_log_labels": ["http.status", "route"]})
    texts = [f'{{"msg":"done {n}","http":{{"status":{200 + n % 2 * 300}}},"route":"/cart"}}' for n in range(6)] + ["plain words"]
    lines = [({"service": "s"}, float(n), 9, text) for n, text in enumerate(texts)]
    log = [record(0, 0.0, l=lines[:3]), record(1, 10.0, l=lines[3:]), record(2, 2000.0), record(3, 4000.0, l=lines)]
    whole, parts = machine(Detect(), source), machine(Detect(), source)
    play(whole, log)
    play(parts, log[:2])
    saved = parts.snapshot()
    parts = machine(Detect(), source)
    parts.restore(saved)
    play(parts, log[2:])
    saved, other = whole.snapshot(), parts.snapshot()
    assert [name for name in saved.columns if saved.columns[name].tobytes() != other.columns[name].tobytes()] == []
    streams = msgspec.json.decode(saved.columns["lines.saved"].tobytes())[0]["streams"]
    assert [stream["series"]["labels"] for stream in streams] == [
        [["service", "s"]],
        [["http.status", "200"], ["route", "/cart"], ["service", "s"]],
        [["http.status", "500"], ["route", "/cart"], ["service", "s"]],
    ]
    assert [stream["lines"] for stream in streams] == [2, 6, 6]


def test_where_there_is_no_room_for_a_split_stream_its_lines_belong_to_the_whole_one(monkeypatch):
    monkeypatch.setattr(loglines, "STREAMS_MAX", 1)
    source = SOURCE.model_copy(update={"keep_log_labels": ["route"]})
    shard = machine(Detect(), source)
    _, stats = play(shard, [record(0, 0.0, l=[({"service": "s"}, 0.0, 9, '{"msg":"x","route":"/a"}')])])
    assert stats.counts[Metric.LIMITS_REACHED, ("streams_max",)] == 1
    assert stats.counts[Metric.LINES, ()] == 1
