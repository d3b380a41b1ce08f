"""`foreshock replay` on recordings: what it finds, and that a broker in between changes nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from pathlib import Path

import case_files
import orjson
import pytest

from engine.cli.app import main
from engine.config import Config
from engine.wiring.files import file_logs, through_kafka, through_memory

TOPOLOGY = "correlate:\n  topology: [[web, orders], [orders, orders-db], [web, mail]]\n"
MADE: dict[str, Callable[[Path], Path]] = {
    "wide": case_files.fault_case,
    "single": case_files.one_metric,
    "log": case_files.log_file,
}


def replay(out: Path, files: Iterable[Path | str], *options: str) -> dict[str, bytes]:
    """What the command writes, by file name."""
    assert main(["replay", *map(str, files), "--out", str(out), *options]) == 0
    return {path.name: path.read_bytes() for path in out.iterdir()}


def lines(written: dict[str, bytes], name: str) -> list[dict]:
    return [orjson.loads(line) for line in written[name].splitlines()]


def without_stamps(incidents: list[dict]) -> list[dict]:
    """A run through a broker has topics of its own name, and stamps name topics."""
    return [{name: value for name, value in incident.items() if name != "stamp"} for incident in incidents]


@pytest.fixture
def topology(tmp_path: Path) -> str:
    file = tmp_path / "shop.yaml"
    file.write_text(TOPOLOGY)
    return str(file)


def test_a_recorded_fault_is_one_incident_with_ranked_hints(tmp_path: Path, topology: str) -> None:
    written = replay(tmp_path / "out", [case_files.fault_case(tmp_path)], "--config", topology)
    (incident,) = lines(written, "incidents.jsonl")
    assert set(incident["entities"]) == set(case_files.BREAKS_AFTER)
    assert incident["started_ts_ns"] >= (case_files.START + (case_files.QUIET_STEPS - 1) * case_files.STEP) * 10**9
    hints = incident["hints"]
    assert len(hints) >= 2
    assert [hint["probability"] for hint in hints] == sorted((hint["probability"] for hint in hints), reverse=True)
    assert hints[0]["entity"] == "orders-db"
    assert all(hint["evidence"] for hint in hints)
    assert {alert["entity"] for alert in lines(written, "alerts.jsonl")} == set(case_files.BREAKS_AFTER)


def test_a_metric_that_jumps_is_one_incident(tmp_path: Path) -> None:
    written = replay(tmp_path / "out", [case_files.one_metric(tmp_path)])
    (incident,) = lines(written, "incidents.jsonl")
    assert incident["entities"] == ["queue"]
    assert {alert["direction"] for alert in lines(written, "alerts.jsonl")} == {1}


def test_an_error_never_seen_before_is_one_incident_with_its_words(tmp_path: Path) -> None:
    written = replay(tmp_path / "out", [case_files.log_file(tmp_path)])
    (incident,) = lines(written, "incidents.jsonl")
    assert incident["entities"] == ["server"]
    assert "lost its connection to shard" in incident["title"]


@pytest.mark.parametrize("kind", MADE)
def test_a_file_through_a_broker_gives_the_same_alerts_byte_for_byte(kind: str, tmp_path: Path, topology: str) -> None:
    file = MADE[kind](tmp_path)
    alone = replay(tmp_path / "alone", [file], "--config", topology)
    through = replay(tmp_path / "through", [file], "--config", topology, "--kafka", "embedded")
    assert alone["alerts.jsonl"]
    for name in ("alerts.jsonl", "changes.jsonl", "dead-letters.jsonl"):
        assert through[name] == alone[name]
    assert without_stamps(lines(through, "incidents.jsonl")) == without_stamps(lines(alone, "incidents.jsonl"))


def test_several_files_through_a_broker_give_the_same_alerts_byte_for_byte(tmp_path: Path, topology: str) -> None:
    """Two of one kind share a topic, each as a partition of it; both are of the same day."""
    files = [case_files.fault_case(tmp_path), case_files.one_metric(tmp_path)]
    alone = replay(tmp_path / "alone", files, "--config", topology)
    through = replay(tmp_path / "through", files, "--config", topology, "--kafka", "embedded")
    assert through["alerts.jsonl"] == alone["alerts.jsonl"]
    assert without_stamps(lines(through, "incidents.jsonl")) == without_stamps(lines(alone, "incidents.jsonl"))


def test_replaying_twice_gives_the_same_files_but_for_the_time_it_took(tmp_path: Path, topology: str) -> None:
    file = case_files.fault_case(tmp_path)
    first = replay(tmp_path / "first", [file], "--config", topology)
    second = replay(tmp_path / "second", [file], "--config", topology)
    took = [orjson.loads(written.pop("stats.json")) for written in (first, second)]
    assert [stats.pop("seconds") > 0 for stats in took] == [True, True]
    assert first == second
    assert took[0] == took[1]


def test_a_topology_that_is_not_given_costs_grouping_and_no_alert(tmp_path: Path, topology: str) -> None:
    file = case_files.fault_case(tmp_path)
    known = replay(tmp_path / "known", [file], "--config", topology)
    unknown = replay(tmp_path / "unknown", [file])
    keys = [{(alert["id"], alert["revision"]) for alert in lines(written, "alerts.jsonl")} for written in (known, unknown)]
    assert keys[0] == keys[1]
    assert lines(unknown, "incidents.jsonl")[0]["hints"][0]["entity"] == "orders-db"


def test_how_many_partitions_our_own_topics_have_does_not_show(tmp_path: Path) -> None:
    config, logs = file_logs(Config(), [str(case_files.fault_case(tmp_path))])
    spread = config.kafka.model_copy(update={"partitions": {"alerts": 3, "dead-letters": 2, "incidents": 2}})
    alone = through_memory(config, logs).files()
    through = through_kafka(config.model_copy(update={"kafka": spread}), logs, "embedded").files()
    assert through["alerts.jsonl"] == alone["alerts.jsonl"]
    assert _states(through["incidents.jsonl"]) == _states(alone["incidents.jsonl"])


def _states(incidents: list[bytes]) -> list[tuple[str, str, int]]:
    return [(i["id"], i["state"], i["alerts_total"]) for i in map(orjson.loads, incidents)]


def test_a_log_that_the_embedded_broker_cannot_hold_is_refused_in_plain_words(tmp_path: Path, capfd) -> None:
    """It keeps a few MiB of a partition and drops the oldest without a word: half a log would give other alerts."""
    file = tmp_path / "long.log"
    chance = random.Random(1)  # what is random cannot be compressed
    file.write_bytes(b"".join(b"%d %s\n" % (n, chance.randbytes(3000).hex().encode()) for n in range(5000)))
    assert main(["replay", str(file), "--out", str(tmp_path / "out"), "--kafka", "embedded"]) != 0
    told = capfd.readouterr().err
    assert "dropped the first" in told
    assert "address of a Kafka broker" in told
    assert not (tmp_path / "out").exists()
