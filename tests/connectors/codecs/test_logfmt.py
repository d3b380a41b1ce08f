"""logfmt with escapes is read in two passes and fares as if each escape were looked at."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.codecs.logfmt import parse_line
from engine.errors import DecodeError

PARTS = ["a", "b=", "=", '"', " ", "\\", "\\\\", '\\"', "\\n", "\\t", "é", "\n", 'k="v" ', "k=v ", 'q="a\\"b" ']


def _read(text):
    try:
        return parse_line(text)
    except DecodeError as error:
        return str(error)


@settings(max_examples=1000)
@given(st.lists(st.sampled_from(PARTS), max_size=14).map("".join))
@example('p=C:\\\\x q="a\\\\\\"b\\n"')
@example('x\\\\\\k="v" k=v')
def test_marks_for_escapes_change_nothing(text):
    """A member with the marks' characters behind it makes the reader look at each escape."""
    marked, unmarked = _read(text), _read(f"{text} odd=\0")
    if isinstance(unmarked, dict):
        assert unmarked.pop("odd") == "\0"
        assert marked == unmarked or (marked == "malformed: no member with a value" and set(unmarked.values()) <= {True})
    elif "no logfmt" in unmarked and "no logfmt" in str(marked):
        assert marked == unmarked


def test_escapes():
    assert parse_line('a="x\\"y\\\\z\\n\\q" b=c:\\\\d flag') == {"a": 'x"y\\z\nq', "b": "c:\\\\d", "flag": True}
