r"""A record of several lines as one, of a stack trace what went wrong and where.

IOException: disk full\n\tat a.B.c(B.java:12)\n\tat a.D.e(D.java:9)     ─▶     IOException: disk full stack:fkbgpmea
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

FRAMES_MAX: Final = 16
"""Frames of a stack trace that its fingerprint is made of: the innermost ones of Java, the outermost of Python."""
_FRAME: Final = re.compile(
    rb'\s+at \S|\s+File "|\s*Caused by: |\s*\.\.\. \d+ more|goroutine \d+ \[|\s+\S+:\d+(?: |$)|\s+[\w.$/]+\('
)
_CHANGING: Final = re.compile(rb"0x[0-9a-fA-F]+|\d+")
_LETTERS: Final = bytes.maketrans(b"0123456789abcdef", b"abcdefghijklmnop")


def one_line(record: bytes) -> bytes:
    """A record of several lines as one: of a stack trace what went wrong and a fingerprint of where; any other record as it is."""
    lines = [line for line in record.replace(b"\r", b"").split(b"\n") if line.strip()]
    if len(lines) < 2:
        return record
    frames = [line.strip() for line in lines[1:] if _FRAME.match(line)]
    if not frames:
        return record
    head = lines[-1] if lines[0].startswith(b"Traceback (") and not lines[-1][:1].isspace() else lines[0]
    print_of = hashlib.blake2b(digest_size=4)
    for frame in frames[:FRAMES_MAX]:
        print_of.update(_CHANGING.sub(b"", frame) + b"\n")
    return head.strip() + b" stack:" + print_of.hexdigest().encode().translate(_LETTERS)
