"""logfmt: lines of `level=error msg="payment failed" ms=31 retried`, read as the source's `mapping` says, just like flat JSON.

All values are text, so that numbers want `numeric_strings`; a word without a value is true. Where a key comes twice the last counts.
"""

from __future__ import annotations

import re
from typing import Any, Final

from connectors.codecs.json_mapping import JsonCodec
from engine.config.tree import Source
from engine.errors import DecodeError, Reject
from engine.records import Record

PAIRS_MAX: Final = 256
WORDS_MAX: Final = 4 * PAIRS_MAX
"""With keys that come twice."""
_PAIR: Final = re.compile(r'([^\s="]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*)))?(?=\s|$)|(\S)', re.DOTALL)
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
    members: dict[str, Any] = {}
    pairs = 0
    for number, match in enumerate(_PAIR.finditer(text)):
        key, quoted, plain, other = match.groups()
        if other is not None:
            raise DecodeError(Reject.MALFORMED, f"no logfmt at character {match.start()}")
        pairs += plain is not None or quoted is not None
        if len(members) >= PAIRS_MAX or number >= WORDS_MAX:
            raise DecodeError(Reject.TOO_MANY_FIELDS, f"more than {PAIRS_MAX} members")
        members[key] = _unescaped(quoted) if quoted is not None else True if plain is None else plain
    if not pairs:
        raise DecodeError(Reject.MALFORMED, "no member with a value")
    return members


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda match: _CONTROLS.get(match[1], match[1]), text)
