"""A member of a fleet that is unlike its peers: the data of one picture of `plots.py`."""

from __future__ import annotations

from typing import Final

import numpy as np
from plot_series import START_NS, TICK_NS, Scene, Told, hours, noise, wave, within

from detectors import peer_state, peers
from detectors.kernel import as_state
from engine.config.tree import Detect, Format, Source
from engine.detect.alerts import Episodes
from engine.detect.catalog import SourceCatalog
from engine.detect.drafts import Moment, Phase
from engine.detect.gates import Gate, Judged, Policies, weigh
from engine.records import Alert, AnomalyKind

MEMBERS: Final = 8


def fleet() -> tuple[Scene, list[np.ndarray[tuple[int], np.dtype[np.float64]]]]:
    """Eight pods that share a load; the first is slower than the rest by nearly a half for forty minutes. All a minute."""
    at = hours(52.0 / 24.0, 60.0)
    load = 300.0 + 120.0 * wave((at - 8.0) / 24.0) + 40.0 * wave(at / 3.1)
    members = [load * (1.0 + 0.01 * k) + noise(len(at), 6.0, 30 + k) for k in range(MEMBERS)]
    members[0][within(at, 48.75, 40 / 60)] *= 1.45
    about = (
        "One of eight pods is slower than the others by nearly a half. Its own past would allow that: the load swings by more."
    )
    return Scene("Outlier", about, "latency", at, members[0], 47.0, 51.0), members


def tell_fleet() -> tuple[Scene, Told]:
    """A round of comparisons each minute; what is said of the first member, and what became of it."""
    played, members = fleet()
    config = Detect()
    catalog = SourceCatalog(Source(name="shop", topics=["in"], format=Format.JSON))
    series = catalog.describe(catalog.metric(played.name, {"service": "cart", "against": "peers"}))
    policy, episodes = Policies(config).of(series), Episodes(config, "", "plots", lambda _: 0)
    rows, group = np.zeros(MEMBERS, peer_state.MEMBER), np.zeros(1, peer_state.GROUP)
    rows["group"] = 1
    slots, said, spare = np.arange(MEMBERS), np.zeros(MEMBERS, peer_state.OPINION), np.empty(MEMBERS)
    rounds = (np.zeros(1, np.int64), np.array([0, MEMBERS], np.int64), slots)
    clocks = (np.full(MEMBERS, TICK_NS * 1e-9), 0.0, np.zeros(1, np.int64))
    params = peer_state.Params(budget_seconds=config.false_alarm_every, warm_up_seconds=config.warm_up)
    numbers, gates, alerts = [], [], list[Alert]()
    for i, values in enumerate(np.array(members).T):
        ts_ns = START_NS + i * TICK_NS
        peers.gather(as_state(rows), slots, np.full(MEMBERS, ts_ns), np.ascontiguousarray(values))
        peers.score_rounds(as_state(rows), as_state(group), rounds, clocks, ts_ns, params, as_state(said), spare)
        own = said[0]
        judged = Judged(
            ts_ns, float(values[0]), float(own["score"]), float(own["expected"]), float(own["lower"]), float(own["upper"]),
            float(own["deviation"]), AnomalyKind.OUTLIER, int(rows["since_ns"][0]) or ts_ns, {}, float(values[1:].mean()), 60.0,
        )  # fmt: skip
        surprising = judged.score >= 1.0
        gate = weigh(policy, judged) if surprising else Gate.PASSED
        gate, alert = episodes.observe(series, -1, judged, gate, Moment(0, Phase.SAMPLES, "in", 0, i, ts_ns, ts_ns))
        episodes.sweep(ts_ns)
        alerts += [alert] if alert is not None else []
        rows["frozen"][0] = episodes.is_open(series.key)
        numbers.append([judged.expected, judged.lower, judged.upper, judged.score])
        gates.append(str(gate) if surprising else "")
    shown = np.flatnonzero(within(played.at, played.since, played.until - played.since))
    expected, lower, upper, score = np.array(numbers)[shown].T
    others = np.median(np.array(members[1:]), axis=0)[shown]
    expected = np.where(np.isnan(expected), others, expected)
    picked = [gates[i] for i in shown.tolist()]
    return played, Told(played.at[shown], played.value[shown], expected, lower, upper, score, picked, alerts)
