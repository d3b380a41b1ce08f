"""Other people's ways to group alerts, each in one pass: the key of a group for each alert, in the order given."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from engine.correlate.grouping import Onset

_NS = 1_000_000_000
SERVICE_GAP_SECONDS = 600
SYSTEM_GAP_SECONDS = 120
TUMBLING_SECONDS = 300

Keys = list[Hashable]


def by_service(onsets: Sequence[Onset]) -> Keys:
    """One group for a service until ten minutes pass without an alert: what `group_by` of alert routers is mostly set to."""
    return _by_gap(onsets, lambda onset: onset.entity, SERVICE_GAP_SECONDS)


def by_gap(onsets: Sequence[Onset]) -> Keys:
    """One group for a system until two minutes pass without an alert."""
    return _by_gap(onsets, lambda onset: onset.domain, SYSTEM_GAP_SECONDS)


def tumbling(onsets: Sequence[Onset]) -> Keys:
    """One group for a system in each five minutes of the clock."""
    return [(onset.domain, onset.ts_ns // (TUMBLING_SECONDS * _NS)) for onset in onsets]


def _by_gap(onsets: Sequence[Onset], place: Callable[[Onset], str], gap_seconds: int) -> Keys:
    last: dict[str, int] = {}
    number: dict[str, int] = {}
    keys: Keys = []
    for onset in onsets:
        name = place(onset)
        if onset.ts_ns - last.get(name, -(gap_seconds + 1) * _NS) > gap_seconds * _NS:
            number[name] = number.get(name, 0) + 1
        last[name] = onset.ts_ns
        keys.append((name, number[name]))
    return keys


GROUPERS: dict[str, Callable[[Sequence[Onset]], Keys]] = {"by service": by_service, "time gap": by_gap, "tumbling": tumbling}
