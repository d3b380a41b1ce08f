"""How what is told of made-up logs is judged: by kind, by place and by time."""

from __future__ import annotations

from itertools import pairwise

import pytest

from benchmarks.logs import AFTER, START, Tally
from benchmarks.made_up_logs import QUIET, TROUBLE, Company, Wrong
from engine.records import Alert, AlertState, AnomalyKind, ModelRef, Signal, Stamp


@pytest.fixture(scope="module")
def company() -> Company:
    return Company(7, 1)


def alert(kind: AnomalyKind, entity: str, minute: float) -> Alert:
    ts_ns = int((START + 60.0 * minute) * 1e9)
    return Alert(
        id="a",
        fingerprint="f",
        state=AlertState.FIRING,
        revision=1,
        series="s",
        name="log_lines",
        labels={},
        entity=entity,
        domain="default",
        tenant="default",
        signal=Signal.LOG,
        kind=kind,
        direction=1,
        onset_ts_ns=ts_ns,
        opened_ts_ns=ts_ns,
        ts_ns=ts_ns,
        score=2.0,
        peak_score=2.0,
        value=1.0,
        expected=0.0,
        lower=None,
        upper=None,
        model=ModelRef(kernel_id="k", config_id="c"),
        stamp=Stamp("lines", 0, 0, 0),
    )


def of(company: Company, kind: AnomalyKind) -> Wrong:
    return next(wrong for wrong in company.wrongs if wrong.kind is kind)


def judged(company: Company, *alerts: Alert) -> Tally:
    tally = Tally()
    tally.judge(company, alerts)
    return tally


def test_every_kind_of_trouble_comes_once_after_the_quiet_days_and_none_meets_another(company: Company) -> None:
    wrongs = sorted(company.wrongs, key=lambda wrong: wrong.start)
    assert sorted(wrong.kind for wrong in wrongs) == sorted(TROUBLE)
    assert all(QUIET <= wrong.start < wrong.end < company.minutes for wrong in wrongs)
    assert all(a.end < b.start for a, b in pairwise(wrongs))


def test_one_seed_gives_one_company(company: Company) -> None:
    assert Company(7, 1).wrongs == company.wrongs
    assert [t.text for t in Company(7, 1).templates] == [t.text for t in company.templates]


def test_an_alert_of_the_kind_at_the_place_and_time_finds_it_and_only_once(company: Company) -> None:
    wrong = of(company, AnomalyKind.NEW_TEMPLATE)
    tally = judged(company, *[alert(wrong.kind, wrong.entities[0], wrong.start + k) for k in (1, 2)])
    assert tally.rows[wrong.kind] == {"wrong": 1, "found": 1, "told": 1, "false": 0}
    assert tally.figures()["kinds"]["new_template"]["delay_minutes_median"] == pytest.approx(1.0)


def test_what_trouble_brings_along_counts_for_nothing_and_another_kind_is_false(company: Company) -> None:
    wrong = of(company, AnomalyKind.NEW_TEMPLATE)
    entity, minute = wrong.entities[0], wrong.start + 1
    beside = judged(company, alert(AnomalyKind.RATE_UP, entity, minute)).rows
    other = judged(company, alert(AnomalyKind.BROKEN_SEQUENCE, entity, minute)).rows
    assert (beside[AnomalyKind.RATE_UP]["false"], other[AnomalyKind.BROKEN_SEQUENCE]["false"]) == (0, 1)
    assert (beside[wrong.kind]["found"], beside[wrong.kind]["told"]) == (0, 1)


def test_elsewhere_too_late_or_before_anything_happens(company: Company) -> None:
    wrong = of(company, AnomalyKind.LINE_VALUE)
    late = alert(wrong.kind, wrong.entities[0], wrong.end + AFTER + 1)
    elsewhere = alert(wrong.kind, "nowhere", wrong.start + 1)
    young = alert(wrong.kind, wrong.entities[0], QUIET - 10)
    rows = judged(company, late, elsewhere, young).rows
    assert rows[wrong.kind] == {"wrong": 1, "found": 0, "told": 0, "false": 2}
