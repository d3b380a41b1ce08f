"""Raw syslog: what is written can be read back, whatever is missing; years and zones come from the record's own time."""

import contextlib
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.codecs.syslog import SyslogCodec
from engine.config.tree import Format, Mapping, Source
from engine.errors import DecodeError
from engine.records import Record

SECOND_NS = 1_000_000_000
NOW = datetime(2026, 11, 20, 23, 54, 36, tzinfo=UTC)
WORD = st.text(
    st.characters(codec="ascii", exclude_characters=' "]=[:-', min_codepoint=33, max_codepoint=126), min_size=1, max_size=30
)
NAME = st.from_regex(r"[a-z][a-z0-9._/-]{0,20}", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=30)


def _ns(moment):
    return int(moment.timestamp()) * SECOND_NS


NOW_NS = _ns(NOW)


def _codec(**more):
    return SyslogCodec(Source(name="s", topics=["t"], format=Format.SYSLOG, **more))


def _document(text, ts_ns=NOW_NS, **more):
    return _codec(**more)._parse(Record("t", 0, 0, ts_ns, None, text.encode()))


def _parameters(members):
    return "".join(f' {name}="{_escaped(value)}"' for name, value in members.items())


def _escaped(value):
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


@settings(max_examples=200, deadline=None)
@given(
    priority=st.integers(0, 191),
    microseconds=st.integers(0, 7_000_000_000_000_000),
    header=st.tuples(*[st.none() | WORD] * 4),
    elements=st.dictionaries(WORD, st.dictionaries(WORD, TEXT, max_size=3), max_size=3),
    message=st.just("") | TEXT,
)
def test_rfc_5424_is_read_back_as_it_was_written(priority, microseconds, header, elements, message):
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    data = "".join(f"[{name}{_parameters(members)}]" for name, members in elements.items())
    head = " ".join(part or "-" for part in header)
    document = _document(f"<{priority}>1 {when.isoformat(timespec='microseconds')} {head} {data or '-'} {message}")
    assert document["severity"] == priority & 7
    assert document["timestamp"] == microseconds * 1000
    assert tuple(document.get(name) for name in ("host", "app", "procid", "msgid")) == header
    assert document["structured_data"] == elements
    assert document["message"].strip() == message.strip("\ufeff ")


@settings(max_examples=200, deadline=None)
@given(
    priority=st.integers(0, 191),
    days=st.floats(-180, 180),
    host=NAME,
    app=NAME,
    process=st.none() | st.integers(1, 99999),
    message=TEXT,
)
def test_rfc_3164_is_read_back_as_it_was_written(priority, days, host, app, process, message):
    when = (NOW + timedelta(days=days)).replace(microsecond=0)
    tag = app if process is None else f"{app}[{process}]"
    document = _document(f"<{priority}>{when:%b} {when.day:2} {when:%H:%M:%S} {host} {tag}: {message}")
    assert document["timestamp"] == _ns(when)
    assert (document["host"], document["app"], document["message"]) == (host, app, message)
    assert document.get("procid") == (None if process is None else str(process))


@pytest.mark.parametrize(
    ("now", "written", "meant"),
    [
        (datetime(2027, 1, 1, 0, 0, 5, tzinfo=UTC), "Dec 31 23:59:59", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), "Jan  1 00:00:01", datetime(2027, 1, 1, 0, 0, 1, tzinfo=UTC)),
        (datetime(2028, 3, 1, tzinfo=UTC), "Feb 29 12:00:00", datetime(2028, 2, 29, 12, tzinfo=UTC)),
        (datetime(2029, 1, 1, tzinfo=UTC), "Feb 29 12:00:00", datetime(2028, 2, 29, 12, tzinfo=UTC)),
        (datetime(2030, 1, 1, tzinfo=UTC), "Nov 20 2019 12:00:00", datetime(2019, 11, 20, 12, tzinfo=UTC)),
        (NOW, "Nov 20 23:54:60", datetime(2026, 11, 20, 23, 55, tzinfo=UTC)),
    ],
)
def test_the_year_is_the_one_nearest_to_the_record(now, written, meant):
    assert _document(f"<34>{written} web-07 app: text", _ns(now))["timestamp"] == _ns(meant)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"])
@settings(max_examples=60, deadline=None)
@given(seconds=st.integers(1_780_000_000, 1_830_000_000), late=st.integers(-600, 600))
def test_clocks_of_a_zone_are_read_back(zone, seconds, late):
    """Also in the hour that they show twice, as the record's own time says which of the two it was."""
    local = datetime.fromtimestamp(seconds, ZoneInfo(zone))
    text = f"<34>{local:%b} {local.day:2} {local:%H:%M:%S} web-07 app: text"
    assert _document(text, (seconds + late) * SECOND_NS, timezone=zone)["timestamp"] == seconds * SECOND_NS


def test_a_time_that_clocks_leap_over_is_read_as_they_went_before():
    text = "<34>Mar 29 02:30:00 web-07 app: text"
    now = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert _document(text, _ns(now), timezone="Europe/Berlin")["timestamp"] == _ns(datetime(2026, 3, 29, 1, 30, tzinfo=UTC))


def test_without_any_time_there_is_no_year():
    with pytest.raises(DecodeError, match="bad_time"):
        _document("<34>Nov 20 23:54:36 web-07 app: text", 0)


def test_a_mapping_says_only_what_is_otherwise(catalog):
    text = b'<34>1 2026-11-20T23:54:36Z web-07 sshd - - [origin ip="203.0.113.9"] no'
    codec = _codec(mapping=Mapping(labels={"service": "structured_data.origin.ip"}))
    lines = codec.decode([Record("t", 0, 0, 1, None, text)], catalog).lines
    assert lines.key == [b'log{service="203.0.113.9"}']
    assert lines.severity.tolist() == [18]


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.sampled_from('<13>1 -[]="\\:.aA0Nov 2026T\ufeff\n'), max_size=60))
def test_any_text_is_a_message_or_refused(text):
    try:
        document = _document(f"<13>{text}")
    except DecodeError:
        return
    assert document["message"] is not None


@pytest.mark.parametrize(
    "text",
    [
        "<13>1 " + "a " * 50_000,
        "<13>1 - - - - - [" + ' a="\\' * 20_000,
        "<13>1 - - - - - " + '[a b="c"]' * 5_000,
        "<13>1 - - - - - [" + 'a b="' * 20_000,
        "<13>" + ":" * 100_000,
        "<13>Nov 20 23:54:36 " + "a:" * 50_000,
    ],
)
def test_hostile_headers_take_no_time_to_speak_of(text):
    """A pattern that goes back and forth would take minutes for these."""
    began = time.process_time()
    with contextlib.suppress(DecodeError):
        _document(text)
    assert time.process_time() - began < 0.5
