"""Laws of `foreshock doctor`: files, the embedded broker, exit codes, and a proposal that `foreshock check` accepts."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from connectors.broker.embedded import EmbeddedBroker
from connectors.publishers.kafka import KafkaPublisher
from engine.cli.app import main
from engine.config.tree import Kafka
from engine.records import Record

TS_NS = 1_795_218_876_000_000_000


def lines(path: Path, count: int = 50) -> str:
    path.write_bytes(b"".join(b"cpu,host=a usage=%d %d\n" % (n % 7, TS_NS + n * 1_000_000_000) for n in range(count)))
    return str(path)


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = orjson.loads(capsys.readouterr().out)
    return found


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        yield broker


def produce(broker: EmbeddedBroker, records: list[Record]) -> None:
    publisher = KafkaPublisher(Kafka(bootstrap=broker.bootstrap))
    for record in records:
        publisher.send_record(record)
    publisher.flush(10.0)
    publisher.close()


# ------------------------------------------------------------------------------------------------ files
def test_a_sound_file_is_well_and_its_proposal_passes_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "c.yaml"
    assert main(["doctor", f"shop.cpu={lines(tmp_path / 'x.txt')}", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "influx, like telegraf-influx" in shown
    assert out.read_text() in shown
    assert main(["check", str(out)]) == 0


def test_json_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"caf\xe9 failed\n" * 30)
    assert main(["doctor", str(path), "--output", "json"]) == 3
    (topic,) = told(capsys)["topics"]
    assert (topic["topic"], topic["records"]) == ("x", 30)
    assert [(finding["concern"], finding["is_warning"]) for finding in topic["findings"]] == [("not_utf8", True)]


def test_several_files_of_one_topic_are_one_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"t={lines(tmp_path / f'{n}.txt', 10)}" for n in range(3)]
    assert main(["doctor", *names, "--output", "json"]) == 0
    assert [topic["records"] for topic in told(capsys)["topics"]] == [30]


def test_what_kcat_prints_is_opened_with_partitions_and_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "capture.jsonl.gz"
    messages = [
        {
            "topic": "cpu",
            "partition": n % 2,
            "offset": n,
            "tstype": "create",
            "ts": TS_NS // 1_000_000 + n * 1000,
            "key": None,
            "payload": f"cpu,host=a usage={n % 7} {TS_NS + n * 1_000_000_000}",
        }
        for n in range(40)
    ]
    path.write_bytes(gzip.compress(b"\n".join(map(orjson.dumps, messages))))
    assert main(["doctor", f"cpu={path}", "--output", "json"]) == 3
    (topic,) = told(capsys)["topics"]
    assert topic["partitions"] == 2
    assert [finding["concern"] for finding in topic["findings"]] == ["split_series"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 2),
        (["nowhere.txt"], 2),
        (["a.txt", "--topic", "t"], 2),
        (["--bootstrap", "127.0.0.1:1", "--topic", "t"], 4),
    ],
)
def test_what_cannot_be_done_has_the_exit_code_of_its_kind(
    arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.sources.sampling._ANSWER_SECONDS", 0.3)
    assert main(["doctor", *arguments]) == code


# ------------------------------------------------------------------------------------------------ a broker
def test_topics_of_a_broker_are_looked_at_without_a_trace(
    broker: EmbeddedBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("cpu", "app.logs", "empty", "foreshock.alerts"):
        broker.create_topic(name, 2)
    produce(broker, [Record("cpu", 0, n, TS_NS, b"a", b"cpu,host=a usage=%d" % (n % 7)) for n in range(300)])
    produce(broker, [Record("app.logs", 1, n, TS_NS, b"web", b"ERROR took %d ms" % n) for n in range(50)])
    out = tmp_path / "c.yaml"
    arguments = [
        "doctor",
        "--bootstrap",
        broker.bootstrap,
        "--records",
        "200",
        "--seconds",
        "5",
        "--out",
        str(out),
        "--output",
        "json",
    ]
    assert main(arguments) == 3  # a topic is empty
    found = {topic["topic"]: topic for topic in told(capsys)["topics"]}
    assert {name: topic["records"] for name, topic in found.items()} == {"cpu": 200, "app.logs": 50, "empty": 0}
    assert [kind["format"] for name in ("cpu", "app.logs") for kind in found[name]["kinds"]] == ["influx", "text"]
    assert main(["check", str(out)]) == 0


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_broker_with_nothing_on_it_is_no_success(
    broker: EmbeddedBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    out = tmp_path / "c.yaml"
    look = ["doctor", "--bootstrap", broker.bootstrap, "--seconds", "2", "--out", str(out), "--output", output]
    assert main(look) == 2
    assert f"nothing found: no topics on {broker.bootstrap}" in capsys.readouterr().err
    broker.create_topic("quiet", 2)
    broker.create_topic("still", 1)
    assert main(look) == 2
    assert "no message on quiet, still" in capsys.readouterr().err
    assert not out.exists()
    produce(broker, [Record("quiet", 0, 0, TS_NS, None, b"cpu,host=a usage=1 %d" % TS_NS)])
    assert main(look) in (0, 3)
    assert out.exists()


def test_a_configuration_whose_topics_are_not_there_finds_nothing(
    broker: EmbeddedBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("sources: [{name: cpu, topics: [cpu], format: influx}]\n")
    assert main(["doctor", "--config", str(config), "--bootstrap", broker.bootstrap]) == 2
    assert "no topic of the configuration's sources" in capsys.readouterr().err


def test_an_empty_file_is_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"")
    assert main(["doctor", str(tmp_path / "x.jsonl")]) == 2
    assert "no message on x" in capsys.readouterr().err


def test_with_a_configuration_its_sources_are_looked_at(
    broker: EmbeddedBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("metrics-eu", "other"):
        broker.create_topic(name, 1)
    produce(broker, [Record("metrics-eu", 0, n, TS_NS, b"a", b"cpu,host=a usage=%d" % (n % 7)) for n in range(50)])
    config = tmp_path / "c.yaml"
    config.write_text(
        f"kafka: {{bootstrap: '{broker.bootstrap}'}}\nsources: [{{name: m, topics: ['^metrics-'], format: text}}]\n"
    )
    assert main(["doctor", "--config", str(config), "--output", "json"]) == 3
    (topic,) = told(capsys)["topics"]
    assert topic["topic"] == "metrics-eu"
    assert [finding["concern"] for finding in topic["findings"]] == ["configured_otherwise"]
