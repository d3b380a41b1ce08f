"""Many services that write errors in the same minute: something that they share is broken, whichever of them is told first.

A service is *noisy* in a bucket when it writes notably more errors than it usually does. How many are noisy at a time has a usual
size too; so many more than that, and at least three, are a burst. Only the services of one shard can be seen together.
"""

from __future__ import annotations

from math import sqrt
from typing import Final, NamedTuple

import msgspec

from engine.detect.counts import ERRORS, what_of
from engine.detect.episode import ERROR, Sighting
from engine.detect.points import Step
from engine.detect.watch import Watch
from engine.records import AnomalyKind, Series, Signal, ValueKind, series_key

NAME: Final = "log_error_burst"
SERVICES_MIN: Final = 3
SPREADS: Final = 3.0
"""How many usual deviations of a count are notable."""
LEARNED_BUCKETS: Final = 60.0
"""Buckets that the usual number of errors, and of noisy services, is the average of."""
NAMED: Final = 4
"""Services that are named."""
_SECOND_NS: Final = 1_000_000_000


class Saved(msgspec.Struct):
    """What is saved."""

    usual: dict[int, float] = {}  # of a stream: errors a bucket
    noisy: float = 0.0  # services that are noisy at a time, usually
    since: int = -1  # the first bucket
    told: bool = False  # a burst is told
    entity: str = ""  # the service that was loudest when it was told


class Noise(NamedTuple):
    """One bucket."""

    services: list[str]  # the loudest first
    usual: float
    least: float  # services from which on it is a burst


class Bursts:
    """The errors of all streams of one shard, bucket by bucket."""

    def __init__(self, bucket_ns: int, warm_up_ns: int) -> None:
        self._bucket_ns, self._warm_up = bucket_ns, warm_up_ns // bucket_ns
        self.saved = Saved()

    def close(self, bucket: int, counts: dict[int, int], streams: list[Series], at: tuple[Watch, int, Step]) -> None:
        """The bucket has ended with these counts."""
        saved = self.saved
        if saved.since < 0:
            saved.since = bucket
        noise = self._look(counts, streams)
        if bucket - saved.since < self._warm_up or not streams:
            return
        many = len(noise.services)
        watch, row, step = at
        if saved.told:
            self._go_on(many if many >= max(noise.least / 2.0, 2.0) else 0, bucket, streams[0], at)
        elif many >= noise.least:
            saved.told, saved.entity = True, noise.services[0]
            more = f" and {many - NAMED} more" if many > NAMED else ""
            text = f"errors in {many} services at once: {', '.join(noise.services[:NAMED])}{more}"
            step_seconds = self._bucket_ns / _SECOND_NS
            score = many / noise.least
            begun_ns = bucket * self._bucket_ns
            seen = Sighting(AnomalyKind.ERROR_BURST, begun_ns, score, ERROR, text, "", float(many), noise.usual, step_seconds)
            watch.sighted(self._series(streams[0]), seen, row, step)

    def _look(self, counts: dict[int, int], streams: list[Series]) -> Noise:
        """Which services are noisy; then learn, but for what is a burst."""
        saved = self.saved
        errors = {code >> 32: count for code, count in counts.items() if what_of(code) == ERRORS}
        excess: dict[str, float] = {}
        for number, count in sorted(errors.items()):
            usual = saved.usual.get(number, 0.0)
            entity = streams[number].entity
            if entity and count > usual + SPREADS * sqrt(usual + 1.0):
                excess[entity] = excess.get(entity, 0.0) + count - usual
        services = sorted(excess, key=lambda entity: (-excess[entity], entity))
        noise = Noise(services, saved.noisy, max(SERVICES_MIN, saved.noisy + SPREADS * sqrt(saved.noisy + 1.0)))
        if len(services) < noise.least:
            saved.noisy += (len(services) - saved.noisy) / LEARNED_BUCKETS
            for number in sorted({*saved.usual, *errors}):
                before = saved.usual.get(number, 0.0)
                saved.usual[number] = before + (errors.get(number, 0) - before) / LEARNED_BUCKETS
        return noise

    def _go_on(self, many: int, bucket: int, first: Series, at: tuple[Watch, int, Step]) -> None:
        watch, row, step = at
        series = self._series(first)
        watch.tell(watch.episodes.counted(series, many, (bucket + 1) * self._bucket_ns, step.moment(row)), step, row)
        self.saved.told = watch.episodes.is_sighting(series.key) and watch.episodes.is_open(series.key)

    def _series(self, first: Series) -> Series:
        return Series(
            key=series_key(NAME, ()),
            name=NAME,
            labels=(),
            entity=self.saved.entity,
            signal=Signal.LOG,
            kind=ValueKind.COUNT,
            domain=first.domain,
            tenant=first.tenant,
        )
