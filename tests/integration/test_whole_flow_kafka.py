"""All stages as one process on Apache Kafka, over some hours of the simulated shop: a restart in the middle changes nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.request import urlopen

import orjson
import pytest
from case_files import fault_case, one_metric
from kafka_laws import until
from kafka_server import KafkaServer

from connectors.kafka_client import topic_name
from connectors.publishers.kafka import KafkaPublisher
from connectors.simulator.messages import TOPICS, Counters, messages, ticks_of
from connectors.simulator.scenario import START_SECONDS, STEP_SECONDS, Scenario, plan
from connectors.sources.tail import Progress, read_all
from connectors.topics import create_topics, own_topics
from engine.config import Config
from engine.config.load import load_config
from engine.errors import UsageError
from engine.records import Incident, IncidentState, Record, Topic, decode_incident
from engine.wiring.demo import Engine, demo_configuration
from engine.wiring.files import file_logs, through_kafka, through_memory

pytestmark = pytest.mark.kafka

SEED = 3
QUIET_TICKS = 240
DRAIN_SECONDS = 90.0
STOP_SECONDS = 10.0
OVER = {IncidentState.RESOLVED, IncidentState.CLOSED, IncidentState.MERGED}
Latest = dict[str, Incident]


@pytest.fixture(scope="module")
def story() -> Scenario:
    return plan("bad-deploy", SEED)


@pytest.fixture(scope="module")
def sent(kafka_server: KafkaServer, story: Scenario) -> int:
    """The hours around the fault, on the shop's topics. They carry event times: nothing may be dropped for its age."""
    for name, partitions in TOPICS.items():
        kafka_server.create_topic(name, partitions, {"retention.ms": "-1"})
    publisher = KafkaPublisher(Config().kafka.model_copy(update={"bootstrap": kafka_server.bootstrap}))
    first = (story.faults[0].start - START_SECONDS) // STEP_SECONDS - QUIET_TICKS
    count = 0
    for message in messages(story, first, ticks_of(story) - first, Counters()):
        partition = sum(message.key) % TOPICS[message.topic]
        publisher.send_record(
            Record(message.topic, partition, -1, message.ts_ms * 1_000_000, message.key, message.value, message.headers)
        )
        count += 1
    publisher.flush(30)
    publisher.close()
    return count


def configuration(server: KafkaServer, name: str, folder: Path) -> Config:
    """The demo's, with topics, groups and a folder of their own."""
    config = load_config(demo_configuration(), {"FORESHOCK_BOOTSTRAP": server.bootstrap, "FORESHOCK_DEMO_FOLDER": str(folder)})
    own = {
        "topic_prefix": f"{name}.",
        "group_prefix": name,
        "client": dict(server.client),
        "commit_interval": 0.1,
        "batch_records_max": 200,
    }
    state = config.state.model_copy(update={"path": str(folder / "state"), "snapshot_interval": 0.5})
    admin = config.admin.model_copy(update={"port": 0})
    return config.model_copy(update={"kafka": config.kafka.model_copy(update=own), "state": state, "admin": admin})


class Run:
    """What a run left behind: on the topics, and with the receiver."""

    def __init__(self, config: Config, folder: Path) -> None:
        self.incidents = latest(read_all(config.kafka, topic_name(config.kafka, Topic.INCIDENTS)))
        self.actions = {orjson.loads(r.value)["id"] for r in read_all(config.kafka, topic_name(config.kafka, Topic.ACTIONS))}
        lines = (folder / "incidents.jsonl").read_bytes().splitlines()
        self.told = {line["id"]: line["state"] in OVER for line in map(orjson.loads, lines)}


def latest(records: Sequence[Record]) -> Latest:
    """Of every incident its newest revision."""
    found: Latest = {}
    for record in records:
        if record.value is not None:
            incident = decode_incident(record.value)
            if incident.id not in found or incident.revision >= found[incident.id].revision:
                found[incident.id] = incident
    return found


def run(config: Config, folder: Path, sent: int, stops: Sequence[float] = ()) -> Run:
    """From an empty state to the end of the input. `stops` are the shares of it that are left when a process is ended."""
    create_topics(config.kafka, own_topics(config.kafka))
    for left in stops:
        engine = Engine(config)
        engine.start()
        until(lambda left=left, engine=engine: engine.lag() < left * sent, engine.check)
        assert engine.lag() > 0, "the stop came too late to be in the middle"
        engine.stop()
    engine = Engine(config)
    engine.start()
    engine.drain(DRAIN_SECONDS)
    receiver = Progress(config.kafka, f"{config.kafka.group_prefix}-deliver-jsonl", [topic_name(config.kafka, Topic.INCIDENTS)])
    ends = receiver.ends()
    until(lambda: receiver.missing(ends) == 0, engine.check)
    receiver.close()
    engine.stop()
    return Run(config, folder)


@pytest.fixture(scope="module")
def uninterrupted(kafka_server: KafkaServer, sent: int, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("whole")
    return run(configuration(kafka_server, "whole", folder), folder, sent)


def test_the_fault_is_an_incident_with_a_cause_and_a_trigger(uninterrupted: Run, story: Scenario) -> None:
    fault = story.faults[0]
    begun = [
        i for i in uninterrupted.incidents.values() if fault.start <= i.opened_ts_ns // 10**9 <= fault.end and i.opened_ts_ns
    ]
    assert any(fault.entity in incident.entities and incident.hints for incident in begun)
    assert uninterrupted.actions


def test_a_restart_in_the_middle_gives_the_same_incidents(
    uninterrupted: Run, kafka_server: KafkaServer, sent: int, tmp_path: Path
) -> None:
    """Same ids, same ends, same entities, same causes: whatever the process was doing when it was told to stop."""
    stopped = run(configuration(kafka_server, "stopped", tmp_path), tmp_path, sent, stops=(0.8, 0.5, 0.2))
    assert seen(stopped.incidents) == seen(uninterrupted.incidents)
    assert stopped.actions == uninterrupted.actions


def seen(incidents: Latest) -> dict[str, object]:
    """What a person sees of each, in the end."""
    return {
        i.id: (i.state, i.title, sorted(i.entities), i.alerts_total, [hint.entity for hint in i.hints])
        for i in incidents.values()
    }


def test_the_receiver_has_heard_of_every_incident_that_was_opened_and_whether_it_is_over(uninterrupted: Run) -> None:
    opened = {i.id: i.state in OVER for i in uninterrupted.incidents.values() if i.opened_ts_ns and i.state != "suppressed"}
    assert uninterrupted.told == opened


# ------------------------------------------------------------------------------------------------ replay
def test_files_through_apache_kafka_give_the_same_alerts_byte_for_byte(kafka_server: KafkaServer, tmp_path: Path) -> None:
    config, logs = file_logs(Config(), [str(make(tmp_path)) for make in (fault_case, one_metric)])
    alone, through = through_memory(config, logs).files(), through_kafka(config, logs, kafka_server.bootstrap).files()
    assert alone["alerts.jsonl"]
    for name in ("alerts.jsonl", "dead-letters.jsonl"):
        assert through[name] == alone[name]
    with pytest.raises(UsageError, match="should be empty"):  # what is there already is somebody's
        through_kafka(config, logs, kafka_server.bootstrap)


# ------------------------------------------------------------------------------------------------ the daemon
@pytest.fixture
def daemon(kafka_server: KafkaServer, sent: int, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`foreshock run` as a program."""
    config = configuration(kafka_server, "daemon", tmp_path)
    create_topics(config.kafka, own_topics(config.kafka))
    client = "\n".join(f"    {name}: {value}" for name, value in kafka_server.client.items())
    text = (
        demo_configuration()
        .read_text()
        .replace("  start: earliest", f"  start: earliest\n  topic_prefix: daemon.\n  client:\n{client}")
    )
    text += f"\nadmin: {{port: 0}}\nstate: {{path: {tmp_path / 'state'}}}\nlog: {{format: json}}\n"
    file = tmp_path / "daemon.yaml"
    file.write_text(
        text.replace("${FORESHOCK_BOOTSTRAP:-localhost:9092}", kafka_server.bootstrap).replace(
            "${FORESHOCK_DEMO_FOLDER:-.}", str(tmp_path)
        )
    )
    command = [sys.executable, "-m", "engine", "run", "--config", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        yield process
        if process.poll() is None:
            process.kill()


def test_a_daemon_that_is_told_to_stop_drains_in_ten_seconds_and_ends_well(daemon: subprocess.Popen[str]) -> None:
    assert daemon.stdout is not None
    said = []
    for line in daemon.stdout:
        said.append(orjson.loads(line))
        if said[-1]["event"] == "process_started":
            break
    address = f"http://127.0.0.1:{said[-1]['admin_port']}"
    for line in daemon.stdout:
        said.append(orjson.loads(line))
        if said[-1]["event"] == "shard_began" and said[-1]["stage"] == "detect":
            break
    with urlopen(f"{address}/livez", timeout=STOP_SECONDS) as answer:  # noqa: S310 - our own address
        assert answer.status == 200
    daemon.send_signal(signal.SIGTERM)
    rest, _ = daemon.communicate(timeout=STOP_SECONDS)
    assert daemon.returncode == 0
    said += [orjson.loads(line) for line in rest.splitlines()]
    ended = {line["stage"]: line["code"] for line in said if line["event"] == "runner_stopped"}
    assert ended == {"detect": 0, "correlate": 0, "respond": 0, "deliver-jsonl": 0}
    assert [line for line in said if line["level"] == "error"] == []
