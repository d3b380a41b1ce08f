"""An incident as people see it."""

from __future__ import annotations

import doctest
import io
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receivers import START, incident

from connectors.sinks import text
from connectors.sinks.console import ConsoleSink
from connectors.sinks.text import describe, escape, rfc3339, severity_word
from engine.config.tree import ConsoleSink as Settings
from engine.errors import Permanent
from engine.records import Impact, IncidentState, Similar

HOSTILE = [
    "\x1b]0;owned\x07",
    "\x1b[2J",
    "a\rb",
    "a\nb",
    "\u202egpj.exe",
    "\u2066x\u2069",
    "\u2028",
    "\x9b31m",
    "\ufeff",
    "\u200b",
]


def test_the_examples_in_the_module_hold():
    assert doctest.testmod(text).failed == 0


def test_a_block_says_when_what_where_and_why_at_a_glance():
    assert describe(incident()) == [
        "2026-11-20 23:54:35Z  OPEN      error    payments: request latency above expected  [01234567.3]",
        "    since 23:50:05Z (for 4 min 30 s): 2 alerts, 2 firing on payments, checkout",
        "    likely cause: payments latency (62%)",
        "      + It began 35 s before every other.",
        "      - Its database is not watched.",
        "      ? no telemetry of payments-db",
        "    or: checkout errors (20%)",
        "    before: deploy on payments at 23:49:35Z: version 2.3.1",
    ]


def test_a_resolved_incident_is_short():
    resolved = incident(state=IncidentState.RESOLVED, resolved_ts_ns=START, firing=0, revision=9)
    assert describe(resolved)[1:] == [
        "    since 23:50:05Z (lasted 4 min 30 s): 2 alerts, 0 firing on payments, checkout",
        "    likely cause was payments latency (62%)",
    ]


def test_a_merged_incident_names_its_survivor():
    assert describe(incident(state=IncidentState.MERGED, merged_into="abc"))[2] == "    now part of incident abc"


def test_a_cause_that_is_not_separable_is_not_called_one():
    lines = describe(incident(abstained=True))
    assert lines[2] == "    cause not certain; the best of 2 is payments latency (62%)"


def test_without_hints_the_members_are_shown():
    assert describe(incident(hints=[]))[2:4] == ["    likely cause: not known", '      · latency{service="payments"} level up']


def test_silent_sources_are_named():
    assert describe(incident(degraded_inputs=["metrics-0"]))[-1] == "    blind: no data from metrics-0"


@pytest.mark.parametrize("bad", HOSTILE)
def test_foreign_text_moves_no_cursor_and_turns_no_direction(bad):
    shown = "\n".join(describe(incident(title=bad, entities=[bad], reason=bad)))
    assert bad not in shown
    assert not any(unicodedata.category(c) in ("Cc", "Cf") for c in shown.replace("\n", ""))
    assert shown.count("\n") == len(describe(incident())) - 1


@given(st.text(max_size=900))
def test_escaped_text_is_one_visible_line_of_bounded_length(foreign):
    shown = escape(foreign, 100)
    assert len(shown) <= 100
    assert shown.splitlines() in ([], [shown])
    assert "\x1b" not in shown


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_time_has_a_text(ts_ns):
    assert re.fullmatch(r"\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", rfc3339(ts_ns))


@pytest.mark.parametrize(
    ("number", "word"), [(0, "unknown"), (1, "trace"), (9, "info"), (13, "warning"), (17, "error"), (24, "fatal")]
)
def test_severity_numbers_have_words(number, word):
    assert severity_word(number) == word


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def console(stream: io.TextIOBase) -> ConsoleSink:
    return ConsoleSink(Settings(type="console"), stream)


def test_there_is_colour_on_a_terminal_only():
    plain, terminal = io.StringIO(), Terminal()
    for stream in (plain, terminal):
        console(stream).deliver(incident(), 1)
    assert "\x1b" not in plain.getvalue()
    assert terminal.getvalue().startswith("\x1b[1;31m2026-11-20")


def test_a_terminal_that_is_not_utf8_shows_question_marks():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    console(stream).deliver(incident(title="Größe"), 1)
    assert b"Gr??e" in raw.getvalue()


def test_a_closed_stream_is_gone_for_good():
    stream = io.StringIO()
    sink = console(stream)
    stream.close()
    with pytest.raises(Permanent) as caught:
        sink.deliver(incident(), 1)
    assert caught.value.disable


def hurt(name: str, left: float) -> Impact:
    about = {"burn_rate": 20.0, "burn_rate_now": 33.3333, "window_seconds": 3600.0, "budget_left": left, "seconds_left": 5400.0}
    return Impact(slo=name, entity="cart", because="cart needs cart-db, 1 step away", **about)


def test_what_it_does_to_promises_is_said_before_its_causes():
    lines = describe(incident(impact=[hurt("fast", 0.42), hurt("up", -0.1), hurt("c", 1.0), hurt("d", 1.0)]))
    assert lines[2:4] == [
        "    hurts: SLO fast burns 33.3x, 42% of the budget left, at this speed for 1 h 30 min (cart needs cart-db, 1 step away)",
        "    hurts: SLO up burns 33.3x, nothing left of the budget (cart needs cart-db, 1 step away)",
    ]
    assert lines[5] == "    hurts: and 1 more"


@pytest.mark.parametrize(
    ("about", "words"),
    [
        (
            {"times_seen": 3, "fixed_by": "grew the\nvolume"},
            r"3 times before, 83% alike, last 2026-11-20 23:54Z as abcdef01, fixed by: grew the\u{a}volume",
        ),
        ({"times_seen": 1, "is_harmless": True}, "once before, 83% alike, last 2026-11-20 23:54Z as abcdef01, called no problem"),
    ],
)
def test_what_was_seen_before_is_said_last(about, words):
    twin = Similar(incident_id="abcdef0123", similarity=0.83, last_seen_ts_ns=1_795_218_875_000_000_000, **about)
    assert describe(incident(similar=[twin, twin]))[-1] == f"    seen {words}"


def test_what_mostly_comes_next_is_said_below_it():
    at = 1_795_218_875_000_000_000
    about = {"times_seen": 4, "recurs": "at about 23:30 UTC", "next": ["latency of cart up, 8 min after the first (3 of 4)"]}
    twin = Similar(incident_id="abcdef0123", similarity=0.3, last_seen_ts_ns=at, **about)
    assert describe(incident(similar=[twin]))[-2:] == [
        "    seen 4 times before, 30% alike, last 2026-11-20 23:54Z, at about 23:30 UTC, as abcdef01",
        "      next? latency of cart up, 8 min after the first (3 of 4)",
    ]
