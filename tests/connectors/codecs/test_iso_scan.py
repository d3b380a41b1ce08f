"""Times that are read many at once are those that the general reader reads."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.codecs import iso_scan
from engine.errors import DecodeError
from engine.times import rfc3339_ns

FIRST, LAST = datetime.fromisoformat("1970-01-01"), datetime.fromisoformat("2261-12-31")


def scanned(texts):
    raw = [text.encode() for text in texts]
    ends = np.cumsum([len(text) for text in raw])
    found = np.empty(len(raw), np.int64)
    iso_scan.times(np.frombuffer(b"".join(raw) + bytes(8), np.uint8), ends - [len(text) for text in raw], ends, found)
    return found.tolist()


def general(text):
    try:
        return rfc3339_ns(text)
    except DecodeError:
        return iso_scan.BY_HAND


@pytest.mark.parametrize(
    "form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%d %H:%M:%S.%f789Z", "%Y-%m-%dt%H:%M:%S.5Z"]
)
@given(st.lists(st.datetimes(FIRST, LAST), min_size=1, max_size=5))
def test_times_of_every_day_are_read(form, times):
    texts = [time.replace(tzinfo=UTC).strftime(form) for time in times]
    assert scanned(texts) == [general(text) for text in texts]
    assert iso_scan.BY_HAND not in scanned(texts)


def test_first_and_last_days_of_months():
    texts = [
        f"{year}-{month:02d}-{day:02d}T00:00:00Z"
        for year in (1970, 1999, 2000, 2024, 2100)
        for month in range(14)
        for day in (0, 1, 28, 29, 30, 31, 32)
    ]
    assert scanned(texts) == [general(text) for text in texts]


@given(st.integers(0, 29), st.sampled_from("0129:-.TtZz +a/\x00"), st.integers(0, 30))
def test_whatever_stands_there_is_never_read_as_another_time(at, letter, size):
    text = "2026-11-20T23:54:36.123456789Z"
    for changed in (text[:at] + letter + text[at + 1 :], text[:size], text[:size] + "Z"):
        (found,) = scanned([changed])
        assert found in (iso_scan.BY_HAND, general(changed))
