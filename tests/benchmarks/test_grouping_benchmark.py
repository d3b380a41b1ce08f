"""The benchmark of grouping: its figures are those of its definitions."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from benchmarks import grouping
from benchmarks.rivals.group_by import GROUPERS
from engine.correlate.grouping import Onset

NS = 1_000_000_000


def test_the_truth_itself_is_perfect() -> None:
    truth = ["a", "a", "b", "b", None]
    figures = grouping.judge(truth, [1, 1, 2, 2, 3])
    assert {name: figures[name] for name in ("pair F1", "ARI", "V-measure", "recovered")} == pytest.approx(
        {"pair F1": 1.0, "ARI": 1.0, "V-measure": 1.0, "recovered": 1.0}
    )
    assert figures["compression"] == pytest.approx(0.4)


def test_a_pair_with_a_false_alarm_is_wrong() -> None:
    figures = grouping.judge(["a", "a", None], [1, 1, 1])
    assert figures["pair precision"] == pytest.approx(1 / 3)
    assert figures["ARI"] == pytest.approx(0.0)  # of members alone: one group of two, as by chance


def test_known_values_of_rand_and_v() -> None:
    """The example of the scikit-learn manual: ARI 0.24…, V-measure 0.5158…."""
    true, said = [0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 2, 2]
    assert grouping.adjusted_rand(true, said) == pytest.approx(0.2424, abs=1e-4)
    assert grouping.v_measure(true, said) == pytest.approx(0.5158, abs=1e-4)


def test_an_incident_is_recovered_by_a_group_that_mostly_holds_it_and_mostly_is_it() -> None:
    truth = ["a"] * 5 + ["b"] * 2
    assert grouping.recovered(truth, [1, 1, 1, 2, 3, 1, 1]) == pytest.approx(0.5)
    assert grouping.recovered(truth, [1, 1, 1, 2, 3, 4, 5]) == pytest.approx(0.5)


def onset(seconds: float, entity: str) -> Onset:
    return Onset(entity, int(seconds * NS), 60.0, "shop", f"{entity}_cpu")


def test_rivals_group_as_they_say() -> None:
    onsets = [onset(0, "a"), onset(60, "b"), onset(170, "a"), onset(400, "a"), onset(1_100, "b")]
    parts = {name: [*map(list(dict.fromkeys(keys)).index, keys)] for name, keys in ((n, g(onsets)) for n, g in GROUPERS.items())}
    assert parts == {"by service": [0, 1, 0, 0, 2], "time gap": [0, 0, 0, 1, 2], "tumbling": [0, 0, 0, 1, 2]}


def test_it_runs_on_a_folder(tmp_path: Path) -> None:
    stream = tmp_path / "sparse-0"
    stream.mkdir()
    rows = [
        {"id": f"a{n}", "ts": 60.0 * n, "system": "s", "entity": "s/a", "series": "s/a_cpu", "score": 5, "step_seconds": 60}
        for n in range(3)
    ]
    (stream / "alerts.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    (stream / "truth.jsonl").write_bytes(b"\n".join(orjson.dumps({"id": row["id"], "incident": "i"}) for row in rows))
    figures = grouping.run(quick=True, options=["--data", str(tmp_path)])["densities"]["sparse"]  # type: ignore[index]
    assert figures["foreshock"]["pair F1"] == 1.0


def test_made_up_streams_are_better_grouped_than_by_service() -> None:
    (_, stream), *_ = grouping.made_up(1)
    ours = grouping.judge(stream.truth, grouping.foreshock(stream))["pair F1"]
    assert ours > 0.6
    assert ours > grouping.judge(stream.truth, GROUPERS["by service"](stream.onsets))["pair F1"]
