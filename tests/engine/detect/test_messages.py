"""What of live lines is mined, and what else they say: levels, sessions, numbers; through a whole shard too."""

from __future__ import annotations

import numpy as np
import pytest
from detect_world import machine, play, record

from engine.config.logs import Logs
from engine.config.mapping import Mapping
from engine.config.tree import Detect
from engine.detect.messages import Messages
from engine.records import Fields, Lines

HEADER = b"2026-03-02T10:00:00Z [notice] "
BODY = b'{"msg":"order complete","trace_id":"4bf92f35","took_ms":31,"level":"warn"}'
LOGFMT = b'level=error msg="order lost" trace_id=4bf92f35 size=7 took=1.5s'


def read(texts: list[bytes], severity: int = 0, config: Logs | None = None, mapping: Mapping | None = None):
    n = len(texts)
    lines = Lines(np.arange(n, dtype=np.int32), [b"log"] * n, np.arange(n), np.full(n, severity, np.int8), texts)
    return Messages(config or Logs(), mapping or Mapping()).read(lines, np.zeros(n, np.int64))


def test_a_body_is_opened_alone_and_behind_a_header():
    lines, messages = read([BODY, HEADER + BODY, LOGFMT, HEADER + LOGFMT, b"plain 5 ms"])
    assert messages == [b"order complete", b"order complete", b"order lost", b"order lost", b"plain 5 ms"]
    assert lines.severity.tolist() == [13, 13, 17, 17, 0]
    json, logfmt = (("took_ms", 31.0),), (("size", 7.0), ("took", 1.5))
    assert lines.fields == [Fields(b"4bf92f35", numbers) for numbers in (json, json, logfmt, logfmt)] + [Fields()]
    assert lines.text[1] == HEADER + BODY


def test_a_header_gives_a_level_where_nothing_else_does():
    assert read([HEADER + b"x"])[0].severity.tolist() == [10]
    assert read([HEADER + b"x"], severity=17)[0].severity.tolist() == [17]


def test_what_is_off_leaves_lines_as_they_are():
    lines, messages = read([HEADER + BODY], config=Logs(headers=False, bodies=False))
    assert messages == [HEADER + BODY]
    assert (lines.severity.tolist(), lines.fields) == ([0], None)
    assert read([HEADER + BODY], config=Logs(bodies=False))[1] == [BODY]


def test_the_mapping_of_the_source_says_what_of_a_body_is_read():
    fields = read([BODY], mapping=Mapping(session="level", numbers="none"))[0].fields
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
