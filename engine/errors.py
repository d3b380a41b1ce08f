"""The errors of the whole program: one small tree, each carrying what to do next.

    ForeshockError
    ├── UsageError          the person asked for something that cannot be done            exit code 2
    ├── ConfigError         the configuration is wrong; carries every complaint at once    exit code 2
    ├── Unreachable         something we depend on does not answer                        exit code 4
    ├── DecodeError         a record is bad input: it goes to the dead letters
    ├── StateError          a snapshot is missing, torn or of another kind: use an older one
    └── DeliveryError       an outside receiver did not take what we sent
        ├── Retry           try again after `after_seconds`
        └── Permanent       never try this one again

Functions return or raise; they never log and raise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.enums import Word


class ForeshockError(Exception):
    """The root; `hint` says in one sentence what a person can do about it (empty: nothing to add)."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(ForeshockError):
    """A command was called with arguments that make no sense together."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong in a configuration file.

    `line` is 1-based (0: the value did not come from the file); `path` is the dotted place, such as `sources[0].format`.
    """

    path: str
    message: str
    line: int = 0
    suggestion: str = ""

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        more = f" ({self.suggestion})" if self.suggestion else ""
        return f"{where}{self.path or 'configuration'}: {self.message}{more}"


class ConfigError(ForeshockError):
    """The configuration cannot be used. `complaints` holds everything that is wrong, in the order of the file."""

    exit_code = 2

    def __init__(self, complaints: tuple[Complaint, ...], file: str = "") -> None:
        super().__init__("\n".join(str(c) for c in complaints))
        self.complaints = complaints
        self.file = file


class Unreachable(ForeshockError):
    """A broker, a store or an endpoint that we depend on does not answer."""

    exit_code = 4


class Reject(Word):
    """Why a record (or one sample of it) was refused. A closed set: it is the metric label and the dead letter's code."""

    EMPTY = "empty"  # no payload at all (a tombstone on an input topic)
    TOO_LARGE = "too_large"  # larger than the source's `record_bytes_max`
    MALFORMED = "malformed"  # not the declared format: truncated, bad UTF-8, bad syntax
    WRONG_TYPE = "wrong_type"  # parses, but a field has the wrong type or is missing
    NOT_FINITE = "not_finite"  # NaN, Inf or |value| >= 1e15 where a number is required
    BAD_TIME = "bad_time"  # the timestamp does not parse or does not fit 64 bits
    FUTURE_TIME = "future_time"  # event time ahead of the log's time by more than the clamp
    TOO_OLD = "too_old"  # event time behind the log's time by more than the clamp
    TOO_MANY_FIELDS = "too_many_fields"
    BAD_LABELS = "bad_labels"  # more labels, or longer ones, than the limits allow
    UNSUPPORTED = "unsupported"  # a valid message of a kind this codec does not read
    STALE = "stale"  # says that a series has ended, or has no value now: counted, no dead letter
    UNLIMITED = "unlimited"  # an infinity, or 1e15 and more, as programs write "no limit": counted, no dead letter
    METADATA = "metadata"  # says what metrics are and holds no value: counted, no dead letter
    CODEC_FAILED = "codec_failed"  # the codec itself failed on this record: a defect of ours, contained


QUIET: Final = frozenset({Reject.STALE, Reject.UNLIMITED, Reject.METADATA})
"""What producers send on purpose and nobody needs to look at."""


class DecodeError(ForeshockError):
    """A record is bad input. `reason` is what the dead letter and the counter carry; `detail` is for people, redacted."""

    def __init__(self, reason: Reject, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


class StateError(ForeshockError):
    """A snapshot cannot be used as it is. The caller falls back to an older one, never to an empty state in silence."""


class DeliveryError(ForeshockError):
    """An outside receiver did not take what we sent it."""


class Retry(DeliveryError):
    """A passing fault: the same delivery may succeed `after_seconds` from now (None: the outbox's own schedule decides)."""

    def __init__(self, message: str, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class Permanent(DeliveryError):
    """This delivery can never succeed; `disable` asks for the whole receiver to be switched off (HTTP 410)."""

    def __init__(self, message: str, *, disable: bool = False) -> None:
        super().__init__(message)
        self.disable = disable
