"""What is looked for in log lines beyond their templates and rates: the `logs` block of `detect`."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le

from engine.config.values import Duration, Model


class Logs(Model):
    """Lines that belong together, numbers within lines, lines that are due."""

    headers: bool = True
    """Whether headers of lines (time, level, process, thread, who speaks) are left out before lines are mined, where most lines of a stream have one."""
    bodies: bool = True
    """Whether lines that are JSON or logfmt, behind a header too, are mined by their message; the other members are read as those of a document."""
    sessions: bool = True
    """Whether lines that carry one key (a trace, a request, a block) are looked at together, so that one that went unlike the others is told."""
    session_keys: list[str] = [
        "trace_id",
        "traceid",
        "trace.id",
        "request_id",
        "requestid",
        "request-id",
        "x-request-id",
        "req_id",
        "correlation_id",
        "correlationid",
        "correlation-id",
        "transaction_id",
        "job_id",
        "run_id",
    ]
    """Names before `=` or `:` in a line whose value is the key, in any case. Without one of them req-…, blk_… and UUIDs are keys."""
    session_idle: Annotated[Duration, Gt(0)] = 300.0
    """A session has ended when no line of it came for this long."""
    session_lasting_max: Annotated[Duration, Gt(0)] = 3600.0
    """What goes on for longer is a user or a machine, not a session, and is not judged."""
    sessions_open_max: Annotated[int, Gt(0), Le(1_000_000)] = 10_000
    """Sessions open at a time, 664 B each; lines of those beyond are counted only."""
    session_streams_max: Annotated[int, Gt(0), Le(10_000)] = 100
    """Streams whose sessions are judged, 20 kB each."""
    sessions_min: Annotated[int, Ge(2)] = 100
    """Sessions of a stream before there is an opinion."""
    odd_share: Annotated[float, Gt(0), Le(0.1)] = 0.001
    """The share of usual sessions that may be called odd."""
    numbers: bool = True
    """Whether numbers of lines that measure something (took 5321 ms, rows=12) are watched: at most four within a line, eight beside its text."""
    numbers_max: Annotated[int, Gt(0)] = 200
    """Such numbers of one stream; those beyond get no model."""
