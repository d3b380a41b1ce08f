"""Numbers of log lines as series: `request took <*> ms` has a usual size, and a slow hour is seen in it.

    log_value{service="cart",template="5e0f…",slot="1"}             the mean of the first number within such lines, a bucket
    log_value{service="cart",template="5e0f…",field="took_ms"}      the same of what such lines carry beside their text

What is read from a text is `detectors.line_numbers`' business, what stands beside it a codec's; here it becomes one value a bucket. Sums are of whole thousandths, so that
they are the same however the log is cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import compress
from typing import Final

import msgspec
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from detectors.line_numbers import NUMBERS_MAX, read_numbers
from engine.config.logs import Logs
from engine.detect.points import Points, Step
from engine.detect.watch import Watch
from engine.metrics import Metric
from engine.ports import StepStats
from engine.records import Fields, Lines, Series, ValueKind, series_key

VALUE_MAX: Final = 1e11
"""Larger numbers count as this: sums of thousandths of a whole batch fit 64 bits."""
LOOK_LINES: Final = 20
"""Lines of a template after which it is known whether it has numbers."""
LINES_MIN: Final = 20
FIELDS_MAX: Final = 1000
STREAM_FIELDS_MAX: Final = 100
"""Names of numbers beside texts, of a shard and of those that one stream was the first to use."""
PLACES: Final = 1 << 12
"""Places of numbers in one line: those of the text first, then a place for each name."""
BUCKETS_MIN: Final = 3
"""What is rarer gets no model of its numbers."""
FEW: Final = 200
"""So many numbers are added up one by one: to sort them first would take longer."""
UNKNOWN, NUMBERS, NONE = 0, 1, 2
_FREE: Final = ("", -1)
_THOUSANDTHS: Final = 1000.0
_SECOND_NS: Final = 1_000_000_000
Ints = NDArray[np.int64]


class Slot(msgspec.Struct, omit_defaults=True):
    """One number of one template."""

    stream: int
    series: Series
    slot: int = -1
    lines: int = 0
    buckets: int = 0
    last_bucket: int = 0


class Saved(msgspec.Struct):
    """What is saved."""

    slots: dict[int, Slot] = {}  # by template * PLACES + place in the line
    open: dict[int, dict[int, tuple[int, int, int]]] = {}  # bucket → code → (lines, sum of thousandths, stream)
    closed: int | None = None  # buckets before this one are closed
    verdict: dict[int, int] = {}  # of a template: UNKNOWN, NUMBERS, NONE
    looked: dict[int, int] = {}  # lines of those still unknown
    places: dict[int, list[int]] = {}  # of a template: what each number within its text is
    fields: list[tuple[str, int]] = []  # names of numbers beside texts, and the stream that used each first; "" is free


class Slots:
    """The numbers of one shard's lines."""

    def __init__(
        self, config: Logs, bucket_ns: int, idle_buckets: int, describe: Callable[[int, int], tuple[Series, str]]
    ) -> None:
        """`describe` gives the series of a stream and the name of a template, by their numbers."""
        self._config, self._bucket_ns, self._idle_buckets, self._describe = config, bucket_ns, idle_buckets, describe
        self.saved = Saved()
        self._none: Ints = np.zeros(0, np.int64)  # templates without numbers
        self._of_stream: dict[int, int] = {}
        self._codes: dict[bytes, int] = {}
        self._place_of: dict[str, int] = {}
        self._named: dict[int, int] = {}  # of a stream: names that it was the first to use
        self._free: list[int] = []  # names that are free, the lowest last

    # ------------------------------------------------------------------------------------------ lines
    def take(self, lines: Lines, stream: Ints, template: NDArray[np.int32], stats: StepStats) -> None:
        """Add up the numbers of some lines. All of one length."""
        if not self._config.numbers:
            return
        index, bucket = template.astype(np.int64), lines.ts_ns // self._bucket_ns
        if lines.fields is not None:
            self._take_fields(lines.fields, index, (stream, bucket), stats)
        wanted = (index >= 0) & ~np.isin(index, self._none)
        if wanted.any():
            self._take_texts(list(compress(lines.text, wanted.tolist())), index[wanted], (stream[wanted], bucket[wanted]))

    def _take_texts(self, texts: list[bytes], index: Ints, of: tuple[Ints, Ints]) -> None:
        value, what = np.empty((len(texts), NUMBERS_MAX)), np.empty((len(texts), NUMBERS_MAX), np.uint64)
        offset = np.zeros(len(texts) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)), out=offset[1:])
        read_numbers(np.frombuffer(b"".join(texts), np.uint8), offset, value, what)
        has: NDArray[np.bool_] = ~np.isnan(value)
        self._look(index, np.asarray(has.any(axis=1), np.bool_))
        line, number = np.nonzero(has)
        place = self._text_places(index[line], what[line, number])
        line, number, place = line[place >= 0], number[place >= 0], place[place >= 0]
        if len(line):
            self._add(index[line] * PLACES + place, of[0][line], of[1][line], _thousandths(value[line, number]))

    def _text_places(self, index: Ints, what: NDArray[np.uint64]) -> Ints:
        """The places of numbers within texts: `what` they are, in the order in which a template first had them; -1 for those that are too many."""
        known, places = self.saved.places, np.full(len(index), -1, np.int64)
        for i, (template, one) in enumerate(zip(index.tolist(), what.tolist(), strict=True)):
            of_template = known.get(template)
            if of_template is None:
                of_template = known[template] = []
            if one in of_template:
                places[i] = of_template.index(one)
            elif len(of_template) < NUMBERS_MAX:
                places[i] = len(of_template)
                of_template.append(one)
        return places

    def _take_fields(self, fields: list[Fields], index: Ints, of: tuple[Ints, Ints], stats: StepStats) -> None:
        each = [len(of_line.numbers) for of_line in fields]
        numbers = [number for of_line in fields for number in of_line.numbers]
        if not numbers:
            return
        names, values = zip(*numbers, strict=True)
        line = np.repeat(np.arange(len(fields)), each)
        place = self._places(names, of[0][line], stats)
        taken = (place >= 0) & (index[line] >= 0)
        line, place = line[taken], place[taken]
        if len(line):
            value = _thousandths(np.array(values, np.float64)[taken])
            self._add(index[line] * PLACES + place, of[0][line], of[1][line], value)

    def _places(self, names: Sequence[str], stream: Ints, stats: StepStats) -> Ints:
        """The places of numbers with these names, of these streams; -1 for names that are too many."""
        get = self._place_of.get
        places = [get(name, -1) for name in names]
        if -1 in places:
            for at, (name, of) in enumerate(zip(names, stream.tolist(), strict=True)):
                places[at] = self._place(name, of)
            refused = places.count(-1)
            if refused:
                stats.count(Metric.LIMITS_REACHED, refused, "number_names_max")
        return np.array(places, np.int64)

    def _place(self, name: str, stream: int) -> int:
        place, fields = self._place_of.get(name, -1), self.saved.fields
        if place >= 0 or self._named.get(stream, 0) >= STREAM_FIELDS_MAX:
            return place
        if not self._free:
            if len(fields) >= FIELDS_MAX:
                return -1
            self._free.append(len(fields))
            fields.append(_FREE)
        at = self._free.pop()
        fields[at] = name, stream
        self._named[stream] = self._named.get(stream, 0) + 1
        place = self._place_of[name] = NUMBERS_MAX + at
        return place

    def _look(self, index: Ints, has: NDArray[np.bool_]) -> None:
        """Remember which templates have numbers, and how many lines of the others were seen."""
        verdict, looked = self.saved.verdict, self.saved.looked
        for template, found in zip(index.tolist(), has.tolist(), strict=True):
            if verdict.get(template, UNKNOWN) == NUMBERS:
                continue
            if found:
                verdict[template] = NUMBERS
                looked.pop(template, None)
            else:
                looked[template] = looked.get(template, 0) + 1

    def _add(self, code: Ints, stream: Ints, bucket: Ints, thousandths: Ints) -> None:
        saved = self.saved
        if len(code) > FEW:
            pairs, which = np.unique(np.stack((bucket, code)), axis=1, return_inverse=True)
            lines, total = np.bincount(which, minlength=pairs.shape[1]), np.zeros(pairs.shape[1], np.int64)
            np.add.at(total, which, thousandths)
            number = np.zeros(pairs.shape[1], np.int64)
            number[which] = stream
            columns = (*pairs, lines, total, number)
        else:
            columns = (bucket, code, np.ones(len(code), np.int64), thousandths, stream)
        for at, code_, count, amount, of in zip(*(column.tolist() for column in columns), strict=True):
            if saved.closed is None or at >= saved.closed:
                of_bucket = saved.open.setdefault(at, {})
                before = of_bucket.get(code_, (0, 0, of))
                of_bucket[code_] = before[0] + count, before[1] + amount, of

    def _new(self, code: int, stream: int) -> Slot | None:
        if self._of_stream.get(stream, 0) >= self._config.numbers_max:
            return None
        source, name = self._describe(stream, code // PLACES)
        if not name:  # the miner has forgotten the template
            return None
        self._of_stream[stream] = self._of_stream.get(stream, 0) + 1
        place = code % PLACES
        which = ("slot", str(place + 1)) if place < NUMBERS_MAX else ("field", self.saved.fields[place - NUMBERS_MAX][0])
        labels = tuple(sorted((*source.labels, ("template", name), which)))
        series = structs.replace(
            source, key=series_key("log_value", labels), name="log_value", labels=labels, kind=ValueKind.GAUGE
        )
        slot = self.saved.slots[code] = Slot(stream, series)
        self._codes[series.key] = code
        return slot

    # ------------------------------------------------------------------------------------------ ticks
    def tick(self) -> None:
        """Decide which templates have no numbers."""
        saved = self.saved
        none = [template for template, lines in saved.looked.items() if lines >= LOOK_LINES]
        for template in none:
            saved.verdict[template] = NONE
            del saved.looked[template]
        if none:
            self._none = np.union1d(self._none, np.array(none, np.int64))

    def forget(self, held: NDArray[np.int32]) -> None:
        """Keep the verdicts on the templates with these numbers only."""
        saved, kept = self.saved, set(held.tolist())
        saved.verdict = {template: verdict for template, verdict in saved.verdict.items() if template in kept}
        saved.looked = {template: lines for template, lines in saved.looked.items() if template in kept}
        saved.places = {template: places for template, places in saved.places.items() if template in kept}
        self._none = self._none[np.isin(self._none, held)]

    def close(self, bucket: int, watch: Watch, row: int, step: Step) -> None:
        """The bucket has ended: the mean of each number in it is a sample."""
        saved = self.saved
        saved.closed = bucket + 1
        counts = saved.open.pop(bucket, {})
        for code in sorted(counts):
            slot = saved.slots.get(code) or self._new(code, counts[code][2])
            if slot is None:
                step.stats.count(Metric.LIMITS_REACHED, 1, "numbers_max")
                continue
            slot.lines += counts[code][0]
            slot.buckets += 1
            slot.last_bucket = bucket
            if slot.slot < 0 and slot.lines >= LINES_MIN and slot.buckets >= BUCKETS_MIN:
                slot.slot = watch.admit(slot.series, step.stats)
        codes = [code for code in sorted(counts) if code in saved.slots and saved.slots[code].slot >= 0]
        if codes:
            self._score(codes, counts, bucket * self._bucket_ns + self._bucket_ns // 2, watch, row, step)
        if bucket % self._idle_buckets == 0:
            watch.settle((bucket + 1) * self._bucket_ns)
            for code in [code for code, slot in saved.slots.items() if slot.last_bucket < bucket - self._idle_buckets]:
                self._drop(code, watch, row, step)
            self._forget_names()

    def _forget_names(self) -> None:
        """Names of which there is no number any more are free."""
        saved = self.saved
        counted = (code for counts in saved.open.values() for code in counts)
        used = {code % PLACES - NUMBERS_MAX for code in (*saved.slots, *counted)}
        saved.fields = [field if at in used else _FREE for at, field in enumerate(saved.fields)]
        self._name_places()

    def _name_places(self) -> None:
        """What follows from the names that are saved."""
        named = [(at, *field) for at, field in enumerate(self.saved.fields) if field != _FREE]
        self._place_of = {name: NUMBERS_MAX + at for at, name, _ in named}
        self._named = dict(Counter(stream for _, _, stream in named))
        self._free = [at for at, field in reversed([*enumerate(self.saved.fields)]) if field == _FREE]

    def _score(
        self, codes: list[int], counts: dict[int, tuple[int, int, int]], ts_ns: int, watch: Watch, row: int, step: Step
    ) -> None:
        n = len(codes)
        slots = np.array([self.saved.slots[code].slot for code in codes], np.int64)
        value = np.array([counts[code][1] / counts[code][0] / _THOUSANDTHS for code in codes], np.float64)
        pace = np.full(n, self._bucket_ns / _SECOND_NS)
        step.stats.count(Metric.SAMPLES, n, self.saved.slots[codes[0]].series.signal)
        rows, times, never = np.full(n, row, np.int32), np.full(n, ts_ns, np.int64), np.full(n, np.inf)
        watch.score(Points(rows, slots, times, value, pace, np.abs(value), never), step)

    def merged(self, template: int, watch: Watch, row: int, step: Step) -> None:
        """A template has become another one, which has numbers of its own. Only directly after `watch.settle`."""
        for code in range(template * PLACES, template * PLACES + NUMBERS_MAX + len(self.saved.fields)):
            for counts in self.saved.open.values():
                counts.pop(code, None)
            if code in self.saved.slots:
                self._drop(code, watch, row, step)

    def _drop(self, code: int, watch: Watch, row: int, step: Step) -> None:
        slot = self.saved.slots.pop(code)
        self._of_stream[slot.stream] -= 1
        self._codes.pop(slot.series.key, None)
        watch.tell(watch.episodes.retire(slot.series.key, step.moment(row)), step, row)
        if slot.slot >= 0:
            watch.release(slot.slot)

    def template_of(self, key: bytes) -> tuple[int, str] | None:
        """The template of a series, and what to call its number; None when it is no number's."""
        code = self._codes.get(key)
        if code is None:
            return None
        place = code % PLACES
        return code // PLACES, f"number {place + 1}" if place < NUMBERS_MAX else self.saved.fields[place - NUMBERS_MAX][0]

    # ------------------------------------------------------------------------------------------ snapshots
    def restore(self, saved: Saved) -> None:
        self.saved = saved
        self._none = np.array(sorted(template for template, verdict in saved.verdict.items() if verdict == NONE), np.int64)
        self._codes = {slot.series.key: code for code, slot in saved.slots.items()}
        self._name_places()
        self._of_stream = {}
        for slot in saved.slots.values():
            self._of_stream[slot.stream] = self._of_stream.get(slot.stream, 0) + 1


def _thousandths(value: NDArray[np.float64]) -> Ints:
    return np.rint(np.clip(value, -VALUE_MAX, VALUE_MAX) * _THOUSANDTHS).astype(np.int64)
