"""Behind what cannot be read the very next readable record is found, whatever the log looks like."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sources.unreadable import HEADER, Unreadable
from engine.records import Run, Shard

A, B = Shard("in", 0), Shard("in", 1)


def run(first, end):
    n = end - first
    return Run(A, range(first, end), np.arange(first, end), [None] * n, [b"%d" % at for at in range(first, end)], [()] * n)


def read(log, tries_max=400):
    """All that a reader sees of a log: of each offset where its batch begins if it cannot be read, else None; how often it had to seek."""
    searches, at, seen, tries = Unreadable(), 0, [], 0
    while at < len(log):
        tries += 1
        assert tries < tries_max
        if log[at] is not None:
            at = searches.failed(A, at, log[at], len(log))
            continue
        end = at
        while end < len(log) and log[end] is None:
            end += 1
        found = searches.passed(A, run(at, end), len(log))
        if isinstance(found, Run):
            seen += found
            at = end
        else:
            at = found
    return seen, tries


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 60)), max_size=6))
def test_every_readable_record_is_read_once_and_what_was_not_is_told(parts):
    """Bad batches and good stretches in turn; between two bad ones there may be nothing, or one good record."""
    log = []
    for bad_size, good_size in parts:
        log += [len(log)] * bad_size + [None] * good_size
    log.append(None)
    seen, _ = read(log)
    assert [record.offset for record in seen if record.value is not None] == [at for at, bad in enumerate(log) if bad is None]
    told = [(record.offset, dict(record.headers)[HEADER]) for record in seen if record.value is None]
    bad = [at for at, begins in enumerate(log) if begins is not None]
    first = [at for at in bad if at - 1 not in bad]
    last = [at for at in bad if at + 1 not in bad]
    assert told == [(one, b"%d-%d" % (one, other)) for one, other in zip(first, last, strict=True)]


def test_a_batch_of_thousands_is_passed_in_some_thirty_steps():
    seen, tries = read([None] + [1] * 10_000 + [None] * 3)
    assert (len(seen), tries < 40) == (5, True)


def test_at_the_end_of_the_log_the_next_record_is_waited_for():
    searches = Unreadable()
    assert [searches.failed(A, at, 1, 3) for at in (1, 2)] == [2, 3]
    assert searches.failed(B, 7, 7, 100) == 8
    found = searches.passed(A, run(3, 5), 5)
    assert [record.offset for record in found] == [1, 3, 4]
    assert searches.passed(A, run(5, 6), 6).offsets == range(5, 6)


def test_what_was_compacted_away_behind_it_is_not_looked_for():
    searches = Unreadable()
    searches.failed(A, 4, 4, 100)
    found = searches.passed(A, run(9, 12), 100)
    assert [record.offset for record in found] == [4, 9, 10, 11]


def test_a_shard_that_is_read_from_elsewhere_is_no_longer_searched():
    searches = Unreadable()
    searches.failed(A, 4, 4, 100)
    searches.forget(A)
    assert searches.passed(A, run(9, 12), 100).offsets == range(9, 12)
