"""The sessions of a shard's log lines: which line belongs to which, when one has ended, and which went unlike the others.

A session is judged at the first tick at which the watermark is `session_idle` past its latest line. Everything is bounded: the
sessions that are open, the streams that have any, and what is kept of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import compress
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors import session_keys, session_model, sessions
from detectors.kernel import as_state
from detectors.session_distance import OPINION
from engine.config.logs import Logs
from engine.detect.lineage import lineage_hash
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Columns, StepStats
from engine.records import Lines

EXAMPLE_BYTES: Final = 400
KEYLESS_LINES: Final = 2_000
KEYLESS_SHARE: Final = 50
"""A stream of which fewer than one line in so many has a key, after so many lines, is not read for keys …"""
KEYLESS_NS: Final = 3_600_000_000_000
"""… until the next look."""
_ROWS_FIRST: Final = 256
_SECOND_NS: Final = 1_000_000_000
Ints = NDArray[np.int64]


class Odd(NamedTuple):
    """A session that went unlike the others."""

    stream: int
    score: float
    differs: list[tuple[int, int, int]]  # (template, how often it came, how often it usually does), the most telling first
    order: bool  # its lines came in an order never seen
    example: bytes


class Saved(msgspec.Struct):
    """What is saved beside the columns."""

    id: str
    streams: list[int] = []  # of each model
    looked: dict[int, list[int]] = {}  # of a stream: lines looked at, and how many had a key
    looked_ns: int = 0  # when all were looked at anew
    keyless: list[int] = []
    counts: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0])  # open, refused, lines so far


class Sessions:
    """All sessions of one shard. Made of nothing until the first line with a key."""

    def __init__(self, config: Logs, adopt_seconds: float) -> None:
        self._config = config
        self._params = sessions.Params(config.odd_share, config.sessions_min, int(adopt_seconds * _SECOND_NS))
        self._names = session_keys.name_hashes(config.session_keys)
        self._saved = Saved(_identity())
        self._model_of: dict[int, int] = {}
        self._rows, self._models = np.zeros(0, session_model.SESSION), np.zeros(0, session_model.MODEL)
        self._places = np.zeros(0, np.int64)
        self._latest: dict[int, bytes] = {}  # the newest line of each open session, by key
        self._room = session_model.session_room()

    def __len__(self) -> int:
        """Sessions that are open."""
        return self._saved.counts[0]

    # ------------------------------------------------------------------------------------------ lines
    def take(self, lines: Lines, stream: Ints, template: NDArray[np.int32], stats: StepStats) -> None:
        """Put lines into their sessions: by what they carry beside their text, else by what the text says. All of one length."""
        if not self._config.sessions:
            return
        mined = template >= 0
        if not mined.all():
            lines, stream, template = lines.kept(mined), stream[mined], template[mined]
        key = self._keys(lines, stream)
        has_key = key != 0
        if has_key.any():
            lines = lines if has_key.all() else lines.kept(has_key)
            self._follow(lines.text, key[has_key], stream[has_key], template[has_key], lines.ts_ns, stats)

    def _keys(self, lines: Lines, stream: Ints) -> NDArray[np.uint64]:
        """The key of each line, 0 where it has none."""
        n = len(lines.text)
        key = np.zeros(n, np.uint64)
        if lines.fields is not None:
            session_keys.keys_of(*_joined([fields.session for fields in lines.fields]), stream, key)
        keyless = self._saved.keyless
        unread = key == 0
        if keyless:
            unread &= ~np.isin(stream, np.array(keyless, np.int64))
        if not unread.any():
            return key
        texts, of = (lines.text, stream) if unread.all() else (list(compress(lines.text, unread.tolist())), stream[unread])
        found = np.empty(len(texts), np.uint64)
        session_keys.find_keys(*_joined(texts), of, self._names, found)
        self._note_looked(of, found != 0)
        key[unread] = found
        return key

    def _note_looked(self, stream: Ints, has_key: NDArray[np.bool_]) -> None:
        for number in np.unique(stream).tolist():
            mine = stream == number
            looked = self._saved.looked.setdefault(number, [0, 0])
            looked[0] += int(np.count_nonzero(mine))
            looked[1] += int(np.count_nonzero(has_key & mine))

    def _follow(
        self,
        texts: list[bytes],
        key: NDArray[np.uint64],
        stream: Ints,
        template: NDArray[np.int32],
        ts_ns: Ints,
        stats: StepStats,
    ) -> None:
        model = np.array([self._model(number, stats) for number in stream.tolist()], np.int64)
        known = model >= 0
        if not known.all():
            texts = list(compress(texts, known.tolist()))
            key, model, template, ts_ns = key[known], model[known], template[known], ts_ns[known]
        self._reserve(self._saved.counts[0] + len(key))
        counts = np.array(self._saved.counts, np.int64)
        refused = int(counts[1])
        rows, models = as_state(self._rows), as_state(self._models)
        is_in = np.empty(len(key), np.bool_)
        lines = key, model, template.astype(np.int64), np.asarray(ts_ns, np.int64)
        sessions.follow_lines(rows, self._places, models, *lines, counts, is_in)
        self._saved.counts = counts.tolist()
        if counts[1] > refused:
            stats.count(Metric.LIMITS_REACHED, int(counts[1]) - refused, "sessions_open_max")
        if not is_in.all():
            texts, key = list(compress(texts, is_in.tolist())), key[is_in]
        self._latest.update(zip(key.tolist(), [text[:EXAMPLE_BYTES] for text in texts], strict=True))

    def _model(self, stream: int, stats: StepStats) -> int:
        model = self._model_of.get(stream, -1)
        if model >= 0:
            return model
        if len(self._models) >= self._config.session_streams_max:
            stats.count(Metric.LIMITS_REACHED, 1, "session_streams_max")
            return -1
        model = self._model_of[stream] = len(self._saved.streams)
        self._saved.streams.append(stream)
        self._models = np.concatenate((self._models, np.zeros(1, session_model.MODEL)))
        return model

    def _reserve(self, count: int) -> None:
        most = max(self._config.sessions_open_max, self._saved.counts[0])  # it may have been more when this was saved
        if not len(self._places):
            self._places = np.zeros(1 << (2 * most - 1).bit_length(), np.int64)
        size = min(max(2 * len(self._rows), count, _ROWS_FIRST), most)
        if min(count, most) > len(self._rows):
            rows = np.zeros(size, session_model.SESSION)
            rows[: len(self._rows)] = self._rows
            self._rows = rows

    # ------------------------------------------------------------------------------------------ ticks
    def tick(
        self, watermark_ns: int, resolve: Callable[[NDArray[np.int32]], NDArray[np.int32]], stats: StepStats
    ) -> Iterator[Odd]:
        """Judge the sessions that have ended, in the order of their latest lines."""
        self._look_anew(watermark_ns)
        open_ = self._rows[: self._saved.counts[0]]
        ended = open_["last_ns"] + int(self._config.session_idle * _SECOND_NS) <= watermark_ns
        if not ended.any():
            return
        self._rename(resolve)
        long = open_["last_ns"] - open_["first_ns"] > int(self._config.session_lasting_max * _SECOND_NS)
        stats.count(Metric.SESSIONS, int(np.count_nonzero(ended & long)), "too_long")
        order = np.flatnonzero(ended & ~long).astype(np.int64)
        order = order[np.argsort(open_["last_ns"][order], kind="stable")]
        told = np.zeros(len(order), OPINION)
        rows, models = as_state(self._rows), as_state(self._models)
        sessions.judge_sessions(models, rows, order, self._params, self._room, as_state(told))
        score = told["score"]
        for verdict, which in (("learning", np.isnan(score)), ("usual", score < 1.0), ("odd", score >= 1.0)):
            stats.count(Metric.SESSIONS, int(np.count_nonzero(which)), verdict)
        odd = np.flatnonzero(score >= 1.0)
        found = [self._odd(self._rows[order[i]], told[i]) for i in odd.tolist()]
        self._close(ended)
        yield from found

    def judged(self) -> list[int]:
        """Streams of whose sessions there is an opinion."""
        used = self._models[: len(self._saved.streams)]
        old = (used["total"] >= self._config.sessions_min) & (2 * used["single"] <= used["total"])
        return list(compress(self._saved.streams, old.tolist()))

    def _odd(self, row: np.void, told: np.void) -> Odd:
        parts = zip(told["event"].tolist(), told["count"].tolist(), told["usual"].tolist(), strict=True)
        differs = [part for part in parts if part[0] >= 0]
        stream = self._saved.streams[int(row["model"])]
        return Odd(stream, float(told["score"]), differs, bool(told["order"]), self._latest.get(int(row["key"]), b""))

    def _close(self, ended: NDArray[np.bool_]) -> None:
        for key in self._rows["key"][: len(ended)][ended].tolist():
            self._latest.pop(key, None)
        left = self._rows[: len(ended)][~ended]
        self._rows[: len(left)] = left
        self._rows[len(left) : len(ended)] = np.zeros(1, session_model.SESSION)[0]
        self._saved.counts[0] = len(left)
        sessions.place_again(as_state(self._rows[: len(left)]), self._places)

    def _rename(self, resolve: Callable[[NDArray[np.int32]], NDArray[np.int32]]) -> None:
        """Templates that were merged are those that stand for them. A model for which two have become one begins anew."""
        for rows, used in ((self._rows[: self._saved.counts[0]], "used"), (self._models, "events")):
            events: NDArray[Any] = rows["event"]
            mine = (np.arange(events.shape[1]) < rows[used][:, None]) & (events < session_model.OTHERS)
            found = resolve(events[mine].astype(np.int32))
            if (found != events[mine]).any():
                events[mine] = found
        for number, model in enumerate(self._models):
            events = model["event"][: int(model["events"])]
            if len(np.unique(events)) < len(events):
                self._models[number] = np.zeros(1, session_model.MODEL)[0]

    def _look_anew(self, watermark_ns: int) -> None:
        saved = self._saved
        if watermark_ns - saved.looked_ns >= KEYLESS_NS:
            saved.looked, saved.keyless, saved.looked_ns = {}, [], watermark_ns
        few = [
            number
            for number, (lines, keyed) in saved.looked.items()
            if lines >= KEYLESS_LINES > 0 and keyed * KEYLESS_SHARE < lines
        ]
        saved.keyless = sorted({*saved.keyless, *few})
        for number in few:
            del saved.looked[number]

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> Columns:
        keys = sorted(self._latest)
        texts = [self._latest[key] for key in keys]
        return {
            "saved": np.frombuffer(msgspec.json.encode(self._saved), np.uint8).copy(),
            "rows": np.frombuffer(self._rows[: len(self)].tobytes(), np.uint8).copy(),
            "models": np.frombuffer(self._models.tobytes(), np.uint8).copy(),
            "keys": np.array(keys, np.uint64),
            "texts": np.frombuffer(b"".join(texts), np.uint8).copy(),
            "ends": np.cumsum(np.array([len(text) for text in texts], np.int64)),
        }

    def restore(self, columns: Columns) -> None:
        """Raises StateError. Only when just made. Sessions that another version had seen are forgotten."""
        saved = msgspec.json.decode(columns["saved"].tobytes(), type=Saved)
        if saved.id != _identity():
            return
        rows, models = columns["rows"].tobytes(), columns["models"].tobytes()
        keys, ends, texts = columns["keys"].tolist(), columns["ends"].tolist(), columns["texts"].tobytes()
        whole = (
            len(rows) == saved.counts[0] * session_model.SESSION.itemsize
            and len(models) == len(saved.streams) * session_model.MODEL.itemsize
            and len(keys) == len(ends)
            and (ends[-1] if ends else 0) == len(texts)
        )
        if not whole:
            raise StateError("the sessions of log lines are torn")
        self._saved = saved
        self._model_of = {stream: number for number, stream in enumerate(saved.streams)}
        self._models = np.frombuffer(models, session_model.MODEL).copy()
        self._latest = {key: texts[a:b] for key, a, b in zip(keys, [0, *ends], ends, strict=False)}
        if keys or saved.streams:
            self._reserve(saved.counts[0])
            self._rows[: saved.counts[0]] = np.frombuffer(rows, session_model.SESSION)
            sessions.place_again(as_state(self._rows[: saved.counts[0]]), self._places)


def _joined(texts: list[bytes]) -> tuple[NDArray[np.uint8], Ints]:
    """All of them behind one another, and where each begins."""
    offset = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)), out=offset[1:])
    return np.frombuffer(b"".join(texts), np.uint8), offset


def _identity() -> str:
    return lineage_hash((sessions.__name__, session_keys.__name__))
