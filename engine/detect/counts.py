"""Lines and events as series: how many of each template, of each stream, of each event there were in fixed buckets of event time.

    log_lines{service="cart"}                        all lines of the stream
    log_errors{service="cart"}                       those of severity ERROR and worse
    log_lines{service="cart",template="5e0f…"}       those of one template
    log_severe_ratio{service="cart"}                 the share of warnings and errors among all
    log_odd_sessions{service="cart"}                 sessions that went unlike the others
    event{entity="cart",event="k8s.OOMKilling"}      events of one name on one entity

A bucket closes at the first tick at which the watermark has passed its end; what comes later is counted as late. Buckets
without anything are zeros, unless they are so many in a row that the source itself must have been silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from engine.detect.episode import WARN, Sighting
from engine.detect.gates import Gate
from engine.detect.points import Points, Step
from engine.detect.pulses import LATE_BUCKETS, Pulse
from engine.detect.watch import Watch
from engine.metrics import Metric
from engine.records import AnomalyKind, Labels, Series, ValueKind, series_key

QUIET_BUCKETS_MAX: Final = 60
"""So many empty buckets in a row are zeros; more are missing data."""
LINES_MIN: Final = 20
BUCKETS_MIN: Final = 3
"""What is rarer gets no model of its rate."""
REST_BUCKETS: Final = 60
JOB_BUCKETS_MAX: Final = 180
"""What comes for longer and then rests is no burst."""
OPEN_MAX: Final = 1440
"""Buckets open at a time; what is beyond is counted as late."""
SHARE_LINES_MIN: Final = 20
"""Of fewer lines the share of severe ones says nothing: those of several buckets are taken together."""
TOTAL, ERRORS, SEVERE, ODD, TEMPLATE = range(5)
_SECOND_NS: Final = 1_000_000_000


def code_of(stream: int, what: int) -> int:
    """The number of what is counted: TOTAL, ERRORS, SEVERE or ODD of a stream, or TEMPLATE + t for one of its kinds t."""
    return stream << 32 | what


def what_of(code: int) -> int:
    """The other way round; the stream is `code >> 32`."""
    return code & 0xFFFFFFFF


class Item(msgspec.Struct, omit_defaults=True):
    """Something that is counted, from its first closed bucket on."""

    series: Series
    slot: int = -1
    last_bucket: int = 0
    total: int = 0
    buckets: int = 0
    sighted: bool = False  # the open episode of its series is a first sighting, or one of its absence
    pulse: Pulse | None = None  # of streams and templates
    born: int = 0  # its first bucket, until its lines have rested once
    most: int = 0  # in one bucket until then
    held: tuple[int, int] = (0, 0)  # of shares: severe lines and all lines since the last sample


class Tally(msgspec.Struct):
    """What is saved."""

    items: dict[int, Item] = {}  # by code
    open: dict[int, dict[int, int]] = {}  # bucket → code → count
    closed: int | None = None  # buckets before this one are closed


class Counts:
    """The buckets of one shard. `describe` names the series of a code. Items are few against samples: a dictionary each."""

    def __init__(
        self,
        bucket_seconds: float,
        idle_seconds: float,
        items_max: int,
        describe: Callable[[int], Series | None],
        *,
        pulses: bool = False,
    ) -> None:
        """`describe` gives None for what is forgotten. `pulses`: whether what comes regularly is missed when it does not come."""
        self.bucket_ns = int(bucket_seconds * _SECOND_NS)
        self._idle_buckets = int(idle_seconds / bucket_seconds) + 1
        self._items_max = items_max
        self._describe = describe
        self._pulses = pulses
        self.tally = Tally()
        self._by_key: dict[bytes, int] = {}
        self.on_close: Callable[[int, dict[int, int], Watch, int, Step], None] | None = None
        """What else is done when a bucket has closed: (its number, its counts, watch, row, step)."""

    # ------------------------------------------------------------------------------------------ counting
    def add(self, code: int, bucket: int, count: int = 1) -> bool:
        """Count; False when the bucket is closed already, or when too many are open."""
        tally = self.tally
        if tally.closed is not None and bucket < tally.closed:
            return False
        of_bucket = tally.open.get(bucket)
        if of_bucket is None:
            if len(tally.open) >= OPEN_MAX:
                return False
            of_bucket = tally.open[bucket] = {}
        of_bucket[code] = of_bucket.get(code, 0) + count
        return True

    def item(self, code: int, step: Step) -> Item | None:
        """What is known of a code; None when there is no room for one more, or when what it counted is forgotten."""
        item = self.tally.items.get(code)
        if item is None:
            if len(self.tally.items) >= self._items_max:
                step.stats.count(Metric.LIMITS_REACHED, 1, "counted_max")
                return None
            series = self._describe(code)
            if series is None:
                return None
            item = self.tally.items[code] = self._former(series) or Item(series)
            self._by_key[series.key] = code
        return item

    def _former(self, series: Series) -> Item | None:
        """The item that counted this series under another code: a template that was forgotten and is back."""
        return self.tally.items.pop(self._by_key.get(series.key, -1), None)

    def code_of(self, key: bytes) -> int | None:
        """What a series counts; None when it is none of these."""
        return self._by_key.get(key)

    # ------------------------------------------------------------------------------------------ closing
    def due(self, watermark_ns: int) -> bool:
        """Whether any bucket would close."""
        tally, end = self.tally, watermark_ns // self.bucket_ns
        return any(bucket < end for bucket in tally.open) or (tally.closed is not None and tally.closed < end)

    def close(self, watermark_ns: int, watch: Watch, row: int, step: Step) -> None:
        """Close every bucket that ended by the watermark, oldest first: their counts are samples."""
        if self.tally.closed is None and not self.tally.open:
            return
        for bucket in self._closing(watermark_ns // self.bucket_ns):
            self._close(bucket, self.tally.open.pop(bucket, {}), watch, row, step)
            watch.settle((bucket + 1) * self.bucket_ns)

    def _closing(self, end: int) -> Iterator[int]:
        """Buckets to close, in order: those with counts, and short runs without between them."""
        tally = self.tally
        if tally.closed is None:
            if not tally.open:
                return
            tally.closed = min(tally.open)
        for filled in [*sorted(bucket for bucket in tally.open if bucket < end), end]:
            if 0 < filled - tally.closed <= QUIET_BUCKETS_MAX:
                yield from range(tally.closed, filled)
            if filled < end:
                yield filled
            tally.closed = max(tally.closed, filled + (filled < end))

    def _close(self, bucket: int, counts: dict[int, int], watch: Watch, row: int, step: Step) -> None:
        ts_ns = (bucket + 1) * self.bucket_ns
        for code in sorted(counts):
            item = self.item(code, step)
            if item is not None:
                item.total += counts[code]
                item.buckets += 1
                if item.buckets == 1:
                    item.born = bucket
                item.most = max(item.most, counts[code])
                item.last_bucket = bucket
                if self._pulses and _has_pulse(code) and counts[code]:
                    item.pulse = item.pulse or Pulse()
                    item.pulse.beat(bucket, self.bucket_ns)
                if item.slot < 0 and _deserves(code, item):
                    item.slot = watch.admit(item.series, step.stats)
        codes = sorted(self.tally.items)
        self._sighted(codes, counts, ts_ns, watch, row, step)
        middle_ns = ts_ns - self.bucket_ns // 2  # its end would belong to the next five minutes of a day
        self._score([code for code in codes if self.tally.items[code].slot >= 0], counts, middle_ns, watch, row, step)
        self._missing(codes, bucket, watch, row, step)
        if self.on_close is not None:
            self.on_close(bucket, counts, watch, row, step)
        if bucket % self._idle_buckets == 0:
            watch.settle(ts_ns)
            for code in codes:
                if self._is_idle(self.tally.items[code], bucket):
                    self.drop(code, watch, row, step)

    def _is_idle(self, item: Item, bucket: int) -> bool:
        if item.last_bucket >= bucket - self._idle_buckets:
            return False
        return item.pulse is None or not item.pulse.keeps(bucket, self.bucket_ns)

    def _missing(self, codes: list[int], bucket: int, watch: Watch, row: int, step: Step) -> None:
        """Tell of lines that are overdue. Where the whole stream is silent only that is told."""
        items = self.tally.items
        for code in codes:
            item = items[code]
            if bucket - item.last_bucket == REST_BUCKETS and item.born:
                self._rested(item, watch)
            lateness = item.pulse.lateness(bucket, self.bucket_ns) if item.pulse is not None else 0.0
            if item.pulse is None or not lateness:
                continue
            stream = items.get(code - what_of(code))
            if what_of(code) != TOTAL and stream is not None and bucket - stream.last_bucket >= LATE_BUCKETS:
                step.stats.count(Metric.GATED, 1, Gate.SUPERSEDED)
                continue
            item.pulse.told = True
            gap = max(item.pulse.gaps) * self.bucket_ns
            words = watch.episodes.words_of(item.series)
            since_ns = (item.last_bucket + 1) * self.bucket_ns + gap
            seen = Sighting(AnomalyKind.STOPPED, since_ns, lateness, WARN, *words, 0.0, 1.0, gap / _SECOND_NS)
            if not watch.episodes.is_told(item.series.key):
                watch.sighted(item.series, seen, row, step)
                item.sighted = watch.episodes.is_sighting(item.series.key)

    def _rested(self, item: Item, watch: Watch) -> None:
        """The lines of a template stay away for the first time: if they had not come for long, they may be those of a job."""
        if item.slot >= 0 and item.last_bucket - item.born <= JOB_BUCKETS_MAX:
            first_ns, last_ns = ((bucket + 1) * self.bucket_ns - self.bucket_ns // 2 for bucket in (item.born, item.last_bucket))
            watch.episodes.began(item.series, first_ns, last_ns, float(item.most), self.bucket_ns / _SECOND_NS)
        item.born = 0

    def _score(self, codes: list[int], counts: dict[int, int], ts_ns: int, watch: Watch, row: int, step: Step) -> None:
        """Templates first: what one of them tells is not told again of its stream."""
        shares = [code for code in codes if what_of(code) == SEVERE and self._held(code, counts) >= SHARE_LINES_MIN]
        kinds = [code for code in codes if what_of(code) >= TEMPLATE]
        whole = [code for code in codes if what_of(code) < TEMPLATE and what_of(code) != SEVERE]
        for some in (kinds, whole, shares):
            if some:
                self._score_some(some, counts, ts_ns, watch, row, step)

    def _score_some(self, codes: list[int], counts: dict[int, int], ts_ns: int, watch: Watch, row: int, step: Step) -> None:
        """Templates, or what is counted of whole streams, or shares."""
        n, items, what = len(codes), self.tally.items, what_of(codes[0])
        slots = np.array([items[code].slot for code in codes], np.int64)
        if what == SEVERE:
            severe, weight = np.array([items[code].held for code in codes], np.float64).T
            value = severe / weight
        else:
            value = np.array([counts.get(code, 0) for code in codes], np.float64)
            weight = np.array([not self._is_silent(code, counts) for code in codes], np.float64)
        pace = np.full(n, self.bucket_ns / _SECOND_NS)
        step.stats.count(Metric.SAMPLES, n, items[codes[0]].series.signal)
        rows, times, never = np.full(n, row, np.int32), np.full(n, ts_ns, np.int64), np.full(n, np.inf)
        points = Points(rows, slots, times, value, pace, np.zeros(n), never, what != SEVERE, weight)
        watch.score(points._replace(covered=self._covered(codes, watch)) if what < SEVERE else points, step)

    def _is_silent(self, code: int, counts: dict[int, int]) -> bool:
        """Whether a template is one of a stream of which nothing came: that is told of the stream, and says nothing of its parts."""
        whole = code - what_of(code)
        return what_of(code) >= TEMPLATE and whole in self.tally.items and not counts.get(whole, 0)

    def _held(self, code: int, counts: dict[int, int]) -> int:
        """Lines of a stream since its last share was told, these among them: where they are few, a share is that of several buckets."""
        item = self.tally.items[code]
        severe, lines = item.held if item.held[1] < SHARE_LINES_MIN else (0, 0)
        item.held = severe + counts.get(code, 0), lines + counts.get(code - SEVERE, 0)
        return item.held[1]

    def _covered(self, codes: list[int], watch: Watch) -> NDArray[np.bool_]:
        """Which are of streams of which a template has an open episode. Odd sessions are no sum of lines."""
        open_codes = (self._by_key.get(key, 0) for key in watch.episodes.by_key if watch.episodes.is_open(key))
        streams = {code >> 32 for code in open_codes if what_of(code) >= TEMPLATE}
        return np.array([code >> 32 in streams and what_of(code) != ODD for code in codes], np.bool_)

    def _sighted(self, codes: list[int], counts: dict[int, int], ts_ns: int, watch: Watch, row: int, step: Step) -> None:
        for code in codes:
            item = self.tally.items[code]
            if item.sighted:
                alert = watch.episodes.counted(item.series, counts.get(code, 0), ts_ns, step.moment(row))
                watch.tell(alert, step, row)
                item.sighted = watch.episodes.is_sighting(item.series.key)

    def drop(self, code: int, watch: Watch, row: int, step: Step) -> None:
        """Forget what was counted, its model and its alert. Only directly after `watch.settle`."""
        item = self.tally.items.pop(code)
        watch.tell(watch.episodes.retire(item.series.key, step.moment(row)), step, row)
        self._by_key.pop(item.series.key, None)
        if item.slot >= 0:
            watch.release(item.slot)

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> bytes:
        return msgspec.json.encode(self.tally)

    def restore(self, saved: bytes) -> None:
        """Raises msgspec.DecodeError for what is not a snapshot."""
        self.tally = msgspec.json.decode(saved, type=Tally)
        self._by_key = {item.series.key: code for code, item in self.tally.items.items()}


def _deserves(code: int, item: Item) -> bool:
    """Whether the rate of an item gets a model: whole streams at once, the rest when it is not rare."""
    return what_of(code) < TEMPLATE or (item.total >= LINES_MIN and item.buckets >= BUCKETS_MIN)


def _has_pulse(code: int) -> bool:
    return what_of(code) == TOTAL or what_of(code) >= TEMPLATE


def counted_series(stream: Series, name: str, template: str = "", kind: ValueKind = ValueKind.COUNT) -> Series:
    """The series that counts lines of a stream, all or those of one template; or another series of its lines."""
    labels: Labels = tuple(sorted((*stream.labels, ("template", template)))) if template else stream.labels
    return structs.replace(stream, key=series_key(name, labels), name=name, labels=labels, kind=kind)


def runs(codes: NDArray[np.int64], buckets: NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """(bucket, code, count) of equal pairs, ascending."""
    for bucket in np.unique(buckets).tolist():
        found, counts = np.unique(codes[buckets == bucket], return_counts=True)
        for code, count in zip(found.tolist(), counts.tolist(), strict=True):
            yield bucket, code, count
