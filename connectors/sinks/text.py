"""An incident as text for people, and the escaping that makes foreign text safe in a terminal, a chat or a log.

Names, labels and log lines come from anywhere. Whatever could move a cursor, hide text or turn its direction is shown as its
code point instead of being done.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from engine.records import Evidence, Hint, Incident, IncidentState
from engine.severity import severity_range

FIELD_CHARACTERS_MAX = 400
MEMBERS_SHOWN = 3
NAMES_SHOWN = 4
EVIDENCE_SHOWN = 4
CHANGES_SHOWN = 3
IMPACT_SHOWN = 3
NEXT_SHOWN = 2

_UNSAFE = frozenset(
    [
        *range(0x20),  # C0, with ESC, CR and LF
        *range(0x7F, 0xA0),  # DEL and C1
        0x061C,  # Arabic letter mark
        *range(0x200B, 0x2010),  # zero width characters and direction marks
        *range(0x2028, 0x202F),  # line and paragraph separators, embeddings and overrides of direction
        *range(0x2060, 0x2070),  # invisible operators and isolates of direction
        *range(0xD800, 0xE000),  # lone surrogates
        0xFEFF,  # byte order mark
        *range(0xFFF9, 0xFFFC),  # interlinear annotation
        *range(0xE0000, 0xE0080),  # invisible tags
    ]
)
_SHOWN = {code: f"\\u{{{code:x}}}" for code in _UNSAFE}


def escape(text: str, characters_max: int = FIELD_CHARACTERS_MAX) -> str:
    r"""One line of visible text, at most so long (an ellipsis ends what was cut).

    >>> escape("red\x1b[31m\nalert")
    'red\\u{1b}[31m\\u{a}alert'
    """
    shown = text[: characters_max + 1].translate(_SHOWN)
    return shown if len(shown) <= characters_max else shown[: characters_max - 1] + "…"


def rfc3339(ts_ns: int) -> str:
    """UTC to the millisecond, as CloudEvents and people read it; times outside the years 1-9999 are the epoch.

    >>> rfc3339(1_795_218_875_509_123_456)
    '2026-11-20T23:54:35.509Z'
    """
    seconds, rest = divmod(ts_ns, 1_000_000_000)
    try:
        moment = datetime.fromtimestamp(seconds, tz=UTC)
    except (OverflowError, ValueError, OSError):
        moment, rest = datetime.fromtimestamp(0, tz=UTC), 0
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"


def severity_word(number: int) -> str:
    """An OpenTelemetry severity number as the word for its range."""
    return severity_range(number)


def duration(seconds: float) -> str:
    """A length of time at a glance: its two largest units.

    >>> duration(45), duration(150), duration(7260)
    ('45 s', '2 min 30 s', '2 h 1 min')
    """
    whole = max(0, int(seconds))
    parts = [(whole // 86400, "d"), (whole % 86400 // 3600, "h"), (whole % 3600 // 60, "min"), (whole % 60, "s")]
    shown = [f"{amount} {unit}" for amount, unit in parts if amount]
    return " ".join(shown[:2]) or "0 s"


def describe(incident: Incident) -> list[str]:
    """What a person on call needs, most important first: the first line is a headline, the others are details of it."""
    return [headline(incident), *(f"    {line}" for line in _details(incident))]


def headline(incident: Incident) -> str:
    """Time, state, severity, title and a short id, on one line."""
    when = rfc3339(incident.ts_ns)[:19].replace("T", " ")
    state = str(incident.state).upper()
    name = f"{escape(incident.id[:8])}.{incident.revision}"
    return f"{when}Z  {state:<9} {severity_word(incident.severity):<7}  {escape(incident.title)}  [{name}]"


def _details(incident: Incident) -> Iterator[str]:
    yield _extent(incident)
    if incident.state is IncidentState.MERGED:
        yield f"now part of incident {escape(incident.merged_into, 40)}"
        return
    if incident.state in (IncidentState.RESOLVED, IncidentState.CLOSED):
        if incident.hints:
            yield f"likely cause was {_cause(incident.hints[0])}"
        return
    yield from _impact(incident)
    yield from _causes(incident)
    yield from _changes(incident)
    yield from _similar(incident)
    if incident.holds_back:
        ids = _names([key[:8] for key in incident.holds_back])
        yield f"holds back: {len(incident.holds_back)} on what needs it ({ids})"
    if incident.degraded_inputs:
        yield f"blind: no data from {_names(incident.degraded_inputs)}"


def _extent(incident: Incident) -> str:
    """Since when, how much and where."""
    over_ns = incident.resolved_ts_ns or incident.ts_ns
    word = "lasted" if incident.resolved_ts_ns else "for"
    since = f"since {rfc3339(incident.started_ts_ns)[11:19]}Z ({word} {duration((over_ns - incident.started_ts_ns) / 1e9)})"
    plural = "" if incident.alerts_total == 1 else "s"
    alerts = f"{incident.alerts_total} alert{plural}, {incident.firing} firing"
    unknown = f", {incident.unknown} unknown" if incident.unknown else ""
    where = f" on {_names(incident.entities)}" if incident.entities else ""
    return f"{since}: {alerts}{unknown}{where}"


def _impact(incident: Incident) -> Iterator[str]:
    """The objectives that it hurts."""
    for hurt in incident.impact[:IMPACT_SHOWN]:
        rest = f"{hurt.budget_left:.0%} of the budget left, at this speed for {duration(hurt.seconds_left)}"
        if hurt.budget_left <= 0.0:
            rest = "nothing left of the budget"
        yield f"hurts: SLO {escape(hurt.slo, 80)} burns {hurt.burn_rate_now:.3g}x, {rest} ({escape(hurt.because, 120)})"
    if len(incident.impact) > IMPACT_SHOWN:
        yield f"hurts: and {len(incident.impact) - IMPACT_SHOWN} more"


def _causes(incident: Incident) -> Iterator[str]:
    if not incident.hints:
        yield "likely cause: not known"
        for member in incident.members[:MEMBERS_SHOWN]:
            yield f"  · {escape(member.series)} {str(member.kind).replace('_', ' ')}"
        return
    first, *others = incident.hints
    if incident.abstained:
        yield f"cause not certain; the best of {len(incident.hints)} is {_cause(first)}"
    else:
        yield f"likely cause: {_cause(first)}"
    for sign, facts in (("+", first.evidence), ("-", first.against)):
        yield from _evidence(sign, facts)
    if first.missing:
        yield f"  ? no telemetry of {_names(first.missing)}"
    if others:
        yield "or: " + ", ".join(_cause(hint) for hint in others[:2])


def _cause(hint: Hint) -> str:
    what = f" {escape(hint.metric, 120)}" if hint.metric else ""
    return f"{escape(hint.entity, 120)}{what} ({hint.probability:.0%})"


def _evidence(sign: str, facts: list[Evidence]) -> Iterator[str]:
    for fact in facts[:EVIDENCE_SHOWN]:
        yield f"  {sign} {escape(fact.text)}"
    if len(facts) > EVIDENCE_SHOWN:
        yield f"  {sign} and {len(facts) - EVIDENCE_SHOWN} more"


def _changes(incident: Incident) -> Iterator[str]:
    for change in incident.changes[:CHANGES_SHOWN]:
        text = f": {escape(change.text, 120)}" if change.text else ""
        yield f"before: {escape(change.name, 80)} on {escape(change.entity, 120)} at {rfc3339(change.ts_ns)[11:19]}Z{text}"
    if len(incident.changes) > CHANGES_SHOWN:
        yield f"before: and {len(incident.changes) - CHANGES_SHOWN} more events"


def _similar(incident: Incident) -> Iterator[str]:
    """What it is like, the likest only."""
    for twin in incident.similar[:1]:
        times = f"{twin.times_seen} times" if twin.times_seen > 1 else "once"
        ended = f", fixed by: {escape(twin.fixed_by, 120)}" if twin.fixed_by else ""
        ended = ", called no problem" if twin.is_harmless else ended
        when = rfc3339(twin.last_seen_ts_ns)[:16].replace("T", " ")
        when = f"{when}Z, {escape(twin.recurs, 80)}," if twin.recurs else f"{when}Z"
        yield f"seen {times} before, {twin.similarity:.0%} alike, last {when} as {escape(twin.incident_id[:8])}{ended}"
        for words in twin.next[:NEXT_SHOWN]:
            yield f"  next? {escape(words, 160)}"
    for words in incident.ahead[:NEXT_SHOWN]:
        yield f"may follow: {escape(words, 200)}"


def _names(names: list[str]) -> str:
    shown = ", ".join(escape(name, 80) for name in names[:NAMES_SHOWN])
    return shown if len(names) <= NAMES_SHOWN else f"{shown} and {len(names) - NAMES_SHOWN} more"
