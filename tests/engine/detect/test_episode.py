"""Laws of an episode: what is an echo of an excursion, and what is more of it."""

from __future__ import annotations

import pytest

from engine.detect.episode import Episode, is_echo
from engine.detect.gates import Judged
from engine.records import AlertState, AnomalyKind, Series

SERIES = Series(key=b"retransmissions{}", name="retransmissions", labels=(), entity="node-1")


def sample(minute: int, value: float, kind: AnomalyKind) -> Judged:
    """One anomaly of a series that is expected at 0, give or take 1."""
    return Judged(60 * minute, value, 2.0, 0.0, -1.0, 1.0, value, kind, 0, {}, 1.0, 60.0)


def episode(*anomalies: Judged) -> Episode:
    told = Episode(SERIES, 0, AlertState.FIRING)
    for judged in anomalies:
        told.note(judged)
    return told


@pytest.mark.parametrize("later", [AnomalyKind.SPIKE, AnomalyKind.VARIANCE, AnomalyKind.SHAPE])
def test_back_where_it_is_expected_an_excursion_is_over_whatever_its_later_samples_were_called(later):
    excursion = episode(sample(1, 40.0, AnomalyKind.LEVEL_UP), sample(2, 100.0, later))
    assert is_echo(excursion, sample(3, 0.0, AnomalyKind.SHAPE))
    assert not is_echo(excursion, sample(3, 40.0, AnomalyKind.SHAPE))
    assert not is_echo(excursion, sample(3, 0.0, AnomalyKind.FLAT))


def test_what_began_with_the_form_of_a_series_has_no_echo():
    odd = episode(sample(1, 40.0, AnomalyKind.SHAPE), sample(2, 100.0, AnomalyKind.LEVEL_UP))
    assert not is_echo(odd, sample(3, 0.0, AnomalyKind.SHAPE))
