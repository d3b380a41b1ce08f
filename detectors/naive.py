"""Slow, obvious oracles: each detector again, for one series, in plain Python with the C library's logarithm.

They follow the words of the detectors' docstrings, not their code, and take whole lists: what the kernels do row by row with
state in a structured array must come out the same to rounding. Nothing but tests calls them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from detectors import absence, flat, level, projection, rate, reach, season
from detectors.naive_cycle import naive_cycle
from detectors.naive_words import Sample, Verdict, clamp, sign, tail_decades


def soft_clip(decades: float) -> float:
    return decades if decades <= 6.0 else 6.0 + math.log10(decades - 5.0)


def bent(z: float, g: float) -> float:
    """On the longer side, where g and z have one sign, about the inverse of Tukey's bend: ln(1 + g z) / g."""
    return z * (6.0 + g * z) / (6.0 + 4.0 * g * z) if g * z > 0.0 else z


def memory_of(s: Sample, age: float, params: level.Params) -> float:
    return max(params.scale_seconds, 4.0 * age, params.scale_steps * s.step)


def naive_level(samples: list[Sample], params: level.Params) -> list[Verdict]:
    levels, scales = [0.0] * 3, [0.0] * 3
    quantum = tilt = 0.0
    verdicts = []
    for s in samples:
        if s.seen == 0:
            levels = [s.value] * 3
            verdicts.append(Verdict(0.0))
            continue
        ages = [0.0, max(params.hours, params.steps * s.step), params.days]
        floors = [0.1 * quantum + 1e-9 * abs(x) + 1e-12 for x in levels]
        sizes = [1.25 * scales[a] + floors[a] for a in range(3)]
        g = 2.0 * tilt / 1.28**2
        zs = [(s.value - levels[a]) / sizes[a] for a in range(3)]
        ys = [tail_decades(abs(z if age == 0 else bent(z, g))) for age, z in enumerate(zs)]
        decades = sum(soft_clip(y) for y in ys) / 3 if s.seen > 10 else 0.0
        verdicts.append(Verdict(decades, levels[1], sizes[1], sign(s.value - levels[1])))
        change = abs(s.value - levels[0])
        if change > 0.0:
            quantum = change if quantum == 0.0 else quantum + 0.02 * (min(change, 10.0 * quantum) - quantum)
        # The first change sets the floor that its own lesson is bounded by, hence the sizes once more.
        for a in range(3):
            size = 1.25 * scales[a] + 0.1 * quantum + 1e-9 * abs(levels[a]) + 1e-12
            deviation = s.value - levels[a]
            if a == 1 and s.seen > 10:
                beyond = int(deviation > (1.28 + tilt) * size) - int(-deviation > (1.28 - tilt) * size)
                pace = max(min(s.dt / (memory_of(s, ages[1], params) + s.dt), 0.2), 1.0 / s.seen)
                tilt = clamp(tilt + 2.5 * pace * beyond, level.TILT_MAX)
            if s.seen > 10:
                deviation = clamp(deviation, params.bound * size)
            memory = memory_of(s, ages[a], params)
            scales[a] += max(min(s.dt / (memory + s.dt), 0.2), 1.0 / s.seen) * (abs(deviation) - scales[a])
            scales[a] = 0.0 if scales[a] < 1e-30 else scales[a]
            levels[a] = s.value if a == 0 else levels[a] + max(s.dt / (ages[a] + s.dt), 1.0 / (s.seen + 1)) * deviation
    return verdicts


def single(x: float) -> float:
    """Rounded as the state keeps it."""
    return float(np.float32(x if abs(x) >= 1e-30 else 0.0))


class Units:
    """The daily profile as whole multiples of a power of two; a slot that is not there was never seen."""

    def __init__(self) -> None:
        self.unit = 0.0
        self.counts: dict[int, int] = {}

    def at(self, slot: int) -> float:
        """Of the slot, or of the nearest earlier one within an hour."""
        known = next((self.counts[(slot - back) % 288] for back in range(12) if (slot - back) % 288 in self.counts), 0)
        return known * self.unit

    def put(self, slot: int, value: float) -> None:
        if abs(value) > 32_000 * self.unit:
            self._change(2.0 ** math.ceil(math.log2(abs(value) / 4_000)))
        self.counts[slot] = math.floor(value / self.unit + 0.5) if self.unit else 0

    def lift(self, by: float) -> None:
        raised = {slot: count * self.unit + by for slot, count in self.counts.items()}
        most = max(map(abs, raised.values()), default=0.0)
        if most > 32_000 * self.unit:
            self._change(2.0 ** math.ceil(math.log2(most / 4_000)))
            raised = {slot: count * self.unit + by for slot, count in self.counts.items()}
        self.counts = {slot: math.floor(value / self.unit + 0.5) if self.unit else 0 for slot, value in raised.items()}

    def midnight(self) -> None:
        most = max(map(abs, self.counts.values()), default=0)
        if most == 0:
            self.unit = 0.0
        elif most < 4_000:
            self._change(self.unit / 2.0 ** math.ceil(math.log2(4_000 / most)))

    def _change(self, unit: float) -> None:
        self.counts = {slot: math.floor(n * self.unit / unit + 0.5) for slot, n in self.counts.items()}
        self.unit = unit


class Week:
    """By how much each weekday is shifted and stretched against the daily profile."""

    def __init__(self, params: season.Params) -> None:
        self.params = params
        self.shift, self.stretch = [0.0] * 7, [0.0] * 7
        self.power = 0.0

    def adds(self, weekday: int, day: float) -> float:
        return self.shift[weekday] + self.stretch[weekday] * day

    def learn(self, s: Sample, weekday: int, day: float, error: float, age: float) -> None:
        spent = min(s.dt, 86_400.0)
        self.power = single(self.power + spent / (86_400.0 + spent) * (day * day - self.power))
        if age <= 0.4 * self.params.prove_week_seconds:
            return
        pace = spent / (min(self.params.profile_weeks, 0.4 * age / 604_800.0) * 86_400.0 + spent)
        self.shift[weekday] = single(self.shift[weekday] + pace * error)
        if day * day > 1e-6 * self.power:
            moved = pace * min(day * day / self.power, 10.0) * error / day
            self.stretch[weekday] = single(clamp(self.stretch[weekday] + moved, 2.0))


def naive_season(samples: list[Sample], params: season.Params) -> list[Verdict]:
    return [verdict for verdict, _ in season_of(samples, params)]


def season_of(samples: list[Sample], params: season.Params) -> list[tuple[Verdict, float]]:
    """Verdicts, and for each sample what is believed of the profiles."""
    daily, weekly = Units(), Week(params)
    offset = plain = scale = week_scale = plain_scale = age = trust = week_trust = 0.0
    told = []
    for s in samples:
        slot = s.civil_ns // 300_000_000_000 % 288
        weekday = (s.civil_ns // 86_400_000_000_000 + 3) % 7
        day = daily.at(slot)
        week = weekly.adds(weekday, day)
        shape = trust * day + week_trust * week if trust > 0.0 else 0.0
        floor = 0.05 * plain_scale + 1e-9 * abs(plain) + 1e-12
        size = 1.25 * (week_scale if week_trust > 0.0 else scale) + floor
        apart = s.value - offset - shape
        told.append(
            (Verdict(tail_decades(abs(apart) / size), offset + shape, size, sign(apart)) if trust > 0.0 else Verdict(0.0), shape)
        )
        if s.seen == 0:
            offset = plain = s.value
            continue
        if (s.civil_ns - int(s.dt * 1e9)) // 86_400_000_000_000 != s.civil_ns // 86_400_000_000_000:
            daily.midnight()
        age = min(age + min(s.dt, 3600.0), 1e7)
        error, plain_error = s.value - offset - day, s.value - plain
        week_error = error - week
        if trust > 0.0:
            error = clamp(error, params.bound * size + abs(week))
            week_error = clamp(week_error, params.bound * size)
        if s.seen > 10:
            plain_error = clamp(plain_error, params.bound * 1.25 * plain_scale + floor)
        known = week_error if week_trust > 0.0 else error
        alpha = max(s.dt / (params.offset_seconds + s.dt), 1.0 / (s.seen + 1))
        offset += alpha * known
        plain += alpha * plain_error
        spent = min(s.dt, 300.0)
        count = age / 86_400.0 * max(300.0 / max(s.step, 1e-3), 1.0)
        pace = max(spent / (params.profile_days * 300.0 + spent), 1.0 / (count + 2.0))
        lesson = (1.0 - alpha) * known
        weekly.learn(s, weekday, day, week_error, age)
        pace = pace if slot in daily.counts else 1.0
        learned = daily.at(slot) + pace * clamp(max(1.0 + week_trust * weekly.stretch[weekday], 0.0), 1.0) * lesson
        daily.put(slot, learned if abs(learned) >= 1e-30 else 0.0)
        memory = max(min(s.dt / (2.0 * params.prove_seconds + s.dt), 0.2), 1.0 / s.seen)
        scale = single(scale + memory * (abs(error) - scale))
        week_scale = single(week_scale + memory * (abs(week_error) - week_scale))
        plain_scale = single(plain_scale + memory * (abs(plain_error) - plain_scale))
        pace = s.dt / params.trust_seconds
        best = min(scale, week_scale) if week_trust > 0.0 else scale
        proven = age >= params.prove_seconds and best < (1.0 if trust > 0.0 else params.gain) * plain_scale
        doubted = trust <= 0.0
        trust = single(min(trust + pace, 1.0) if proven else max(trust - pace, 0.0))
        if doubted and trust > 0.0:
            daily.lift(offset - plain)
            weekly.power = single(max(weekly.power - (offset - plain) ** 2, 1e-3 * weekly.power))
            offset = plain
        proven = (
            trust > 0.0 and age >= params.prove_week_seconds and week_scale < (1.0 if week_trust > 0.0 else params.gain) * scale
        )
        week_trust = single(min(week_trust + pace, 1.0) if proven else max(week_trust - pace, 0.0))
    return told


def naive_rate(samples: list[Sample], params: rate.Params) -> list[Verdict]:
    fast = slow = run = scale = 0.0
    verdicts = []
    for s in samples:
        if s.seen == 0:
            fast = slow = s.value
            verdicts.append(Verdict(0.0))
            continue
        fast += max(s.dt / (params.fast_seconds + s.dt), 1.0 / (s.seen + 1)) * (s.value - fast)
        slow += max(s.dt / (params.slow_seconds + s.dt), 1.0 / (s.seen + 1)) * (s.value - slow)
        toward = 1.0 if fast > slow else -1.0
        run = run + toward * s.dt if (run > 0) == (toward > 0) else toward * s.dt
        distance, rounding = abs(fast - slow), 1e-6 * abs(slow) + 1e-12
        lasted = min(abs(run) / params.slow_seconds, 8.0)
        y = tail_decades(distance / (1.25 * scale + rounding) * math.sqrt(0.5 + lasted))
        verdicts.append(Verdict(y if s.seen > 30 else 0.0, direction=sign(run)))
        if s.seen > 30:
            distance = min(distance, 5.0 * scale + rounding)
        scale += max(min(s.dt / (params.scale_seconds + s.dt), 0.2), 1.0 / s.seen) * (distance - scale)
        scale = 0.0 if scale < 1e-30 else scale
    return verdicts


def naive_flat(samples: list[Sample], params: flat.Params) -> list[Verdict]:
    last = samples[0].value if samples else 0.0
    run = longest = changes = 0.0
    verdicts = []
    for s in samples:
        if s.seen == 0:
            verdicts.append(Verdict(0.0))
            continue
        longest *= 1.0 - min(s.dt / params.longest_seconds, 0.5)
        before = changes
        changes -= changes / params.samples if s.seen > params.samples else 0.0
        if s.value != last:
            samples_before = min(float(s.seen), params.samples)
            probability = (min(before, samples_before) + 1.0) / (samples_before + 2.0)
            verdicts.append(Verdict(max(-math.log10(20.0 * probability), 0.0), direction=sign(s.value - last)))
            longest = max(longest, run)
            changes += 1.0
            last, run = s.value, 0.0
            continue
        run += s.dt
        usual = longest + 4.0 * max(s.step, 1e-9)
        stuck = changes >= flat.CHANGES_MIN and run > usual
        counted = min(float(s.seen), params.samples)
        repeats = (max(counted - changes - run / max(s.step, 1e-9), 0.0) + 1.0) / (counted + 2.0)
        trust = min(-math.log10(repeats) / 3.0, 1.0)
        verdicts.append(Verdict(params.slope * trust * math.log10(run / usual) if stuck else 0.0))
    return verdicts


def naive_absence(samples: list[Sample], params: absence.Params) -> list[Verdict]:  # noqa: ARG001  # one shape for all oracles
    return [Verdict(0.0) for _ in samples]


def naive_reach(samples: list[Sample], params: reach.Params) -> list[Verdict]:
    lowest = highest = samples[0].value if samples else 0.0
    verdicts = []
    for s in samples:
        beyond = max(s.value - highest, lowest - s.value)
        decades = 0.0
        if beyond > 0.0 and s.seen >= 20:
            share = params.margin * (highest - lowest)
            distance = 0.25 * beyond / (share + 1e-12 + 1e-9 * abs(s.value))
            decades = 0.5 * math.log10(min(s.seen, 10_000) / 2) * beyond / (beyond + share) + tail_decades(distance)
        verdicts.append(Verdict(decades, direction=(s.value > highest) - (s.value < lowest)))
        forget = min(s.dt / params.memory_seconds, 0.1)
        lowest = min(lowest + forget * (s.value - lowest), s.value)
        highest = max(highest + forget * (s.value - highest), s.value)
    return verdicts


def naive_projection(samples: list[Sample], params: projection.Params) -> list[Verdict]:
    counts = [[0] * projection.BINS for _ in range(projection.CUTS)]
    lags, weights = projection.LAG.tolist(), projection.WEIGHT.tolist()
    past: list[float] = []
    spread = usual = unrest = centre = 0.0
    total = 0
    verdicts = []

    def bins(value: float) -> list[tuple[int, float]]:
        """The bin of each projection, and its width as a part of all bins'."""
        unit = 1.25 * spread + 1e-9 * abs(centre) + 1e-12
        places = []
        for (_, lag), (a, b) in zip(lags, weights, strict=True):
            before = past[-lag] if lag <= len(past) else past[0]
            z = a * clamp((value - centre) / unit, 1e6) + b * clamp((before - centre) / unit, 1e6)
            far = abs(z) + 2.0
            places.append((int((z / far + 1.0) * 0.5 * projection.BINS), far * far / 4.0))
        return places

    for s in samples:
        if s.seen == 0:
            centre = s.value
            past.append(s.value)
            verdicts.append(Verdict(0.0))
            continue
        here = bins(s.value)
        densities = [(counts[c][k] + 0.5) / (total + 0.5 * projection.BINS) / width for c, (k, width) in enumerate(here)]
        strange = -sum(math.log10(density) for density in densities) / projection.CUTS
        y = tail_decades(max(strange - usual, 0.0) / (1.25 * unrest + 0.02))
        verdicts.append(Verdict(y if s.seen > 60 else 0.0, direction=sign(s.value - centre)))
        if s.seen > 20:
            alpha = max(1.0 / (s.seen + 40.0), min(s.dt / (params.usual_seconds + s.dt), 0.05))
            if s.seen > 60:
                strange = min(strange, usual + 6.0 * unrest + 0.05)
            usual = float(np.float32(usual + alpha * (strange - usual)))
            unrest = float(np.float32(unrest + alpha * (abs(strange - usual) - unrest)))
            remembered = max(params.memory_seconds / max(s.step, 1e-3), 1000.0)
            learned = s.seen % max(math.ceil(remembered / 60_000.0), 1) == 0
            for c, (k, _) in enumerate(here):
                counts[c][k] += learned
            if sum(counts[0]) >= min(remembered, 60_000.0):
                counts = [[n // 2 for n in row] for row in counts]
            total = sum(counts[0])
        deviation = s.value - centre
        if s.seen > 60 and spread > 0.0:
            deviation = clamp(deviation, 6.0 * spread)
        alpha = max(min(s.dt / (params.spread_seconds + s.dt), 0.2), 1.0 / (s.seen + 1))
        centre += alpha * deviation
        spread += alpha * (abs(deviation) - spread)
        spread = 0.0 if spread < 1e-30 else spread
        past.append(s.value)
    return verdicts


ORACLES: dict[str, Any] = {
    "season": naive_season,
    "cycle": naive_cycle,
    "level": naive_level,
    "rate": naive_rate,
    "flat": naive_flat,
    "absence": naive_absence,
    "reach": naive_reach,
    "projection": naive_projection,
}
