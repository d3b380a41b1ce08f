"""One log line for people, without what looks like a secret. Templates need none of this: what varies is masked in them."""

from __future__ import annotations

from typing import Final

import re2

EXAMPLE_MAX: Final = 300
_SECRETS: Final = re2.compile(
    r"(?i)((?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|authorization|cookie|session[_-]?id)"
    r"[\"']?\s*[:=]\s*(?:bearer\s+|basic\s+)?)[^\s,;&\"']+"
)
_BEARER: Final = re2.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_JWT: Final = re2.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_MAIL: Final = re2.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
_LOGIN: Final = re2.compile(r"(://)[^/@\s:]+:[^/@\s]+@")
_LONG_NUMBER: Final = re2.compile(r"\b\d{13,19}\b")


def redacted(line: str) -> str:
    """The first characters of a line, secrets, mail addresses and card-like numbers as `***`.

    >>> redacted("login of ann@example.org failed: password=hunter2 at https://u:p@host/")
    'login of *** failed: password=*** at https://***@host/'
    """
    text: str = line[: 4 * EXAMPLE_MAX]
    text = _SECRETS.sub(r"\1***", text)
    text = _BEARER.sub(r"\1 ***", text)
    text = _LOGIN.sub(r"\1***@", text)
    for pattern in (_JWT, _MAIL, _LONG_NUMBER):
        text = pattern.sub("***", text)
    return str(text[:EXAMPLE_MAX])
