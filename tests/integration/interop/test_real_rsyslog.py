"""Debian's rsyslog with omkafka: what programs log, over its socket and over TCP, is what is mined, in each of three templates."""

from __future__ import annotations

import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from kafka_server import KafkaServer, free_port
from listening import Heard, Topics, block, hear
from producers import Running, check, filled, program, version

from engine.metrics import Metric

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]

PACKAGES = "rsyslog rsyslog-kafka"
ZONE = "Europe/Berlin"
SEVERITIES = {0: 21, 1: 19, 2: 18, 3: 17, 4: 13, 5: 10, 6: 9, 7: 5}
PREFIX = "rsyslog-"
TEXTS = (
    "payment 1732 accepted in 14 ms",
    'said "no" to \\users\\anna',
    '{"level":"info","msg":"a document in a line","n":1}',
    "größer als 5 €, 漢字, 🚀",
    "user=anna%40example.org path=/cart/77 100%",
    "<13>Jan  1 00:00:00 not a header: but text",
    '[not@structured data="x"] after all',
    "x" * 5000,
    "one\ttab",
    "trace:\n  at a.b.C(D.java:17)\n  at e.f.G(H.java:4)",
)


class Sent(NamedTuple):
    host: str
    app: str
    severity: int  # as syslog counts
    text: str
    second: int = -1  # since the start; -1: when rsyslog got it


def escaped(text: str) -> str:
    """As rsyslog has it from its inputs: control characters as # and three octal digits."""
    return "".join(f"#{ord(c):03o}" if ord(c) < 32 else c for c in text)


def over_tcp(start: datetime, port: int) -> list[Sent]:
    """RFC 5424 with counted octets, as relays and libraries send it."""
    sent = [
        Sent(f"node-{n % 3}", ("checkout", "cart")[n % 2], n % 8, f"{TEXTS[n % len(TEXTS)]} {n}", n)
        for n in range(8 * len(TEXTS))
    ]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for one in sent:
            time = (start + timedelta(seconds=one.second)).isoformat(timespec="microseconds")
            body = f'<{128 + one.severity}>1 {time} {one.host} {one.app} 77 ID{one.second} [a@32473 b="c \\"d\\" \\]"] {one.text}'.encode()
            connection.sendall(b"%d %b" % (len(body), body))
    return sent


def over_the_socket(path: Path, host: str) -> list[Sent]:
    """What libc's syslog() and logger write into /dev/log."""
    sent = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.connect(str(path))
        for n, text in enumerate(TEXTS):
            sent.append(Sent(host, "backup", n % 8, f"{text} {n} here"))
            log.send(f"<{8 + n % 8}>{datetime.now(ZoneInfo(ZONE)):%b %e %H:%M:%S} backup[4711]: {text} {n} here".encode())
    logger = ("logger", "--socket", str(path), "--tag", "cron-like.sh", "--id=99", "--priority")
    for n, (priority, severity) in enumerate((("user.err", 3), ("daemon.notice", 5))):
        sent.append(Sent(host, "cron-like.sh", severity, f"run {n} done"))
        subprocess.run([*logger, priority, f"run {n} done"], check=True)
    return sent


class World(NamedTuple):
    start: datetime
    sent: list[Sent]


@pytest.fixture(scope="module")
def world(kafka_server: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything was sent, and is on the three topics."""
    daemon = program("rsyslogd", PACKAGES)
    folder = tmp_path_factory.mktemp("rsyslog")
    topics = Topics(kafka_server, *(f"{PREFIX}{form}" for form in ("json", "5424", "3164")), partitions=3)
    port, log = free_port(), folder / "log"
    values = {"folder": folder, "socket": log, "port": port, "broker": kafka_server.bootstrap, "prefix": PREFIX}
    file = str(filled("rsyslog.conf", folder, values))
    check([daemon, "-N1", "-f", file], PACKAGES)
    command = [daemon, "-n", "-f", file, "-i", str(folder / "pid")]
    start = datetime.now(ZoneInfo(ZONE)).replace(microsecond=123456) - timedelta(minutes=5)
    with Running(command, folder, {"TZ": ZONE}) as running:
        running.until(lambda: log.exists() and listens(port))
        sent = [*over_tcp(start, port), *over_the_socket(log, socket.gethostname())]
        running.until(lambda: topics.hold(len(sent)), topics.sizes)
    topics.close()
    return World(start, sent)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


FORMS = {
    "json": block("rsyslog-json", f"{PREFIX}json", keep_log_labels=["host"]),
    "5424": block("syslog", f"{PREFIX}5424", keep_log_labels=["host"]),
    "3164": block("syslog", f"{PREFIX}3164", keep_log_labels=["host"], timezone=ZONE),
}


@pytest.fixture(scope="module", params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def heard(world: World, form: str, kafka_server: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Heard:
    return hear(kafka_server, FORMS[form], tmp_path_factory.mktemp("state"))


def test_every_message_is_a_line_and_every_line_is_mined(
    world: World, heard: Heard, form: str, tell: Callable[[str], None]
) -> None:
    assert heard.rejected == []
    assert len(heard.records) == len(heard.lines) == heard.count(Metric.LINES) == len(world.sent)
    tell(f"rsyslog {version([program('rsyslogd', PACKAGES), '-v'])}, {form}: {len(world.sent)} messages sent, as many mined")


def test_lines_say_what_was_logged_by_whom_and_how_bad_it_is(world: World, heard: Heard) -> None:
    expected = Counter((one.host, one.app, SEVERITIES[one.severity], escaped(one.text)) for one in world.sent)
    found = Counter((line.labels["host"], line.labels["service"], line.severity, line.text) for line in heard.lines)
    assert found == expected


def test_times_are_those_of_the_messages(world: World, heard: Heard, form: str) -> None:
    """To the microsecond, but for RFC 3164, which has whole seconds."""
    unit = 10**9 if form == "3164" else 1000
    times = {escaped(one.text): one.second for one in world.sent if one.second >= 0}
    start_ns = int(world.start.timestamp()) * 10**9 + world.start.microsecond * 1000
    found = {line.text: line.ts_ns for line in heard.lines if line.text in times}
    assert found == {text: (start_ns + second * 10**9) // unit * unit for text, second in times.items()}


def test_records_carry_the_time_of_their_message(heard: Heard) -> None:
    """A record of omkafka has the second of the message, not that of its arrival."""
    assert sorted(record.ts_ns for record in heard.records) == sorted(line.ts_ns // 10**9 * 10**9 for line in heard.lines)


def test_a_host_stays_on_one_partition(heard: Heard) -> None:
    partitions: dict[bytes, set[int]] = {}
    for record in heard.records:
        partitions.setdefault(record.key or b"", set()).add(record.partition)
    assert len(partitions) == 4
    assert all(len(found) == 1 for found in partitions.values())
