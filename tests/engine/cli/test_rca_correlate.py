"""`foreshock rca` and `foreshock correlate` keep their contracts."""

from __future__ import annotations

import gzip

import numpy as np
import orjson
import pytest

from engine.cli.app import main

START = 1_772_672_400


def write_case(folder, *, zipped=False):
    rng = np.random.default_rng(5)
    names = ["web:latency", "cart:latency", "cart-db:latency", "cart-db:cpu", "svc:a:latency"]
    values = np.abs(rng.normal(10, 0.3, (50, len(names))))
    values[40:, :4] += [4, 6, 9, 8]
    rows = ["time," + ",".join(names)]
    rows += [f"{START + 60 * n}," + ",".join("" if n == 7 else f"{v:.4f}" for v in row) for n, row in enumerate(values)]
    text = "\n".join(rows).encode()
    path = folder / ("metrics.csv.gz" if zipped else "metrics.csv")
    path.write_bytes(gzip.compress(text) if zipped else text)
    graph = folder / "topology.json"
    graph.write_bytes(orjson.dumps({"edges": [["web", "cart"], ["cart", "cart-db"]]}))
    return path, graph


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("at", [str(START + 2400), f"{(START + 2400) * 1000}", "2026-03-05T01:40:00Z", None])
def test_the_cause_comes_first(tmp_path, capsys, zipped, at):
    path, graph = write_case(tmp_path, zipped=zipped)
    when = ["--at", at] if at else []
    assert main(["rca", str(path), *when, "--topology", str(graph), "--output", "json"]) == 0
    hints = orjson.loads(capsys.readouterr().out)
    assert hints[0]["entity"] == "cart-db"
    assert {"entity", "metric", "probability", "evidence"} <= hints[0].keys()
    assert hints[0]["probability"] >= hints[1]["probability"]


def test_a_change_is_evidence(tmp_path, capsys):
    path, graph = write_case(tmp_path)
    changes = tmp_path / "changes.jsonl"
    changes.write_text('{"time": "2026-03-05T01:38:00Z", "entity": "cart-db", "name": "deploy", "text": "v2"}\n\n')
    assert (
        main(["rca", str(path), "--at", str(START + 2400), "--topology", str(graph), "--changes", str(changes), "-o", "json"])
        == 0
    )
    best = orjson.loads(capsys.readouterr().out)[0]
    assert (best["entity"], best["change"]) == ("cart-db", "line 1")
    assert "change" in {e["kind"] for e in best["evidence"]}


def test_the_table_is_for_people(tmp_path, capsys):
    path, _ = write_case(tmp_path)
    assert main(["rca", str(path), "--at", str(START + 2400)]) == 0
    assert "1. cart-db" in capsys.readouterr().out


def test_nothing_moved_means_abstained(tmp_path, capsys):
    path = tmp_path / "flat.csv"
    path.write_text("time,a:x\n" + "\n".join(f"{START + 60 * n},1" for n in range(30)))
    assert main(["rca", str(path), "--at", str(START + 1200), "-o", "json"]) == 0
    answer = orjson.loads(capsys.readouterr().out)
    assert answer == {"abstained": True, "hints": [], "why": "no series left its usual range"}


@pytest.mark.parametrize(
    "text",
    ["", "time\n1\n", "time,a:x\n1,2,3\n", "time,a:x\nyesterday,2\n", "time,a:x\n1,2\n2,3\n"],
    ids=["empty", "no-series", "ragged", "bad-time", "too-short"],
)
def test_an_unusable_table_is_refused_with_a_reason(tmp_path, capsys, text):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    assert main(["rca", str(path)]) == 2
    assert capsys.readouterr().err.startswith("foreshock: ")


def test_a_file_that_is_not_there_or_not_gzip_is_refused(tmp_path, capsys):
    fake = tmp_path / "x.csv.gz"
    fake.write_bytes(b"time,a:x\n1,2\n")
    for path in (fake, tmp_path / "none.csv"):
        assert main(["rca", str(path)]) == 2
        assert "cannot read" in capsys.readouterr().err


def alert(n, ts, entity, **more):
    return {
        "id": f"a{n}",
        "ts": ts,
        "system": "shop",
        "entity": entity,
        "series": f"{entity}_x",
        "kind": "lat",
        "score": 5,
        **more,
    }


def group(tmp_path, alerts, *more):
    source, out = tmp_path / "alerts.jsonl", tmp_path / "out" / "incidents.jsonl"
    source.write_bytes(b"".join(orjson.dumps({"step_seconds": 60, **a}) + b"\n" for a in alerts))
    assert main(["correlate", str(source), "--out", str(out), *more]) == 0
    return {row["id"]: row["incident_id"] for row in map(orjson.loads, out.read_bytes().splitlines())}


def test_each_alert_gets_exactly_one_incident(tmp_path):
    _, graph = write_case(tmp_path)
    alerts = [
        alert(0, START, "cart"),
        alert(1, START + 30, "web"),
        alert(2, START + 9000, "web"),
        alert(3, START + 40, "cart", system="b"),
    ]
    groups = group(tmp_path, sorted(alerts, key=lambda a: a["ts"]), "--topology", str(graph))
    assert groups.keys() == {"a0", "a1", "a2", "a3"}
    assert groups["a0"] == groups["a1"]
    assert len(set(groups.values())) == 3


def test_alerts_that_do_not_parse_are_refused_with_their_line(tmp_path, capsys):
    source = tmp_path / "alerts.jsonl"
    source.write_text('{"id": "a"}\n')
    assert main(["correlate", str(source), "--out", str(tmp_path / "o")]) == 2
    assert "line 1" in capsys.readouterr().err
