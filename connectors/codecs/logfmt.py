"""logfmt: lines of `level=error msg="payment failed" ms=31 retried`, read as the source's `mapping` says, just like flat JSON.

All values are text, so that numbers want `numeric_strings`; a word without a value is true. Where a key comes twice the last counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from connectors.codecs.json_mapping import JsonCodec
from engine.config.tree import Source
from engine.errors import DecodeError, Reject
from engine.records import Record

PAIRS_MAX: Final = 256
WORDS_MAX: Final = 2 * PAIRS_MAX
"""With keys that come twice."""
_PAIR: Final = re.compile(r'([^\s="]+)(?:=(?:"((?:[^"\\]++|\\.)*+)"|([^\s"]*)))?(?=\s|$)|(\S)', re.DOTALL)
_MARKED: Final = re.compile(r'([^\s="\1]+)(?:=(?:"([^"]*)"|([^\s"\1]*)))?(?=\s|$)|(\S)')
_PAIRED, _QUOTE = "\0", "\1"
"""Stand for an escaped backslash and an escaped quote in a text that has neither of these characters."""
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r"}


class LogfmtCodec(JsonCodec):
    """Stateless but for the caches of its reader."""

    def __init__(self, source: Source) -> None:
        if source.mapping.message:  # what is measured beside a message is text, as all is here
            source = source.model_copy(update={"mapping": source.mapping.model_copy(update={"numeric_strings": True})})
        super().__init__(source)
        self._is_flat = False

    def _parse(self, record: Record) -> Any:
        try:
            text = (record.value or b"").decode()
        except UnicodeDecodeError as error:
            raise DecodeError(Reject.MALFORMED, "not UTF-8") from error
        return parse_line(text)


def parse_line(text: str) -> dict[str, Any]:
    """The members of one line. Raises DecodeError: MALFORMED when it is no logfmt, TOO_MANY_FIELDS."""
    is_marked = '"' in text and "\\" in text and _PAIRED not in text and _QUOTE not in text
    if is_marked:  # two passes, after which no quote is left within a value: to look at each escape takes several times as long
        text = text.replace("\\\\", _PAIRED).replace('\\"', _QUOTE)
    members: dict[str, re.Match[str]] = {}
    pairs = 0
    for number, match in enumerate((_MARKED if is_marked else _PAIR).finditer(text)):
        key, quoted, plain, other = match.groups()
        if other is not None:
            at = match.start()
            marks = text.count(_PAIRED, 0, at) + text.count(_QUOTE, 0, at) if is_marked else 0
            raise DecodeError(Reject.MALFORMED, f"no logfmt at character {at + marks}")
        if len(members) >= PAIRS_MAX or number >= WORDS_MAX:
            raise DecodeError(Reject.TOO_MANY_FIELDS, f"more than {PAIRS_MAX} members")
        pairs += plain is not None or quoted is not None
        members[key] = match
    if not pairs:
        raise DecodeError(Reject.MALFORMED, "no member with a value")
    written, unescaped = (_as_written, _restored) if is_marked else (str, _unescaped)
    return {written(key): _value_of(match, written, unescaped) for key, match in members.items()}


def _value_of(match: re.Match[str], written: Callable[[str], str], unescaped: Callable[[str], str]) -> str | bool:
    _, quoted, plain, _ = match.groups()
    if quoted is not None:
        return unescaped(quoted)
    return True if plain is None else written(plain)


def _as_written(text: str) -> str:
    return text.replace(_PAIRED, "\\\\")


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: _CONTROLS.get(match[1], match[1]), text) if "\\" in text else text


def _restored(text: str) -> str:
    """As `_unescaped`, of a value whose escaped backslashes and quotes are marked."""
    if "\\" in text:
        for letter, control in _CONTROLS.items():
            text = text.replace(f"\\{letter}", control)
        text = text.replace("\\", "")
    return text.replace(_PAIRED, "\\").replace(_QUOTE, '"')
