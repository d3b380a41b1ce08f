"""A promise that is broken: its counters lie on two partitions, and its database is at fault."""

from __future__ import annotations

import numpy as np
import orjson
import pytest

from engine.config.load import parse_config
from engine.records import Record, Shard
from engine.wiring.files import through_kafka, through_memory

START = 1_772_409_600
CONFIG = """
sources:
  - {name: requests, topics: [requests], format: influx, counters: ["http_requests_total*"]}
correlate:
  topology: [[web, payment], [payment, payment-db]]
slos:
  - name: payment-answers
    entity: payment
    objective: 0.999
    total: 'http_requests_total.value{service="payment"}'
    good: 'http_requests_total.value{service="payment",code!~"5.."}'
  - name: web-answers
    entity: web
    objective: 0.999
    total: 'http_requests_total.value{service="web"}'
    errors: 'http_requests_total.value{service="web",code=~"5.."}'
"""


def logs(minutes: int, fails_from: int, seed: int) -> dict[Shard, list[Record]]:
    """Good requests and the database's latency on one partition, failed ones on the other; the database is slow when requests fail."""
    rng = np.random.default_rng(seed)
    counters = dict.fromkeys([(service, code) for service in ("web", "payment") for code in ("200", "503")], 0)
    told: dict[Shard, list[Record]] = {Shard("requests", 0): [], Shard("requests", 1): []}
    for n in range(2 * minutes):
        at, broken = START + 30 * n, n >= 2 * fails_from
        lines: tuple[list[str], list[str]] = (
            [f"query_seconds,service=payment-db value={rng.normal(4.0 if broken else 0.2, 0.02)}"],
            [],
        )
        for service, code in counters:
            total = int(rng.poisson(300))
            bad = int(rng.binomial(total, 0.2 if broken and service == "payment" else 0.0002))
            counters[service, code] += bad if code == "503" else total - bad
            lines[code == "503"].append(f"http_requests_total,service={service},code={code} value={counters[service, code]}")
        for shard, part in zip(told, lines, strict=True):
            value = "\n".join(f"{line} {at}000000000" for line in part).encode()
            told[shard].append(Record(*shard, n, at * 10**9, b"", value))
    return told


@pytest.fixture(scope="module")
def files() -> dict[str, list[dict]]:
    found = through_memory(parse_config(CONFIG.encode(), {}), logs(300, 260, 1)).files()
    return {name: [orjson.loads(line) for line in found[name]] for name in ("alerts.jsonl", "incidents.jsonl")}


@pytest.fixture
def told(files) -> list[dict]:
    return files["incidents.jsonl"]


def test_that_a_promise_burns_is_an_alert_among_the_others(files):
    burns = [a for a in files["alerts.jsonl"] if a.get("kind") == "slo_burn"]
    assert {(a["entity"], a["labels"]["slo"], a["state"]) for a in burns} == {("payment", "payment-answers", "firing")}
    assert 1 <= len(burns) <= 5
    assert burns[0]["text"].startswith("SLO payment-answers burns")
    assert burns[0]["example"].endswith("is too fast")


def test_what_is_wrong_with_the_service_or_with_its_database_names_the_promise_that_it_breaks(told):
    hurt = {entity: i for i in told if i["impact"] for entity in i["entities"]}
    assert set(hurt) == {"payment", "payment-db"}
    because = {entity: [(i["slo"], i["because"]) for i in incident["impact"]] for entity, incident in hurt.items()}
    assert because["payment"] == [("payment-answers", "payment itself has alerts")]
    if hurt["payment"] is not hurt["payment-db"]:
        assert because["payment-db"] == [("payment-answers", "payment needs payment-db, 1 step away")]
    assert all(i["severity"] >= 17 for i in told if i["impact"])
    (member,) = [m for i in told for m in i["members"] if m["kind"] == "slo_burn"]
    assert abs(member["onset_ts_ns"] / 1e9 - (START + 260 * 60)) <= 120
    assert member["text"].startswith("SLO payment-answers burns")


def test_a_promise_that_is_kept_is_no_incident(told):
    assert all(i["slo"] != "web-answers" for incident in told for i in incident["impact"])


def test_a_broker_in_between_changes_nothing(told):
    config = parse_config(CONFIG.encode(), {})
    over = [orjson.loads(line) for line in through_kafka(config, logs(300, 260, 1), "embedded").files()["incidents.jsonl"]]
    assert [without_stamp(i) for i in told] == [without_stamp(i) for i in over]


def without_stamp(incident: dict) -> dict:
    """Stamps name topics, and a run through a broker has topics of its own name."""
    return {name: value for name, value in incident.items() if name not in ("stamp", "revision")}
