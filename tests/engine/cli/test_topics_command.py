"""Laws of `foreshock topics`, against the embedded broker, which answers questions but makes no topic on request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from connectors.broker.embedded import EmbeddedBroker
from connectors.topics import own_topics
from engine.cli.app import main
from engine.config.tree import Kafka


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        yield broker


def configuration(folder: Path, broker: EmbeddedBroker) -> str:
    file = folder / "c.yaml"
    file.write_text(f"kafka: {{bootstrap: '{broker.bootstrap}'}}\nsources: [{{name: logs, topics: [app.logs], format: text}}]\n")
    return str(file)


def test_what_is_missing_is_a_finding(tmp_path: Path, broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str]) -> None:
    broker.create_topic("app.logs", 2)
    assert main(["topics", "--config", configuration(tmp_path, broker), "--output", "json"]) == 3
    told = orjson.loads(capsys.readouterr().out)
    assert len(told["missing"]) == len(told["own"]) == 6
    assert "topic foreshock.alerts does not exist" in told["missing"]


def test_when_all_is_there_it_says_so(tmp_path: Path, broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str]) -> None:
    for name, partitions, _ in [*own_topics(Kafka()), ("app.logs", 1, {})]:
        broker.create_topic(name, partitions)
    assert main(["topics", "--config", configuration(tmp_path, broker)]) == 0
    assert capsys.readouterr().out == "every topic is there\n"
