"""The pictures of anomalies show each kind told as what it is."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

from engine.records import GOES_ON, Alert, AlertState, AnomalyKind

ROOT = Path(__file__).parent.parent
KINDS = {
    "Spike": AnomalyKind.SPIKE,
    "Dip": AnomalyKind.DIP,
    "Flat": AnomalyKind.FLAT,
    "Shape": AnomalyKind.SHAPE,
    "Rate up": AnomalyKind.RATE_UP,
}
"""Those whose first message names the kind; a level is a spike until it has lasted."""


@pytest.fixture(scope="module")
def plots() -> ModuleType:
    sys.path.insert(0, str(ROOT / "docs"))
    import plots

    return plots


@pytest.fixture(scope="module")
def told(plots: ModuleType) -> dict[str, list[Alert]]:
    return {played.title: plots.tell(played).alerts for played in plots.scenes()}


def test_no_picture_is_left_that_nothing_draws(plots: ModuleType) -> None:
    """That those which are drawn are of today is seen by the law of all generated pages."""
    drawn = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs" / "anomalies").glob("*")}
    assert drawn == {name for name in plots.pages() if name.endswith(".svg")}


def test_pictures_are_xml_and_small(plots: ModuleType) -> None:
    for name, text in plots.pages().items():
        if name.endswith(".svg"):
            ET.fromstring(text)  # noqa: S314  # our own text
            assert len(text) < 80_000, name


@pytest.mark.parametrize("title", list(KINDS))
def test_a_kind_is_told_by_its_name(title: str, told: dict[str, list[Alert]]) -> None:
    assert told[title][0].kind == KINDS[title]


def test_each_fault_but_the_immaterial_one_is_told_first_after_it_began(told: dict[str, list[Alert]]) -> None:
    assert told.pop("Immaterial") == []
    for title, alerts in told.items():
        assert alerts, title
        assert alerts[0].state is AlertState.FIRING, title
        assert alerts[0].onset_ts_ns <= alerts[0].ts_ns, title


def test_silence_is_unknown(told: dict[str, list[Alert]]) -> None:
    assert [alert.state for alert in told["Gap"] if alert.reason not in GOES_ON] == [
        AlertState.FIRING,
        AlertState.UNKNOWN,
        AlertState.RESOLVED,
    ]


def test_a_level_is_adopted_once(told: dict[str, list[Alert]]) -> None:
    assert [alert.reason for alert in told["Level up"] if alert.state is AlertState.RESOLVED] == ["adopted"]
