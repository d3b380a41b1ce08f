"""Alerts of others: levels, times, and ids by which a repeat is known."""

import orjson
import pytest

from connectors.codecs.alertmanager import REPEAT_NS, AlertmanagerCodec
from engine import severity
from engine.config.tree import Format, Source
from engine.records import Record
from engine.times import rfc3339_ns

CODEC = AlertmanagerCodec(Source(name="s", topics=["t"], format=Format.ALERTMANAGER))
BEGAN = "2026-11-20T23:51:05.509Z"


def _events(catalog, ts_ns=1_795_218_876_000_000_000, **alert):
    alert = {"status": "firing", "labels": {"alertname": "A", "service": "s"}, "startsAt": BEGAN, "fingerprint": "f"} | alert
    return CODEC.decode([Record("t", 0, 0, ts_ns, None, orjson.dumps({"alerts": [alert]}))], catalog).events


@pytest.mark.parametrize(
    ("word", "level"),
    [
        ("critical", severity.CRITICAL),
        ("Warning", severity.WARN),
        ("page", severity.ERROR),
        ("info", severity.INFO),
        ("none", severity.INFO),
        ("sev-2", severity.WARN),
        ("", severity.WARN),
    ],
)
def test_levels_of_every_custom(word, level, catalog):
    assert _events(catalog, labels={"alertname": "A", "severity": word})[0].severity == level


def test_an_alert_that_is_repeated_for_days_is_told_in_the_present_with_the_same_id(catalog):
    began_ns = rfc3339_ns(BEGAN)
    (first,) = _events(catalog, began_ns + REPEAT_NS)
    (later,) = _events(catalog, began_ns + REPEAT_NS + 1)
    assert first.ts_ns == began_ns
    assert later.ts_ns == began_ns + REPEAT_NS + 1
    assert first.id == later.id
    (over,) = _events(catalog, status="resolved", endsAt="2026-11-20T23:59:05Z")
    assert over.ts_ns == rfc3339_ns("2026-11-20T23:59:05Z")
    assert over.id != first.id


def test_the_webhook_and_the_recorder_give_one_alert_the_same_id(catalog):
    (told,) = _events(catalog, fingerprint="c6a37cc5ea7f2c0f")
    alert = {"fingerprint": "14313421230198172687", "name": "A", "startsAt": BEGAN}
    recorded = orjson.dumps({"data": {"alertCreated": {"alert": alert}}})
    (event,) = CODEC.decode([Record("t", 0, 0, 1, None, recorded)], catalog).events
    assert event.id == told.id
