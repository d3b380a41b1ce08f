"""Alerts of others as evidence: Alertmanager's webhook (version 4, and Grafana's, of the same shape) and its event recorder.

Each alert becomes an event `alert.<alertname>` for the entity that its labels name, never a change: somebody else saw something.
Its end becomes `alert_resolved.<alertname>`. Both carry an id of fingerprint, beginning and state, by which the many repeats of
one alert are told from news. Whatever else the recorder writes (notifications, silences) becomes `alertmanager.<kind>`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from connectors.codecs.columns import ColumnsBuilder
from connectors.codecs.json_events import ATTRIBUTE_MAX, NAME_MAX, TEXT_MAX
from connectors.codecs.json_mapping import parse_json
from connectors.codecs.json_paths import Document
from engine import severity
from engine.config.tree import Source
from engine.errors import DecodeError, Reject
from engine.ports import Catalog
from engine.records import Decoded, Event, Record
from engine.times import TimeReader

ALERTS_MAX: Final = 1000
"""Alerts of one notification."""
LABELS_MAX: Final = 64
REPEAT_NS: Final = 12 * 3600 * 1_000_000_000
"""What began longer before its record is told at the record's time: it is repeated because it still fires."""
LEVELS: Final = {
    "page": severity.ERROR,
    "high": severity.ERROR,
    "major": severity.ERROR,
    "medium": severity.WARN,
    "minor": severity.WARN,
    "ticket": severity.WARN,
    "low": severity.INFO,
    "none": severity.INFO,
}
"""What teams write into `severity` beside the words of log levels."""
_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_TEXTS: Final = ("summary", "description", "message")


class Alert(NamedTuple):
    """One alert as it was sent, in either form."""

    labels: dict[str, str]
    annotations: dict[str, str]
    is_resolved: bool
    starts_at: Any
    ends_at: Any
    fingerprint: str
    link: str


class AlertmanagerCodec:
    """Stateless: alerts are rare."""

    def __init__(self, source: Source) -> None:
        self._line_bytes_max = source.line_bytes_max
        self._times = TimeReader()

    def decode(self, records: Sequence[Record], catalog: Catalog) -> Decoded:
        """As `ports.Codec`."""
        out = ColumnsBuilder(self._line_bytes_max)
        for row, record in enumerate(records):
            try:
                self._read(row, record, catalog, out)
            except DecodeError as error:
                out.reject(row, error.reason, error.detail)
        return out.build()

    def _read(self, row: int, record: Record, catalog: Catalog, out: ColumnsBuilder) -> None:
        if not record.value:
            raise DecodeError(Reject.EMPTY, "no payload")
        document = parse_json(record.value)
        if type(document) is not dict:
            raise DecodeError(Reject.WRONG_TYPE, "not an object")
        alerts = document.get("alerts")
        if type(alerts) is not list:
            out.events.append(self._recorded(row, record, document, catalog))
            return
        if not alerts:
            raise DecodeError(Reject.EMPTY, "a notification of no alerts")
        if len(alerts) > ALERTS_MAX:
            out.reject(row, Reject.TOO_MANY_FIELDS, f"more than {ALERTS_MAX} alerts")
        for alert in alerts[:ALERTS_MAX]:
            try:
                out.events.append(self._event(row, record, _notified(alert), catalog))
            except DecodeError as error:
                out.reject(row, error.reason, error.detail)

    def _event(self, row: int, record: Record, alert: Alert, catalog: Catalog) -> Event:
        word = alert.labels.pop("alertname", "")
        level = alert.labels.pop("severity", "")
        if not word:
            raise DecodeError(Reject.WRONG_TYPE, "an alert without the label alertname")
        began_ns = self._time(alert.starts_at, record.ts_ns)
        ts_ns = began_ns
        if alert.is_resolved:
            ts_ns = self._time(alert.ends_at, record.ts_ns)
        elif 0 < record.ts_ns > began_ns + REPEAT_NS:
            ts_ns = record.ts_ns
        name = f"alert{'_resolved' if alert.is_resolved else ''}.{word}"[:NAME_MAX]
        key, entity = catalog.event(name, alert.labels)
        state = "resolved" if alert.is_resolved else "firing"
        attributes = {"state": state, "severity": level, "fingerprint": alert.fingerprint, "link": alert.link}
        attributes["runbook"] = alert.annotations.get("runbook_url", "")
        return Event(
            row=row,
            ts_ns=ts_ns,
            name=name,
            entity=entity,
            key=key,
            severity=severity.INFO if alert.is_resolved else _level(level),
            text=next((alert.annotations[part] for part in _TEXTS if alert.annotations.get(part)), word)[:TEXT_MAX],
            attributes={part: text[:ATTRIBUTE_MAX] for part, text in attributes.items() if text},
            id=f"{alert.fingerprint}/{began_ns}/{state}" if alert.fingerprint else "",
        )

    def _time(self, value: Any, record_ns: int) -> int:
        if type(value) is str:
            return self._times.rfc3339_ns(value)
        if value is None:
            return record_ns
        raise DecodeError(Reject.BAD_TIME, "the time of an alert is not a text")

    def _recorded(self, row: int, record: Record, document: Document, catalog: Catalog) -> Event:
        data = document.get("data")
        if type(data) is not dict or not data:
            raise DecodeError(Reject.UNSUPPORTED, "neither a notification of alerts nor a recorded event")
        kind, about = next(iter(data.items()))
        alert = about.get("alert") if type(about) is dict else None
        if kind in ("alertCreated", "alertResolved") and type(alert) is dict:
            return self._event(row, record, _recorded_alert(alert, kind == "alertResolved"), catalog)
        name = f"alertmanager.{_CAPITAL.sub('_', kind).lower()}"[:NAME_MAX]
        key, entity = catalog.event(name, {})
        return Event(row=row, ts_ns=self._time(document.get("@timestamp"), record.ts_ns), name=name, entity=entity, key=key)


def _notified(alert: Any) -> Alert:
    if type(alert) is not dict:
        raise DecodeError(Reject.WRONG_TYPE, "an alert that is no object")
    return Alert(
        labels=_texts(alert.get("labels")),
        annotations=_texts(alert.get("annotations")),
        is_resolved=alert.get("status") == "resolved",
        starts_at=alert.get("startsAt"),
        ends_at=alert.get("endsAt"),
        fingerprint=_text(alert.get("fingerprint")),
        link=_text(alert.get("generatorURL")),
    )


def _recorded_alert(alert: Document, is_resolved: bool) -> Alert:
    """As protojson writes it: labels are lists of pairs, a fingerprint is a decimal where the webhook has 16 hex digits."""
    number = _text(alert.get("fingerprint"))
    is_decimal = number.isascii() and number.isdigit() and len(number) <= 20
    return Alert(
        labels=_pairs(alert.get("labels")) | ({"alertname": name} if (name := _text(alert.get("name"))) else {}),
        annotations=_pairs(alert.get("annotations")),
        is_resolved=is_resolved,
        starts_at=alert.get("startsAt"),
        ends_at=alert.get("endsAt"),
        fingerprint=f"{int(number):016x}" if is_decimal else number,
        link=_text(alert.get("generatorUrl")),
    )


def _level(word: str) -> int:
    """An alert that says nothing of itself is a warning."""
    return LEVELS.get(word.lower()) or severity.of_value(word, "otel") or severity.WARN


def _texts(members: Any) -> dict[str, str]:
    if type(members) is not dict:
        return {}
    if len(members) > LABELS_MAX:
        raise DecodeError(Reject.BAD_LABELS, f"more than {LABELS_MAX} labels")
    return {name: value for name, value in members.items() if type(value) is str}


def _pairs(holder: Any) -> dict[str, str]:
    pairs = holder.get("labels") if type(holder) is dict else None
    if type(pairs) is not list:
        return {}
    return _texts({_text(pair.get("key")): pair.get("value") for pair in pairs if type(pair) is dict})


def _text(value: Any) -> str:
    return value[:ATTRIBUTE_MAX] if type(value) is str else ""
