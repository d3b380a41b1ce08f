"""Draws `docs/anomalies.md` and its pictures: each kind of anomaly with band, score and gates. `docs/generate.py` writes them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from plot_fleet import tell_fleet
from plot_series import HOUR_NS, START_NS, Floats, Scene, Told, scenes, tell

from engine.records import Alert, AlertState

WIDTH: Final = 900
LEFT: Final = 64
RIGHT: Final = 872
ALERT_TOP: Final = 54
VALUE_TOP, VALUE_END = 76, 236
SCORE_TOP, SCORE_END = 256, 316
GATE_TOP: Final = 328
HEIGHT: Final = 384
SCORE_MAX: Final = 4.0
GATES: Final = {"passed": "#c62f1f", "unconfirmed": "#e59a1f", "immaterial": "#8b95a1"}
STATES: Final = {AlertState.FIRING: "#c62f1f", AlertState.UNKNOWN: "#e59a1f"}
STYLE: Final = (
    "text{font:12px 'Helvetica Neue',Arial,sans-serif;fill:#47515c}.t{font-size:17px;font-weight:600;fill:#1b232c}"
    ".s{font-size:13px}.r{text-anchor:end}.m{text-anchor:middle}.w{fill:#fff;font-weight:600}"
    ".g{stroke:#e4e8ec;stroke-width:1}.v{fill:none;stroke:#1d4f8c;stroke-width:1.4;stroke-linejoin:round}"
    ".e{fill:none;stroke:#6d93bf;stroke-width:1.2;stroke-dasharray:5 3}.b{fill:#cfe0f2;fill-opacity:.75}"
    ".o{fill:none;stroke:#3a4653;stroke-width:1.3}.l{stroke:#c62f1f;stroke-width:1;stroke-dasharray:2 3}"
)


class Frame(NamedTuple):
    """From hours and values to points of the picture."""

    since: float
    until: float
    low: float
    high: float
    top: float
    end: float

    def x(self, hour: float) -> float:
        part = (hour - self.since) / (self.until - self.since)
        return LEFT + (RIGHT - LEFT) * min(max(part, 0.0), 1.0)

    def y(self, value: float) -> float:
        part = (value - self.low) / (self.high - self.low)
        return self.end - (self.end - self.top) * min(max(part, 0.0), 1.0)


def runs(at: Floats, known: Floats, step: float) -> Iterator[list[int]]:
    """Places of samples that follow each other without a gap."""
    run: list[int] = []
    for i in np.flatnonzero(np.isfinite(known)).tolist():
        if run and at[i] - at[run[-1]] > 1.5 * step:
            yield run
            run = []
        run.append(i)
    if run:
        yield run


def points(frame: Frame, at: Floats, values: Floats, places: Iterable[int]) -> str:
    return " ".join(f"{frame.x(at[i]):.1f},{frame.y(values[i]):.1f}" for i in places)


def line(css: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{css}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def text(x: float, y: float, words: str, css: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{css}">{escape(words)}</text>'


def round_step(span: float, steps: int) -> float:
    """A step of 1, 2 or 5 times a power of ten that cuts the span in about so many."""
    step = 1e-6
    while True:
        for factor in (1.0, 2.0, 5.0):
            if span / (step * factor) <= steps:
                return step * factor
        step *= 10.0


def value_frame(played: Scene, told: Told) -> Frame:
    """High enough for all values, and for the band where it is not far beyond them."""
    values = told.value[np.isfinite(told.value)]
    span = max(float(values.max() - values.min()), 1e-9)
    ends = np.clip(np.concatenate([told.lower, told.upper]), values.min() - 0.35 * span, values.max() + 0.35 * span)
    ends = ends[np.isfinite(ends)]
    low, high = min(float(ends.min()), float(values.min())), max(float(ends.max()), float(values.max()))
    return Frame(played.since, played.until, low - 0.05 * span, high + 0.05 * span, VALUE_TOP, VALUE_END)


def axes(frame: Frame) -> Iterator[str]:
    step = round_step(frame.high - frame.low, 5)
    for k in range(int(np.ceil(frame.low / step)), int(np.floor(frame.high / step)) + 1):
        y = frame.y(k * step)
        yield line("g", LEFT, y, RIGHT, y)
        yield text(LEFT - 8, y + 4, f"{k * step:g}", "r")
    shown = frame.until - frame.since
    every = 6.0 if shown > 24.0 else 1.0 if shown > 6.0 else 0.5
    for k in range(round((frame.until - frame.since) / every) + 1):
        hour = frame.since + k * every
        yield line("g", frame.x(hour), VALUE_TOP, frame.x(hour), SCORE_END)
        clock = round(hour * 60) % 1440
        yield text(frame.x(hour), HEIGHT - 10, f"{clock // 60:02d}:{clock % 60:02d}", "m")


def drawn_values(frame: Frame, told: Told, step: float) -> Iterator[str]:
    """Band, expected, values, and a mark on each anomaly in the colour of its gate."""
    for run in runs(told.at, told.lower, step):
        edge = f"{points(frame, told.at, told.upper, run)} {points(frame, told.at, told.lower, reversed(run))}"
        yield f'<polygon class="b" points="{edge}"/>'
        yield f'<polyline class="e" points="{points(frame, told.at, told.expected, run)}"/>'
    for run in runs(told.at, told.value, step):
        yield f'<polyline class="v" points="{points(frame, told.at, told.value, run)}"/>'
    for i, gate in enumerate(told.gate):
        if gate:
            x, y = frame.x(told.at[i]), frame.y(told.value[i])
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{GATES.get(gate, "#8b95a1")}"/>'


def drawn_scores(frame: Frame, told: Told, step: float) -> Iterator[str]:
    score = Frame(frame.since, frame.until, 0.0, SCORE_MAX, SCORE_TOP, SCORE_END)
    for mark in (0.0, 2.0, 4.0):
        yield line("g", LEFT, score.y(mark), RIGHT, score.y(mark))
        yield text(LEFT - 8, score.y(mark) + 4, f"{mark:g}", "r")
    yield text(LEFT + 4, SCORE_TOP + 10, "score")
    for run in runs(told.at, told.score, step):
        yield f'<polyline class="o" points="{points(score, told.at, told.score, run)}"/>'
    yield line("l", LEFT, score.y(1.0), RIGHT, score.y(1.0))


def drawn_gates(frame: Frame, told: Told) -> Iterator[str]:
    """Runs of anomalies that the same gate decided on."""
    width = (RIGHT - LEFT) / max(len(told.at), 1)
    place = 0
    for gate, run in groupby(told.gate):
        length = len(list(run))
        if gate:
            x, long = frame.x(told.at[place]), max(length * width, 1.5)
            colour = GATES.get(gate, "#8b95a1")
            yield f'<rect x="{x:.1f}" y="{GATE_TOP}" width="{long:.1f}" height="12" fill="{colour}"/>'
        place += length
    yield text(LEFT - 8, GATE_TOP + 10, "gate", "r")
    yield line("g", LEFT, GATE_TOP + 12, RIGHT, GATE_TOP + 12)


def hour_of(ts_ns: int) -> float:
    return (ts_ns - START_NS) / HOUR_NS


class Ribbon(NamedTuple):
    """A time for which the same is told."""

    start: float
    end: float
    colour: str
    words: str


def ribbons(frame: Frame, alerts: list[Alert]) -> Iterator[Ribbon]:
    """Of all alerts within the frame, in order."""
    for _, of_one in groupby(alerts, key=lambda alert: alert.id):
        told = list(of_one)
        ends = [*(hour_of(alert.ts_ns) for alert in told[1:]), frame.until]
        spans = groupby(zip(told, ends, strict=True), key=lambda span: _look(span[0]))
        for (colour, words), same in spans:
            pieces = list(same)
            start, end = hour_of(pieces[0][0].ts_ns), pieces[-1][1]
            if colour and end > frame.since and start < frame.until:
                yield Ribbon(frame.x(start), frame.x(end), colour, words)


def _look(alert: Alert) -> tuple[str, str]:
    """Colour and words of what is told; no colour when it is over."""
    words = "unknown" if alert.state is AlertState.UNKNOWN else alert.kind.replace("_", " ")
    return STATES.get(alert.state, ""), words


def drawn_alerts(frame: Frame, alerts: list[Alert]) -> Iterator[str]:
    """A ribbon while the alert is told, in the colour of its state, and a mark where it is said to have begun."""
    yield text(LEFT - 8, ALERT_TOP + 12, "alert", "r")
    shown = list(ribbons(frame, alerts))
    if not shown:
        yield text(LEFT, ALERT_TOP + 12, "nobody is told")
        return
    following = [*(ribbon.start for ribbon in shown[1:]), float(RIGHT)]
    for ribbon, after in zip(shown, following, strict=True):
        width, wanted = max(ribbon.end - ribbon.start, 2.0), 12.0 + 6.5 * len(ribbon.words)
        yield f'<rect x="{ribbon.start:.1f}" y="{ALERT_TOP}" width="{width:.1f}" height="16" fill="{ribbon.colour}"/>'
        if width >= wanted:
            yield text(ribbon.start + 6, ALERT_TOP + 12, ribbon.words, "w")
        elif after - ribbon.end >= wanted:
            yield text(ribbon.end + 5, ALERT_TOP + 12, ribbon.words)
    for onset_ns in dict.fromkeys(alert.onset_ts_ns for alert in alerts if alert.revision == 1):
        hour = hour_of(onset_ns)
        if frame.since <= hour < frame.until:
            yield f'<path d="M{frame.x(hour):.1f} {VALUE_TOP + 1} l-4 -6 h8 z" fill="#1b232c"/>'


def legend() -> Iterator[str]:
    x = LEFT
    for gate, colour in GATES.items():
        yield f'<rect x="{x}" y="{GATE_TOP + 18}" width="10" height="10" fill="{colour}"/>'
        yield text(x + 15, GATE_TOP + 27, gate)
        x += 34 + 7 * len(gate)
    yield text(RIGHT, GATE_TOP + 27, "line: value · shade: band · dashes: expected · triangle: said to have begun", "r")


def picture(played: Scene, told: Told) -> str:
    step = float(played.at[1] - played.at[0])
    frame = value_frame(played, told)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
        f"<title>{escape(played.title)}: {escape(played.about)}</title><style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#fff"/>',
        text(LEFT, 24, played.title, "t"),
        text(LEFT, 42, played.about, "s"),
        *axes(frame),
        *drawn_values(frame, told, step),
        *drawn_scores(frame, told, step),
        *drawn_gates(frame, told),
        *drawn_alerts(frame, told.alerts),
        *legend(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


INTRODUCTION: Final = """# What anomalies look like

Each picture is a series that is played through the models, the gates and the life of an alert, with the default configuration.
From above: what people are told (the *alert*: red while it fires, amber while it is unknown, with the kind as it was told), the
values with the band in which they were expected, the *score* with its boundary 1.0, and which *gate* decided on each anomaly:
`passed` may fire; `unconfirmed` came too seldom so far; `immaterial` is surprising and still too small for anybody to care.
The band is that of the moment: while an alert fires the model does not learn, so a fault stays a fault.
"""


def slug(title: str) -> str:
    return title.lower().replace(" ", "-")


def pages() -> dict[str, str]:
    """Path from the root of the repository → text."""
    told = [(played, picture(played, tell(played))) for played in scenes()]
    member, of_member = tell_fleet()
    told.append((member, picture(member, of_member)))
    texts = {f"docs/anomalies/{slug(played.title)}.svg": drawn for played, drawn in told}
    shown = [f"![{played.title}: {played.about}](anomalies/{slug(played.title)}.svg)" for played, _ in told]
    texts["docs/anomalies.md"] = (
        "<!-- Written by `make docs`: do not edit. -->\n" + "\n".join([INTRODUCTION, "\n\n".join(shown)]) + "\n"
    )
    return texts


def main() -> None:
    root = Path(__file__).parent.parent
    for name, content in pages().items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(content)


if __name__ == "__main__":
    main()
