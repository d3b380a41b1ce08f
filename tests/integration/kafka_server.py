"""Real Apache Kafka on this machine: one KRaft node from Maven's jars, with data of its own that go when it ends.

Needs Java 17 and Maven; the jars are fetched once, into `.cache/` of the project. Tests use it through the fixture in
`conftest.py`; `make kafka` runs it for a person:

    python tests/integration/kafka_server.py            # prints the address; Ctrl-C ends it
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
START_SECONDS = 90.0
STOP_SECONDS = 20.0
TOPIC_SECONDS = 30.0
FETCH_SECONDS = 600.0
JAVA = ("-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")

# Nothing is thrown away by age: records carry event times, and samples are often years old.
SETTINGS = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
num.network.threads=2
num.io.threads=2
log.cleaner.threads=1
auto.create.topics.enable=false
log.retention.ms=-1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.coordinator.threads=1
"""


class NotHere(Exception):
    """Kafka cannot be started on this machine; the text says what is missing."""


def version() -> str:
    """The version that the build file names."""
    build = (HERE / "kafka" / "pom.xml").read_text()
    found = re.search(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([^<]+)</version>", build)
    return found[1] if found else ""


def jars() -> Path:
    """The folder of Kafka's jars; fetched when it is not there. Raises NotHere."""
    folder = PROJECT / ".cache" / f"kafka-{version()}"
    if not shutil.which("java"):
        raise NotHere("no `java` on the path (Java 17 or newer)")
    if folder.is_dir():
        return folder
    if not shutil.which("mvn"):
        raise NotHere("no `mvn` on the path, and no jars fetched before")
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
        command = ["mvn", "-q", "-B", "-f", str(HERE / "kafka" / "pom.xml"), "dependency:copy-dependencies"]
        done = subprocess.run(
            [*command, f"-DoutputDirectory={beside}/jars"], capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
        )
        if done.returncode:
            raise NotHere(f"Maven could not fetch Kafka's jars: {(done.stdout + done.stderr).strip()[-500:]}")
        if not folder.is_dir():
            Path(beside, "jars").rename(folder)
    return folder


def free_port(wished: int = 0) -> int:
    """A port on 127.0.0.1 that was free a moment ago: the wished one if it can be had."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wished))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class KafkaServer:
    """One node. `bootstrap` is its address; `client` holds settings that make tests quick."""

    client: Mapping[str, str | int] = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 300, "fetch.wait.max.ms": 20}

    def __init__(self, port: int = 0) -> None:
        classes = f"{jars()}/*"
        self._data = Path(tempfile.mkdtemp(prefix="foreshock-kafka-"))
        port = free_port(port)
        self.bootstrap = f"127.0.0.1:{port}"
        settings = self._data / "server.properties"
        settings.write_text(SETTINGS.format(port=port, controller=free_port(), data=self._data / "log"))
        self._java = ["java", *JAVA, f"-Dlog4j2.configurationFile={HERE / 'kafka' / 'log4j2.properties'}", "-cp", classes]
        self._settings = str(settings)
        self._output = (self._data / "output.txt").open("wb")
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._format()
            self.start()
        except BaseException:
            self.close()
            raise

    def _format(self) -> None:
        cluster = base64.urlsafe_b64encode(b"\x01" + os.urandom(15)).decode().rstrip("=")
        command = [*self._java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", self._settings]
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS, check=False)
        if done.returncode:
            raise NotHere(f"formatting Kafka's log folder failed: {(done.stdout + done.stderr).strip()[-500:]}")

    def start(self) -> None:
        """Start it (again, on the same data) and wait until it answers."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        self._process = subprocess.Popen(
            [*self._java, "kafka.Kafka", self._settings], stdout=self._output, stderr=subprocess.STDOUT, start_new_session=True
        )
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if client.list_topics(timeout=1).brokers:
                    return
            except KafkaException:
                pass
        said = (self._data / "output.txt").read_text(errors="replace").strip()[-800:]
        raise NotHere(f"Kafka did not come up: {said}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process; the data stay."""
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def create_topic(self, name: str, partitions: int, settings: Mapping[str, str] | None = None) -> None:
        """Make a topic and wait until it is there, each partition with its leader: the answer to the request comes before that."""
        from confluent_kafka.admin import AdminClient
        from confluent_kafka.cimpl import NewTopic

        client = AdminClient({"bootstrap.servers": self.bootstrap})
        topic = NewTopic(name, partitions, replication_factor=1, config=dict(settings or {}))
        client.create_topics([topic], operation_timeout=20)[name].result(timeout=30)
        end = time.monotonic() + TOPIC_SECONDS
        while time.monotonic() < end:
            there = client.list_topics(name, timeout=10).topics[name].partitions
            if len(there) == partitions and all(partition.leader >= 0 for partition in there.values()):
                return
        raise NotHere(f"the topic {name} did not come up")

    def close(self) -> None:
        """End it and remove its data."""
        self.stop()
        self._output.close()
        shutil.rmtree(self._data, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def main() -> int:
    """For a person: our own topics are made, so that `foreshock run` has what it needs."""
    parser = argparse.ArgumentParser(description="Apache Kafka, one node, for trying things out.")
    parser.add_argument("--port", type=int, default=9092, help="another is taken when it is in use")
    parser.add_argument("--topics", default="", help="input topics to make: NAME:PARTITIONS,...")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with KafkaServer(options.port) as server:
            made = _make_topics(server, options.topics)
            sys.stdout.write(f"{server.bootstrap}\n")
            sys.stdout.flush()
            sys.stderr.write(
                f"Apache Kafka {version()} is up, with the topics {', '.join(made)}. Ctrl-C ends it and removes its data.\n"
            )
            signal.pause()
    except KeyboardInterrupt:
        return 0
    except NotHere as error:
        sys.stderr.write(f"{error}\n")
        return 4
    return 0


def _make_topics(server: KafkaServer, inputs: str) -> list[str]:
    sys.path.insert(0, str(PROJECT))
    from connectors.topics import TopicPlan, create_topics, own_topics
    from engine.config.tree import Kafka

    kafka = Kafka(bootstrap=server.bootstrap)
    pairs = [text.partition(":") for text in filter(None, inputs.split(","))]
    plans = [*own_topics(kafka), *(TopicPlan(name, int(count or 1), {}) for name, _, count in pairs)]
    create_topics(kafka, plans)
    return [plan.name for plan in plans]


if __name__ == "__main__":
    raise SystemExit(main())
