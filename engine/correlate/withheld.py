"""What silences and windows that have changed mean for alerts that live already."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from engine.correlate.state import LiveIncident, MemberState
from engine.correlate.suppress import Suppression
from engine.records import AlertState


class Judged(NamedTuple):
    """Whether anything has changed, and when to look again, in event time."""

    has_changed: bool
    ends_ns: list[int]


def judged_again(
    incident: LiveIncident, is_meant: Callable[[MemberState], bool], suppression: Suppression, now_ns: int
) -> Judged:
    """Hold the live members that are meant against what is in force now. Moves `suppressed` of the incident and of its members."""
    has_changed, ends_ns = False, []
    for member in incident.members.values():
        if member.state is AlertState.RESOLVED or not is_meant(member):
            continue
        verdict = suppression.held(member, member.onset_ts_ns, member.joined_ns, now_ns, over_ns=now_ns)
        reason, until_ns = (verdict.reason, verdict.until_ns) if verdict else ("", 0)
        has_changed = has_changed or (reason, until_ns) != (member.suppressed, member.suppressed_until_ns)
        incident.suppressed += bool(reason) - bool(member.suppressed)
        member.suppressed, member.suppressed_until_ns = reason, until_ns
        if until_ns:
            ends_ns.append(until_ns)
    return Judged(has_changed, ends_ns)
