"""Lines in pieces: put together whatever the cut of batches, held within bounds, let go when their time is over."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.codecs import build_codec
from detectors.logclock import TICK
from engine.config.tree import Detect, Format, Mapping, Source
from engine.detect import partials
from engine.detect.catalog import SourceCatalog
from engine.detect.drafts import Drafts
from engine.detect.intake import Intake
from engine.detect.partials import HOLD_NS, Partials
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import StepStats
from engine.records import NO_FIELDS, Lines, Pieces, Record, Run

SECOND_NS = 1_000_000_000


def _batch(parts, first=0, *, folds=False):
    """Lines of (origin, more, text), one a record."""
    texts = [text for _, _, text in parts]
    more = np.array([more for _, more, _ in parts], np.bool_)
    pieces = Pieces([origin for origin, _, _ in parts], more, texts, lambda text: (text.strip(), 9, NO_FIELDS), folds)
    n = len(parts)
    return Lines(
        np.arange(n, dtype=np.int32),
        [b"s"] * n,
        np.arange(first, first + n),
        np.zeros(n, np.int8),
        [t.strip() for t in texts],
        pieces,
    )


def _told(lines, first=0):
    return [(row + first, *rest) for row, *rest in zip(lines.row.tolist(), lines.ts_ns.tolist(), lines.text, strict=True)]


def _take(held, parts, first=0, *, folds=False, step_ns=SECOND_NS):
    seconds = np.arange(first, first + len(parts), dtype=np.int64)
    due = np.where(seconds % 10 == 9, TICK, 0).astype(np.int8)
    stats = StepStats()
    return _told(held.take(_batch(parts, first, folds=folds), seconds * step_ns, due, stats), first), stats


def test_pieces_of_one_origin_are_put_together_and_others_pass_between_them():
    parts = [
        (b"a", True, b"one "),
        (b"b", False, b"between"),
        (b"b", True, b"x"),
        (b"a", True, b"two "),
        (b"a", False, b"three"),
        (b"b", False, b"y"),
    ]
    told, _ = _take(Partials(100), parts)
    assert told == [(1, 1, b"between"), (4, 0, b"one two three"), (5, 2, b"xy")]


def test_without_an_origin_nothing_is_held():
    assert _take(Partials(100), [(b"", True, b"one"), (b"", False, b"two")])[0] == [(0, 0, b"one"), (1, 1, b"two")]


def test_what_never_ends_is_let_go_at_the_tick_after_a_minute():
    parts = [(b"a", True, b"begun ")] + [(b"b", False, b"-")] * 100
    told, _ = _take(Partials(100), parts)
    wait = HOLD_NS // SECOND_NS
    assert [line for line in told if line[2] == b"begun"] == [(69, 0, b"begun")]
    assert wait == 60


def test_a_batch_without_any_line_lets_go_too():
    held = Partials(100)
    _take(held, [(b"a", True, b"begun")])
    empty = Lines(np.empty(0, np.int32), [], np.empty(0, np.int64), np.empty(0, np.int8), [])
    told = held.take(empty, np.array([70, 71]) * SECOND_NS, np.array([TICK, 0], np.int8), StepStats())
    assert told.text == [b"begun"]
    assert told.row.tolist() == [0]


def test_a_line_is_held_up_to_its_limit_and_all_up_to_theirs(monkeypatch):
    told, _ = _take(Partials(5), [(b"a", True, b"123"), (b"a", True, b"456"), (b"a", True, b"789"), (b"a", False, b"!")])
    assert told == [(3, 0, b"12345!")]
    monkeypatch.setattr(partials, "ORIGINS_MAX", 2)
    told, stats = _take(Partials(5), [(b"%d" % n, True, b"%d" % n) for n in range(4)])
    assert told == [(2, 0, b"0"), (3, 1, b"1")]
    assert stats.counts[Metric.LIMITS_REACHED, ("partial_lines_max",)] == 2
    monkeypatch.setattr(partials, "BYTES_MAX", 8)
    told, _ = _take(Partials(5), [(b"a", True, b"12345"), (b"b", True, b"12345")])
    assert told == [(1, 0, b"12345")]


def test_a_stack_trace_is_one_line():
    trace = [
        b"ERROR payment failed",
        b"\tat com.shop.Pay(Pay.java:12)",
        b"Caused by: java.net.Timeout",
        b"\t... 12 more",
        b"next",
    ]
    parts = [(b"a", False, text) for text in trace]
    told, stats = _take(Partials(100), parts, folds=True)
    assert [text for _, _, text in told] == [b"ERROR payment failed", b"next"]
    assert stats.counts[Metric.SAMPLES_DROPPED, ("continued",)] == 3
    assert len(_take(Partials(100), parts)[0]) == 5


def test_lines_that_are_all_indented_are_lines():
    told, _ = _take(Partials(100), [(b"a", False, b" one"), (b"a", False, b" two")], folds=True)
    assert [text for _, _, text in told] == [b"one", b"two"]


def test_a_frame_belongs_to_its_own_origin_and_time():
    held = Partials(100)
    told, _ = _take(held, [(b"a", False, b"head"), (b"b", False, b"\tframe")], folds=True)
    assert len(told) == 2
    told, _ = _take(held, [(b"a", False, b"\tframe")], 100, folds=True)
    assert len(told) == 1


PART = st.tuples(st.sampled_from([b"a", b"b", b""]), st.booleans(), st.sampled_from([b"x", b" y", b"Caused by: z", "ö".encode()]))


@settings(max_examples=150, deadline=None)
@given(parts=st.lists(PART, max_size=30), cuts=st.sets(st.integers(0, 30)), folds=st.booleans(), step=st.sampled_from([1, 7, 40]))
def test_neither_the_cut_nor_a_crash_changes_what_is_told(parts, cuts, folds, step):
    whole, _ = _take(Partials(7), parts, folds=folds, step_ns=step * SECOND_NS)
    told, held = [], Partials(7)
    edges = [0, *sorted(cut for cut in cuts if 0 < cut < len(parts)), len(parts)]
    for start, end in itertools.pairwise(edges):
        told += _take(held, parts[start:end], start, folds=folds, step_ns=step * SECOND_NS)[0]
        state, held = held.snapshot(), Partials(7)
        held.restore(state)
    assert told == whole


def test_a_torn_state_is_told():
    with pytest.raises(StateError):
        Partials(7).restore(np.frombuffer(b"\x93torn", np.uint8))
    Partials(7).restore(np.empty(0, np.uint8))


def _intake():
    paths = {"origin": ["pod", "stream"], "partial": "_p", "message": "log", "time": "", "embedded_json": True}
    source = Source(name="s", topics=["t"], format=Format.JSON, mapping=Mapping(labels={"service": "app"}, **paths))
    return Intake(codec=build_codec(source), catalog=SourceCatalog(source), source=source, config=Detect())


def test_json_that_came_in_pieces_is_opened_when_it_is_whole_also_after_a_crash():
    pieces = (b'{\\"level\\":\\"error\\",\\"msg\\":', b'\\"payment failed ', b'twice\\"}')
    value = b'{"app":"checkout","pod":"p","stream":"stdout","_p":"%s","log":"%s"}'
    told = []
    intake = _intake()
    for n, (mark, text) in enumerate(zip("PPF", pieces, strict=True)):
        record = Record("t", 0, n, (n + 1) * SECOND_NS, None, value % (mark.encode(), text))
        lines = intake.take(Run.of([record]), Drafts(), StepStats()).lines
        told += zip(lines.key, lines.severity.tolist(), lines.text, strict=True)
        state, intake = intake.snapshot(), _intake()
        intake.restore(state)
    assert told == [(b'log{service="checkout"}', 17, b"payment failed twice")]


def test_a_line_in_pieces_has_the_session_of_its_first_piece_or_of_what_is_opened():
    intake = _intake()
    document = b'{"app":"checkout","pod":"p","stream":"stdout","_p":"%s","request_id":"r-100%d","log":"%s"}'
    outer = ((b"P", 1, b"one "), (b"F", 2, b"line"), (b"P", 3, b'{\\"trace_id\\":\\"ab12\\",'), (b"F", 4, b'\\"msg\\":\\"x\\"}'))
    records = [Record("t", 0, n, SECOND_NS, None, document % part) for n, part in enumerate(outer)]
    lines = intake.take(Run.of(records), Drafts(), StepStats()).lines
    assert lines.text == [b"one line", b"x"]
    assert [fields.session for fields in lines.fields or []] == [b"r-1001", b"ab12"]
