"""Series with a fault each, and what the models, the gates and the alert's life make of them: the data of `plots.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.config.tree import Detect, Format, Source
from engine.detect.alerts import Episodes
from engine.detect.bank import Bank
from engine.detect.catalog import SourceCatalog
from engine.detect.drafts import Moment, Phase
from engine.detect.gates import Gate, Judged, Policies, weigh
from engine.records import Alert, AlertState, AnomalyKind, Series

Floats = NDArray[np.float64]
START_NS: Final = 1_772_409_600_000_000_000
HOUR_NS: Final = 3_600_000_000_000
TICK_NS: Final = 60_000_000_000
SILENT_TICKS: Final = 2


class Scene(NamedTuple):
    """A series, and which part of it is shown. Times are hours since its beginning."""

    title: str
    about: str
    name: str
    at: Floats
    value: Floats  # not a number: the sample never came
    since: float
    until: float


class Told(NamedTuple):
    """What became of each sample, all of one length, and the messages."""

    at: Floats
    value: Floats
    expected: Floats
    lower: Floats
    upper: Floats
    score: Floats
    gate: list[str]  # "" for an ordinary sample
    alerts: list[Alert]


def noise(rows: int, size: float, seed: int) -> Floats:
    """About normal, of sums and products alone: the same bits on every machine."""
    words = np.random.Generator(np.random.Philox(seed)).integers(0, 1 << 32, (12, rows)).astype(np.float64)
    total = np.zeros(rows)
    for part in words:
        total += part / 4_294_967_296.0
    return size * (total - 6.0)


def wave(phase: Floats) -> Floats:
    """A round wave between -1 and 1 without the C library: two parabolas."""
    part = phase - np.floor(phase)
    half = np.where(part < 0.5, part, part - 0.5)
    return np.where(part < 0.5, 16.0, -16.0) * half * (0.5 - half)


def hours(days: float, step: float) -> Floats:
    return np.arange(round(days * 86_400 / step)) * (step / 3600.0)


def within(at: Floats, start: float, length: float) -> NDArray[np.bool_]:
    return (at > start - 1e-6) & (at < start + length - 1e-6)


def scene(
    title: str,
    about: str,
    change: Callable[[Floats, Floats], None],
    *,
    seed: int,
    name: str = "latency",
    spread: float = 4.0,
    until: float = 51.0,
) -> Scene:
    """Two days and some hours of a steady series a minute, changed at hour 48 and later; its end is shown."""
    at = hours(until / 24.0, 60.0)
    value = 100.0 + noise(len(at), spread, seed)
    change(at, value)
    return Scene(title, about, name, at, value, 47.0, until)


def _spike(at: Floats, value: Floats) -> None:
    value[within(at, 48.5, 0.2)] += 90.0


def _dip(at: Floats, value: Floats) -> None:
    value[within(at, 48.5, 0.4)] -= 85.0


def _level_up(at: Floats, value: Floats) -> None:
    value[at >= 48.5] += 45.0


def _level_down(at: Floats, value: Floats) -> None:
    value[at >= 48.5] -= 40.0


def _leak(at: Floats, value: Floats) -> None:
    value += np.clip((at - 48.25) * 40.0, 0.0, None)


def _flat(at: Floats, value: Floats) -> None:
    value[at >= 48.0] = value[at < 48.0][-1]


def _gap(at: Floats, value: Floats) -> None:
    value[within(at, 48.5, 0.15)] += 90.0
    value[within(at, 48.65, 0.9)] = np.nan


def _small(at: Floats, value: Floats) -> None:
    value[within(at, 48.5, 0.7)] += 12.0


def seasonal_miss() -> Scene:
    at = hours(11.0, 300.0)
    value = 300.0 + 200.0 * wave((at - 8.0) / 24.0) + noise(len(at), 8.0, 6)
    value[within(at, 9 * 24 + 10.0, 4.0)] = 120.0 + noise(48, 8.0, 7)
    about = "Four hours at noon are as low as a night. At night nobody would look twice; at noon it is a miss."
    return Scene("Seasonal miss", about, "requests", at, value, 8 * 24 - 6.0, 10 * 24 + 6.0)


def _shape(at: Floats, value: Floats) -> None:
    later = at >= 48.5
    value[later] += 24.0 * wave(at[later])


def _variance(at: Floats, value: Floats) -> None:
    here = within(at, 48.5, 1.0)
    value[here] += noise(int(here.sum()), 30.0, 14)


def rate_up() -> Scene:
    at = hours(52.0 / 24.0, 60.0)
    few = np.random.Generator(np.random.Philox(9)).integers(0, 1000, (len(at), 40)) < 75
    many = np.random.Generator(np.random.Philox(10)).integers(0, 1000, (len(at), 40)) < 400
    value = np.where(within(at, 48.5, 0.75), many.sum(axis=1), few.sum(axis=1)).astype(np.float64)
    return Scene(
        "Rate up", "Lines a minute of one kind: three are usual, then five times as many.", "log_lines", at, value, 47.0, 51.0
    )


def usual() -> Scene:
    """Two minutes at three o'clock of sixteen days, each time of another size; on the last day also six minutes at five."""
    at = hours(16.25, 60.0)
    value = 100.0 + noise(len(at), 4.0, 16)
    sizes = np.random.Generator(np.random.Philox(17)).integers(40, 90, 17)
    for day, size in enumerate(sizes.tolist()):
        value[within(at, 24 * day + 3.0, 2 / 60)] += size
    value[within(at, 16 * 24 + 5.0, 0.1)] += 60.0
    about = "Two minutes of work at three o'clock each night: the band knows of it, and the score stays low. Six minutes at five are told."
    return Scene("Usual", about, "cpu_load", at, value, 16 * 24 + 2.0, 16 * 24 + 6.0)


def scenes() -> list[Scene]:
    """One for each kind, and two for what is told to nobody."""
    return [
        scene("Spike", "Twelve minutes at nearly twice the usual latency.", _spike, seed=1),
        scene("Dip", "Twenty-four minutes with hardly any traffic.", _dip, seed=2, name="traffic"),
        scene(
            "Level up",
            "A step that stays. It is adopted as the new normal when it has lasted six hours.",
            _level_up,
            seed=3,
            until=57.0,
        ),
        scene("Level down", "The same downwards.", _level_down, seed=4, name="throughput"),
        scene("Trend", "A leak of 40 an hour, from one quarter past on.", _leak, seed=5, name="memory"),
        seasonal_miss(),
        scene("Flat", "A sensor that is stuck at its last value.", _flat, seed=11, name="temperature"),
        scene("Gap", "Data stop while an alert fires: what is not known is not resolved.", _gap, seed=12),
        scene("Shape", "Neighbours were as far apart as strangers; now they go together in a slow swing.", _shape, seed=8),
        scene(
            "Variance", "For an hour it swings to both sides, seven times as far as usual; its mean stays.", _variance, seed=15
        ),
        rate_up(),
        usual(),
        scene("Immaterial", "Surprising, but only twelve per cent: counted, and told to nobody.", _small, seed=13, spread=0.8),
    ]


class Narrator:
    """Plays one scene sample by sample through the models, the gates and the life of an alert; ticks each minute."""

    def __init__(self, played: Scene) -> None:
        config = Detect()
        self.bank = Bank(config)
        catalog = SourceCatalog(Source(name="shop", topics=["in"], format=Format.JSON))
        self.series: Series = catalog.describe(catalog.metric(played.name, {"service": "cart"}))
        self.policy = Policies(config).of(self.series)
        self.episodes = Episodes(config, self.bank.kernel_id, "plots", self.bank.epoch)
        self.bank.admit(0, self.series)
        self.alerts: list[Alert] = []
        self.silent = 0
        self.size = 0.0

    def moment(self, ts_ns: int) -> Moment:
        return Moment(0, Phase.SAMPLES, "in", 0, (ts_ns - START_NS) // TICK_NS, ts_ns, ts_ns)

    def sample(self, ts_ns: int, value: float) -> tuple[list[float], str]:
        """Expected, lower, upper and score; and the gate, "" for an ordinary sample."""
        scored = self.bank.score(np.zeros(1, np.int64), np.array([ts_ns]), np.array([value]))
        judged = Judged(
            ts_ns, value, float(scored.score[0]), float(scored.expected[0]), *scored.band(slice(1))[0].tolist(),
            float(scored.deviation[0]), self._kind(Bank.KINDS[scored.kind[0]]), int(scored.onset_ts_ns[0]), {}, self.size, 60.0,
        )  # fmt: skip
        self.size += 0.01 * (abs(value) - self.size)
        self.silent = 0
        gate = weigh(self.policy, judged) if judged.score >= 1.0 else Gate.PASSED
        gate, alert = self.episodes.observe(self.series, 0, judged, gate, self.moment(ts_ns))
        self._told(alert)
        return [judged.expected, judged.lower, judged.upper, judged.score], str(gate) if judged.score >= 1.0 else ""

    def _kind(self, kind: AnomalyKind) -> AnomalyKind:
        """Counts go up and down in rate."""
        up = self.series.name == "log_lines" and kind in (AnomalyKind.SPIKE, AnomalyKind.LEVEL_UP)
        return AnomalyKind.RATE_UP if up else kind

    def tick(self, ts_ns: int) -> None:
        """Silence is seen, and the models get what was asked for them."""
        slots, scores = self.bank.overdue(ts_ns)
        self.silent = self.silent + 1 if len(slots) else 0
        if self.silent == SILENT_TICKS:
            last_ns = ts_ns - SILENT_TICKS * TICK_NS
            self._told(self.episodes.silent(self.series, 0, float(scores[0]), last_ns, 60.0, self.moment(ts_ns)))
        for _, slot, ask in self.episodes.take_asks():
            self.bank.obey(slot, ask)
        self.episodes.sweep(ts_ns)

    def _told(self, alert: Alert | None) -> None:
        if alert is not None and alert.state is not AlertState.PENDING:
            self.alerts.append(alert)


def tell(played: Scene) -> Told:
    """The whole series is played; what is shown is cut out of it."""
    narrator = Narrator(played)
    numbers, gates = [], []
    for hour, value in zip(played.at.tolist(), played.value.tolist(), strict=True):
        ts_ns = START_NS + round(hour * HOUR_NS)
        narrator.tick(ts_ns)
        known = value == value  # noqa: PLR0124  # a number
        found, gate = narrator.sample(ts_ns, value) if known else ([float("nan")] * 4, "")
        numbers.append(found)
        gates.append(gate)
    shown = np.flatnonzero(within(played.at, played.since, played.until - played.since))
    expected, lower, upper, score = np.array(numbers)[shown].T
    picked = [gates[i] for i in shown.tolist()]
    return Told(played.at[shown], played.value[shown], expected, lower, upper, score, picked, narrator.alerts)
