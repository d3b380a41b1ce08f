"""Bad input is data: each bad record lands in the dead letters once, with its reason, and the stream goes on unharmed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import orjson
import pytest

from engine.config import Config
from engine.config.tree import Format, Mapping, Source
from engine.errors import Reject
from engine.records import Record, Shard
from engine.replay import Results
from engine.wiring.files import through_kafka, through_memory

START = 1_772_409_600
SECOND = 1_000_000_000
IN_2099 = 4_070_908_800
SHARD = Shard("shop.metrics", 0)
MAPPING = Mapping(time="ts", time_unit="s", name="name", values="value", labels="labels", numeric_strings=True)
SOURCE = Source(name="shop", topics=[SHARD.topic], format=Format.JSON, mapping=MAPPING)
CONFIG = Config(sources=[SOURCE])


class Bad(NamedTuple):
    """A record and why it is refused. Its own time on the topic is that of the record before it, or `log_seconds`."""

    value: bytes | None
    reason: Reject
    log_seconds: int = 0


def document(at: int, value: object, service: str = "cart") -> bytes:
    return orjson.dumps({"ts": at, "name": "latency", "value": value, "labels": {"service": service}})


NOW = START + 90 * 60
BAD = {
    "truncated JSON": Bad(document(NOW, 1.5)[:-9], Reject.MALFORMED),
    "no JSON at all": Bad(b"\x00\xff\xfe not json", Reject.MALFORMED),
    "a number of the wrong type": Bad(document(NOW, "fast"), Reject.WRONG_TYPE),
    "a list where a document should be": Bad(b"[1, 2, 3]", Reject.WRONG_TYPE),
    "NaN as text": Bad(document(NOW, "NaN"), Reject.NOT_FINITE),
    "NaN as a word": Bad(document(NOW, 0).replace(b'"value":0', b'"value":NaN'), Reject.MALFORMED),
    "a number beyond all sense": Bad(document(NOW, 1e300), Reject.NOT_FINITE),
    "a line of 5 MB": Bad(b'{"name":"' + b"x" * 5_000_000 + b'"}', Reject.TOO_LARGE),
    "a time in 2099": Bad(document(IN_2099, 1.5), Reject.FUTURE_TIME),
    "a time of long ago": Bad(document(START - 400 * 86_400, 1.5), Reject.TOO_OLD),
    "a time that is none": Bad(orjson.dumps({"ts": "soon", "name": "latency", "value": 1.0, "labels": {}}), Reject.BAD_TIME),
    "nothing": Bad(None, Reject.EMPTY),
}


FORGED = Bad(document(IN_2099, 1.5), Reject.FUTURE_TIME, IN_2099)
"""Its producer's clock is wrong altogether: the record's time on the topic is of 2099 too."""


def good() -> list[tuple[int, bytes]]:
    """Two services, a sample each 30 s for three hours; one of them slows down after two."""
    chance = random.Random(5)
    stream = []
    for n in range(360):
        at = START + 30 * n
        stream.append((at, document(at, round(chance.gauss(0.2, 0.01) * (4 if 240 <= n < 300 else 1), 6))))
        stream.append((at, document(at, round(chance.gauss(0.2, 0.01), 6), "mail")))
    return stream


def log_of(bad: Sequence[Bad]) -> list[Record]:
    """The good stream; bad records stand together in its middle, and once more within the trouble."""
    stream = [(at, at, value) for at, value in good()]
    for place in (360, 500):
        near = stream[place - 1][0]
        stream[place:place] = [(one.log_seconds or near, near, one.value) for one in bad]
    return [Record(*SHARD, n, log * SECOND, b"cart", value) for n, (log, _, value) in enumerate(stream)]


def alerts(results: Results) -> list[dict]:
    """What was found, without what names the place in the log: bad records move the good ones along."""
    found = [orjson.loads(line) for line in results.files()["alerts.jsonl"]]
    return [{name: value for name, value in alert.items() if name not in ("id", "stamp")} for alert in found]


def dead(results: Results) -> list[dict]:
    return [orjson.loads(line) for line in results.files()["dead-letters.jsonl"]]


@pytest.fixture(scope="module")
def clean() -> list[dict]:
    found = alerts(through_memory(CONFIG, {SHARD: log_of([])}))
    assert {alert["state"] for alert in found} == {"firing", "resolved"}
    return found


@pytest.mark.parametrize("name", BAD)
def test_it_is_refused_once_each_time_with_its_reason_and_harms_nothing(name: str, clean: list[dict]) -> None:
    results = through_memory(CONFIG, {SHARD: log_of([BAD[name]])})
    assert [letter["reason"] for letter in dead(results)] == [BAD[name].reason] * 2
    assert alerts(results) == clean


def assert_unharmed(found: list[dict], clean: list[dict]) -> None:
    """The same alerts begin and end at the same samples; reminders of those that last may move by a sample.

    Log time is the third newest of the latest records': each further record brings it forward, by a record at most.
    """
    assert [alert for alert in found if alert["reason"] != "lease"] == [alert for alert in clean if alert["reason"] != "lease"]
    moved = [abs(one["ts_ns"] - other["ts_ns"]) for one, other in zip(found, clean, strict=True)]
    assert max(moved) <= 30 * SECOND


def test_a_producer_whose_clock_is_in_2099_harms_nothing_either(clean: list[dict]) -> None:
    results = through_memory(CONFIG, {SHARD: log_of([FORGED])})
    assert [letter["reason"] for letter in dead(results)] == [FORGED.reason] * 2
    assert_unharmed(alerts(results), clean)


@pytest.fixture(scope="module")
def all_bad() -> Results:
    """All of them through a broker and the daemon's own runner."""
    return through_kafka(CONFIG, {SHARD: log_of(list(BAD.values()))}, "embedded")


def test_on_a_topic_each_lands_in_the_dead_letters_with_its_reason(all_bad: Results) -> None:
    assert [letter["reason"] for letter in dead(all_bad)] == [bad.reason for bad in BAD.values()] * 2


def test_on_a_topic_the_rest_of_the_stream_is_unharmed(all_bad: Results, clean: list[dict]) -> None:
    assert_unharmed(alerts(all_bad), clean)


def test_a_dead_letter_says_where_it_came_from_and_what_it_was(all_bad: Results) -> None:
    letters = dead(all_bad)
    by_offset = {record.offset: record for record in log_of(list(BAD.values()))}
    for letter in letters:
        headers = letter["headers"]
        assert headers["__connect.errors.topic"] == SHARD.topic
        record = by_offset[int(headers["__connect.errors.offset"])]
        assert headers["__connect.errors.exception.message"]
        assert letter["key"] == "cart"
        original = (record.value or b"").decode(errors="replace")
        assert original.startswith(letter["value"])
        truncated = headers.get("foreshock.value.truncated")
        assert truncated == (str(len(record.value or b"")) if letter["value"] != original else None)


def test_both_paths_bury_the_same(all_bad: Results) -> None:
    alone = through_memory(CONFIG, {SHARD: log_of(list(BAD.values()))})
    assert alone.files()["dead-letters.jsonl"] == all_bad.files()["dead-letters.jsonl"]
    assert alone.files()["alerts.jsonl"] == all_bad.files()["alerts.jsonl"]
