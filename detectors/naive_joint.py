"""What `joint` computes, in plain Python for one entity: written to be obvious, never to be fast. Nothing but tests calls it."""

from __future__ import annotations

import math

from detectors import joint

NAN = float("nan")
PRIOR_SAMPLES = 2000


def clipped(decades: float) -> float:
    """In full up to joint.CLIP; beyond, what is left counts by its logarithm."""
    return decades if decades <= joint.CLIP else joint.CLIP + math.log10(1.0 + decades - joint.CLIP)


def surprise_of(scores: list[float]) -> float | None:
    """The mean of the most surprising metrics' clipped decades; None when no metric has an opinion."""
    known = sorted((clipped(joint.DECADES * score) for score in scores if score >= 0.0), reverse=True)[: joint.TOP]
    return sum(known) / len(known) if known else None


def naive_jointly(ts_ns: list[int], scores: list[list[float]], params: joint.Params) -> list[float]:
    """The joint score of each moment; NaN for one without any opinion, and for the first with one."""
    threshold, step = joint.PRIOR_THRESHOLD, 0.0
    heard: list[int] = []  # the moments with an opinion
    told = []
    for now_ns, row in zip(ts_ns, scores, strict=True):
        y = surprise_of(row)
        if y is None:
            told.append(NAN)
            continue
        dt = (now_ns - heard[-1]) * 1e-9 if heard else 0.0
        if heard:
            step = step + 0.1 * (min(dt, 3.0 * step) - step) if step > 0.0 else dt
            # At or below the threshold in proportion; beyond it an exponential with the mean joint.EXCESS.
            decades = joint.EXCEEDED_DECADES * y / threshold
            if y > threshold:
                decades = joint.EXCEEDED_DECADES + (y - threshold) / joint.EXCESS / math.log(10.0)
            chances = params.budget_seconds / max(step, 1e-3)
            told.append(decades / max(joint.NEEDED_SHARE * math.log10(chances), joint.NEEDED_MIN))
        else:
            told.append(NAN)
        share = max(1.0 / (len(heard) + PRIOR_SAMPLES), min(dt / (params.tail_seconds + dt), 1.0 / PRIOR_SAMPLES))
        # Up by 95 parts for one above, down by five for each below, so that it rests where one in twenty is above.
        move = (1.0 - joint.EXCEEDED) if y > threshold else -joint.EXCEEDED
        threshold = max(threshold + share * joint.EXCESS / joint.EXCEEDED * move, 0.5)
        heard.append(now_ns)
    return told
