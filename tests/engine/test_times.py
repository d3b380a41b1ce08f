"""Timestamps: exact where they can be, refused where they would have to be guessed."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import DecodeError, Reject
from engine.times import TimeReader, Unit, epoch_ns, rfc3339_ns, unit_by_magnitude

NS = 1_000_000_000
_zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_moments = st.datetimes(datetime.fromisoformat("1700-01-01"), datetime.fromisoformat("2250-01-01"), timezones=_zones)


@given(_moments, st.sampled_from("T t"), st.booleans())
def test_agrees_with_datetime(moment, separator, colon):
    text = moment.isoformat().replace("T", separator)
    if not colon:
        text = text[:-6] + text[-6:].replace(":", "")
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    assert TimeReader().rfc3339_ns(text) == expected


@given(st.integers(0, 999_999_999), st.integers(1, 9))
def test_every_number_of_fraction_digits_is_exact(fraction, digits):
    cut = f"{fraction:09d}"[:digits]
    assert rfc3339_ns(f"1970-01-01T00:00:01.{cut}Z") == NS + int(cut.ljust(9, "0"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T23:54:35Z", 1_795_218_875 * NS),
        ("2026-11-20T23:54:35.123456789123Z", 1_795_218_875 * NS + 123_456_789),
        ("2026-11-20 23:40:10 +0000", 1_795_218_010 * NS),
        ("2026-11-21 01:40:10 +0200", 1_795_218_010 * NS),
        ("2026-11-20 23:40:10 UTC", 1_795_218_010 * NS),
        ("2026-11-20T23:40:10+00", 1_795_218_010 * NS),
        ("2026-11-20T23:40:10,5Z", 1_795_218_010 * NS + NS // 2),
        ("2016-12-31T23:59:60Z", 1_483_228_800 * NS),
        ("1969-12-31T23:59:59.5Z", -NS // 2),
        ("2262-04-11T23:47:16.854775807Z", 2**63 - 1),
    ],
)
def test_known_forms(text, expected):
    assert rfc3339_ns(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-11-20",
        "2026-11-20T23:54:35",
        "2026-11-20T23:54:35.Z",
        "2026-13-20T23:54:35Z",
        "2026-02-29T23:54:35Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T23:60:00Z",
        "2026-11-20T23:54:61Z",
        "2026-11-20T23:54:5.5Z",
        "2026-11-20T23:54:35+25:00",
        "2026-11-20T23:54:35ZZ",
        "2026-11-20T23:54:35Z\n",
        "2026-11-20T23:54:\u0663\u0665Z",
        "\u0662\u0660\u0662\u0666-11-20T23:54:35Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2262-04-11T23:47:16.854775808Z",
    ],
)
def test_everything_else_is_refused(text):
    with pytest.raises(DecodeError) as caught:
        rfc3339_ns(text)
    assert caught.value.reason is Reject.BAD_TIME


def test_a_time_without_zone_is_utc_only_when_the_caller_says_so():
    assert TimeReader(naive_is_utc=True).rfc3339_ns("2026-11-20 23:54:35.5") == 1_795_218_875 * NS + NS // 2


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    with suppress(DecodeError):
        assert isinstance(rfc3339_ns(text), int)


@given(st.integers(-(2**63) // 1000, (2**63 - 1) // 1000))
def test_a_float_of_seconds_gives_its_microseconds(micros):
    seconds = micros % (4 * 10**15) / 1e6
    assert epoch_ns(seconds, Unit.S) == micros % (4 * 10**15) * 1000


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (1795218875.509123, Unit.S, 1_795_218_875_509_123_000),
        (1795218875, Unit.S, 1_795_218_875 * NS),
        (1795218875509, Unit.MS, 1_795_218_875_509_000_000),
        (1795218875509.25, Unit.MS, 1_795_218_875_509_250_000),
        ("1795218875509123", Unit.US, 1_795_218_875_509_123_000),
        ("1795218875.509123456", Unit.S, 1_795_218_875_509_123_456),
        ("-1.5", Unit.S, -1_500_000_000),
        (1795218875509123456, Unit.NS, 1_795_218_875_509_123_456),
        (0, Unit.S, 0),
    ],
)
def test_numbers_in_their_unit(value, unit, expected):
    assert epoch_ns(value, unit) == expected


@pytest.mark.parametrize(
    "value", [None, True, [], {}, "", "1e9", "1_000", " 1", "nan", "0x1", float("nan"), float("inf"), 1e300, 10**30, "9" * 19]
)
def test_what_is_no_number_in_the_unit_is_refused(value):
    with pytest.raises(DecodeError) as caught:
        epoch_ns(value, Unit.S)
    assert caught.value.reason is Reject.BAD_TIME


@pytest.mark.parametrize(
    ("value", "unit"),
    [(1795218875, Unit.S), (1795218875509, Unit.MS), (1795218875509123, Unit.US), (1795218875509123456, Unit.NS)],
)
def test_the_unit_of_a_number_in_a_file_follows_from_its_magnitude(value, unit):
    assert unit_by_magnitude(value) is unit
