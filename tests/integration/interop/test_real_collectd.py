"""Debian's collectd with write_kafka: values that it was given over its socket, and what its plugins measure of this machine."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest
from kafka_server import KafkaServer
from listening import Heard, Topics, block, hear
from producers import Running, check, filled, program, version

from engine.metrics import Metric

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]

PACKAGES = "collectd-core libyajl2 librdkafka1"
PREFIX = "collectd-"
HOST = "node-7"
STEPS = 30
ROUNDS = 60
"""Lists of values that the machine's own plugins write in some rounds after ours."""

Value = tuple[str, float, int]  # path, value, whole seconds


def given(n: int) -> dict[str, tuple[float | None, ...]]:
    """What the n-th second says, by collectd's identifiers; None is what was not read."""
    since_restart = n if n < 20 else n - 20
    return {
        f"{HOST}/shop-cart/gauge-open_orders": (12.5 + n,),
        f"{HOST}/shop-cart/temperature": (None if n == 7 else round(-3.0 - 0.1 * n, 1),),
        f"{HOST}/shop-cart/derive-orders": (40 * since_restart,),
        f"{HOST}/shop-cart/counter-hits": (3_000_000_000 + 100 * n,),
        f"{HOST}/shop-cart/absolute-errors": (n % 3,),
        f"{HOST}/link/if_octets-eth0": (1000 * n, 500 * n),
    }


class World(NamedTuple):
    start: int
    """The second of the first step."""


@pytest.fixture(scope="module")
def world(kafka_server: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything was given, and is on both topics."""
    daemon = program("collectd", PACKAGES)
    folder: Path = tmp_path_factory.mktemp("collectd")
    topics = Topics(kafka_server, f"{PREFIX}json", f"{PREFIX}graphite")
    path = folder / "socket"
    values = {"host": HOST, "folder": folder, "socket": path, "broker": kafka_server.bootstrap, "prefix": PREFIX}
    start = int(time.time()) - 2 * STEPS
    file = str(filled("collectd.conf", folder, values))
    check([daemon, "-t", "-C", file], PACKAGES)
    with Running([daemon, "-f", "-C", file], folder) as running:
        running.until(path.exists)
        give(path, start)
        there = max(topics.sizes().values())
        running.until(lambda: topics.hold(max(there, STEPS * len(given(0))) + ROUNDS), topics.sizes)
    topics.close()
    return World(start)


def give(path: Path, start: int) -> None:
    """PUTVAL lines, each of which collectd confirms."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        answers = connection.makefile("r")
        for n in range(STEPS):
            for identifier, values in given(n).items():
                text = ":".join("U" if value is None else repr(value) for value in values)
                connection.sendall(f"PUTVAL {identifier} interval=1 {start + n}:{text}\n".encode())
                answer = answers.readline()
                assert answer.startswith("0 "), answer


FORMS = {"json": block("collectd", f"{PREFIX}json"), "graphite": block("graphite", f"{PREFIX}graphite")}


@pytest.fixture(scope="module")
def heard(world: World, kafka_server: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Heard]:
    return {form: hear(kafka_server, source, tmp_path_factory.mktemp(form)) for form, source in FORMS.items()}


def series(n: int, identifier: str, place: int) -> float | None:
    return given(n)[identifier][place]


KNOWN = {
    "shop.gauge": ("shop-cart/gauge-open_orders", 0, {"plugin_instance": "cart", "type_instance": "open_orders"}),
    "shop.temperature": ("shop-cart/temperature", 0, {"plugin_instance": "cart"}),
    "shop.derive": ("shop-cart/derive-orders", 0, {}),
    "shop.counter": ("shop-cart/counter-hits", 0, {}),
    "shop.absolute": ("shop-cart/absolute-errors", 0, {}),
    "link.if_octets.rx": ("link/if_octets-eth0", 0, {"type_instance": "eth0"}),
    "link.if_octets.tx": ("link/if_octets-eth0", 1, {"type_instance": "eth0"}),
}


@pytest.mark.parametrize("name", KNOWN)
def test_values_are_those_that_were_given(heard: dict[str, Heard], world: World, name: str) -> None:
    identifier, place, labels = KNOWN[name]
    sent = [series(n, f"{HOST}/{identifier}", place) for n in range(STEPS)]
    assert heard["json"].values(name, host=HOST, **labels) == [value for value in sent if value is not None]
    times = sorted(s.ts_ns for s in heard["json"].samples if s.name == name)
    assert times == [(world.start + n) * 10**9 for n, value in enumerate(sent) if value is not None]


def test_kinds_come_with_the_values(heard: dict[str, Heard]) -> None:
    scored = heard["json"].values
    assert scored("shop.gauge", scored=True) == [12.5 + n for n in range(STEPS)]
    assert scored("shop.counter", scored=True) == [100.0] * (STEPS - 1)
    assert scored("shop.derive", scored=True) == [40.0] * (STEPS - 2)  # the first, and the first after the restart, are no rates
    assert scored("shop.absolute", scored=True) == [float(n % 3) for n in range(1, STEPS)]
    assert scored("link.if_octets.tx", scored=True) == [500.0] * (STEPS - 1)


def test_every_record_is_read_and_every_value_is_scored(heard: dict[str, Heard], tell: Callable[[str], None]) -> None:
    for form, found in heard.items():
        stale = Counter(str(part.reason) for part in found.rejected)
        assert set(stale) == {"stale"}
        assert len({part.row for part in found.rejected}) == stale["stale"]
        assert found.count(Metric.DEAD_LETTERS) == 0
        assert found.count(Metric.SAMPLES_DROPPED) == 0
        tell(
            f"collectd {version([program('collectd', PACKAGES), '-h'])}, {form}: {len(found.records)} messages, "
            f"{len(found.samples)} values read, {len(found.scored)} scored"
        )


def in_json(heard: Heard) -> Counter[Value]:
    """Values as the messages have them, under the paths that Graphite would see."""
    found: Counter[Value] = Counter()
    for record in heard.records:
        for part in orjson.loads(record.value or b""):
            words = [f"{part[name]}-{part[f'{name}_instance']}".removesuffix("-") for name in ("plugin", "type")]
            head = ".".join(words)
            for name, value in zip(part["dsnames"], part["values"], strict=True):
                if value is not None:
                    path = head if len(part["values"]) == 1 else f"{head}.{name}"
                    found[path, float(value), int(part["time"] + 0.5)] += 1
    return found


def test_both_formats_say_the_same(heard: dict[str, Heard]) -> None:
    """Read from the one and from the other, but for what was still on its way in one of them at the end."""
    graphite = Counter((s.name, s.value, s.ts_ns // 10**9) for s in heard["graphite"].samples)
    json = in_json(heard["json"])
    last = min(max(time for _, _, time in found) for found in (graphite, json))
    assert {v for v in graphite if v[2] < last} == {v for v in json if v[2] < last}
    assert len(graphite) > STEPS * len(KNOWN)


def test_the_machine_itself_is_measured(heard: dict[str, Heard]) -> None:
    names = {sample.name for sample in heard["json"].samples}
    assert {"load.shortterm", "memory", "cpu", "uptime", "interface.if_packets.rx"} <= names
    assert all(value > 0 for value in heard["json"].values("memory", scored=True, type_instance="used"))
