"""Debian's Prometheus, remote write through a bridge: what it has in its own database is what is scored."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import orjson
import pytest
from bridge import Bridge
from kafka_server import KafkaServer, free_port
from listening import Heard, Sample, block, hear
from producers import Running, filled, program, version
from shop import RESET_AT, Shop, values

from engine.errors import Reject
from engine.metrics import Metric

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]

TOPIC = "prometheus-remote-write"
SCRAPES = 15
JOBS = ("shop", "prometheus")
Points = dict[tuple[str, frozenset[tuple[str, str]], int], float]
"""By name, labels and milliseconds."""


class Api:
    """What Prometheus says of itself."""

    def __init__(self, address: str) -> None:
        self._address = address

    def text(self, path: str) -> str:
        """A page, "" while nobody answers."""
        try:
            with urlopen(f"http://{self._address}{path}", timeout=30) as answer:
                return str(answer.read().decode())
        except URLError:
            return ""

    def sent_up_to(self) -> float:
        """The newest second of which remote write has sent a sample."""
        name = "prometheus_remote_storage_queue_highest_sent_timestamp_seconds"
        return max((float(line.split()[-1]) for line in self.text("/metrics").splitlines() if line.startswith(name)), default=0.0)

    def points(self, job: str) -> Points:
        """Every point of a job, as its database has it."""
        query = urlencode({"query": f'{{job="{job}"}}[30m]'})
        found: Points = {}
        for series in orjson.loads(self.text(f"/api/v1/query?{query}"))["data"]["result"]:
            labels = series["metric"]
            name = labels.pop("__name__")
            for seconds, value in series["values"]:
                found[name, frozenset(labels.items()), round(seconds * 1000)] = float(value)
        return found


class World(NamedTuple):
    points: Points
    until_ms: int
    """Of later points the database was not asked."""


@pytest.fixture(scope="module")
def world(kafka_server: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Some scrapes, then the shop is gone; everything is on the topic."""
    prometheus = program("prometheus", "prometheus")
    folder: Path = tmp_path_factory.mktemp("prometheus")
    kafka_server.create_topic(TOPIC, 1)
    own = f"127.0.0.1:{free_port()}"
    api = Api(own)
    with Bridge(kafka_server.bootstrap, TOPIC) as bridge:
        shop = Shop()
        file = filled("prometheus.yaml", folder, {"target": shop.address, "own": own, "bridge": bridge.address})
        command = [prometheus, f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={own}"]
        with Running(command, folder) as running:
            running.until(lambda: shop.scrapes >= SCRAPES)
            shop.close()
            gone = time.time()
            running.until(lambda: api.sent_up_to() > gone + 3)
            until_ms = round(api.sent_up_to() * 1000)
            points = {place: value for job in JOBS for place, value in api.points(job).items() if place[2] <= until_ms}
    return World(points, until_ms)


@pytest.fixture(scope="module")
def heard(world: World, kafka_server: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Heard:
    return hear(kafka_server, block("prometheus-remote-write", TOPIC), tmp_path_factory.mktemp("state"))


def as_points(samples: list[Sample], until_ms: int) -> Points:
    return {
        (s.name, frozenset(s.labels.items()), s.ts_ns // 1_000_000): s.value for s in samples if s.ts_ns <= until_ms * 1_000_000
    }


def measured(points: Points) -> Points:
    """Those that are numbers which can be measured."""
    return {place: value for place, value in points.items() if abs(value) < 1e15}


def test_what_prometheus_has_is_what_was_read(world: World, heard: Heard, tell: Callable[[str], None]) -> None:
    found = as_points(heard.samples, world.until_ms)
    assert found == measured(world.points)
    assert len(heard.samples) == len({(s.name, *sorted(s.labels.items()), s.ts_ns) for s in heard.samples})
    series = {(name, labels) for name, labels, _ in found}
    tell(
        f"prometheus {version([program('prometheus', 'prometheus'), '--version'])}: {len(found)} samples of {len(series)} series in its "
        f"database, the same read; {len(heard.scored)} scored, {heard.count(Metric.HISTOGRAM_SAMPLES)} points of histograms taken together"
    )


def test_nothing_goes_to_the_dead_letters(heard: Heard) -> None:
    assert {part.reason for part in heard.rejected} == {Reject.STALE, Reject.METADATA, Reject.UNLIMITED}
    assert heard.count(Metric.DEAD_LETTERS) == 0


def test_what_ended_is_a_stale_marker(world: World, heard: Heard) -> None:
    """Of the series that left, and of all when the shop went."""
    assert {part.reason for part in heard.rejected} >= {Reject.STALE}
    last = {s.name: s.ts_ns for s in heard.samples if s.labels["job"] == "shop"}
    assert last["leaving"] < last["scrape_number"] < last["up"]
    assert heard.values("up", job="shop")[-1] == 0.0


def scrapes(heard: Heard) -> list[int]:
    """The scrapes that Prometheus took: on a busy machine not each that was served."""
    return [int(n) for n in heard.values("scrape_number")]


def test_values_are_those_that_the_shop_said(heard: Heard) -> None:
    taken = scrapes(heard)
    assert taken == sorted(set(taken))
    assert len(taken) > SCRAPES // 2
    said = [values(n) for n in taken]
    for series, labels in (
        ("temperature_celsius", {"room": 'Küche "3"\\'}),
        ("requests_total", {"service": "cart", "code": "500"}),
        ("request_duration_seconds_bucket", {"le": "0.5"}),
        ("large_bytes", {}),
    ):
        key = next(
            k for k in said[0] if k.startswith(series) and all(f'"{v}"' in k for v in labels.values() if v != 'Küche "3"\\')
        )
        assert heard.values(series, **labels) == [one[key] for one in said]


def test_gauges_are_scored_as_they_are(heard: Heard) -> None:
    for name in ("scrape_number", "tiny_ratio", "large_bytes", "leaving", "scrape_duration_seconds"):
        assert heard.values(name, scored=True, job="shop") == heard.values(name, job="shop")


def test_counters_are_scored_as_rates_but_for_the_first_value_after_a_restart(heard: Heard) -> None:
    times = [s.ts_ns for s in heard.samples if s.name == "scrape_number"]
    taken = scrapes(heard)
    expected = [
        40.0 * (n - m) * 1e9 / (b - a)
        for m, n, a, b in zip(taken, taken[1:], times, times[1:], strict=False)
        if (m < RESET_AT) == (n < RESET_AT)  # how long it has run since it began anew is not known
    ]
    assert len(expected) == len(taken) - 2
    assert heard.values("requests_total", scored=True, code="200") == pytest.approx(expected)


def test_every_sample_is_scored_as_it_is_or_counts_for_a_rate_or_a_histogram(heard: Heard) -> None:
    read, scored = by_series(heard.samples), by_series(heard.scored)
    for series, values_read in read.items():
        name = series[0]
        if name.endswith("_bucket"):
            assert series not in scored
        elif series in scored and scored[series] != values_read:
            resets = sum(after < before for before, after in itertools.pairwise(values_read))
            assert len(scored[series]) == len(values_read) - 1 - resets, name
        else:
            assert series in scored or name.endswith("_sum") or len(values_read) == 1, name
    assert {name.rpartition(".")[2] for name, _ in scored.keys() - read.keys()} <= {"mean", "p50", "p90", "p99", "rate"}
    assert heard.count(Metric.SAMPLES_DROPPED) == 0


def by_series(samples: list[Sample]) -> dict[tuple[str, frozenset[tuple[str, str]]], list[float]]:
    found: dict[tuple[str, frozenset[tuple[str, str]]], list[float]] = {}
    for sample in sorted(samples, key=lambda s: s.ts_ns):
        found.setdefault((sample.name, frozenset(sample.labels.items())), []).append(sample.value)
    return found


def test_histograms_and_summaries_give_means(heard: Heard) -> None:
    means = heard.values("request_duration_seconds.mean", scored=True)
    assert means
    assert all(math.isclose(mean, 0.2) for mean in means)
    assert all(math.isclose(mean, 0.25) for mean in heard.values("query_seconds.mean", scored=True))
