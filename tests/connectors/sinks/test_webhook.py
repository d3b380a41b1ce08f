"""The webhook against a real server: what is sent, what each answer means, and that it always ends in time."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import msgspec
import pytest
from cloudevents.core.formats.json import JSONFormat
from receivers import Receiver, incident
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from connectors.sinks.cloudevents import BODY_BYTES_MAX
from connectors.sinks.webhook import WebhookSink
from engine.config.tree import Deliver
from engine.config.tree import WebhookSink as Settings
from engine.deliver.stage import DeliverMachine
from engine.errors import ConfigError, Permanent, Retry
from engine.records import IncidentState, Record, Shard, encode

OLD = "whsec_" + "b2xkLXNlY3JldC1vZi10d2VudHktZm91ci1ieXRlcw=="
NEW = "whsec_" + "bmV3LXNlY3JldC1vZi10d2VudHktZm91ci1ieXRlcw=="


def sink_for(receiver: Receiver, **changes: object) -> WebhookSink:
    given = {"type": "webhook", "url": receiver.url, "allow_private": True, "timeout": 5.0, **changes}
    return WebhookSink(Settings(**given))


def test_the_body_is_a_structured_cloud_event_that_the_reference_library_reads(receiver):
    one = incident()
    sink_for(receiver).deliver(one, 1)
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", "/hook?tenant=a")
    assert request.headers["content-type"].startswith("application/cloudevents+json")
    event = JSONFormat().read(None, request.body)
    assert event.get_attributes()["type"] == "io.foreshock.incident.open"
    assert event.get_id() == f"{one.id}.3"
    assert event.get_subject() == one.id
    assert event.get_source() == "foreshock"
    assert event.get_time() == datetime(2026, 11, 20, 23, 54, 35, 509000, tzinfo=UTC)
    assert event.get_data() == msgspec.json.decode(encode(one))


def test_every_secret_verifies_and_a_changed_body_does_not(receiver):
    sink_for(receiver, secret=f"{OLD} {NEW}").deliver(incident(), 1)
    (request,) = receiver.requests
    for secret in (OLD, NEW):
        Webhook(secret).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(request.body.replace(b"payments", b"paymemts"), request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "YW5vdGhlci1zZWNyZXQtb2YtdHdlbnR5LWZvdXItYnl0ZXM=").verify(request.body, request.headers)


def test_the_hub_signature_is_the_hmac_of_the_body_under_the_first_secret_as_it_is_written(receiver):
    sink_for(receiver, secret=f"{OLD} {NEW}").deliver(incident(), 1)
    (request,) = receiver.requests
    expected = hmac.new(OLD.encode(), request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-hub-signature-256"] == f"sha256={expected}"


def test_without_a_secret_nothing_is_signed(receiver):
    sink_for(receiver).deliver(incident(), 1)
    assert not {"webhook-signature", "x-hub-signature-256"} & set(receiver.requests[0].headers)


def test_over_retries_the_id_and_the_body_stay_and_the_time_moves(receiver):
    receiver.answers = [503, 200]
    moments = iter([1_800_000_000.0, 1_800_000_060.0])
    about = Settings(type="webhook", url=receiver.url, allow_private=True, secret=OLD, timeout=5.0)
    sink = WebhookSink(about, now=lambda: next(moments))
    with pytest.raises(Retry):
        sink.deliver(incident(), 1)
    sink.deliver(incident(), 2)
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert [r.headers["webhook-timestamp"] for r in (first, second)] == ["1800000000", "1800000060"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_taken(receiver, status):
    receiver.answers = [status]
    sink_for(receiver).deliver(incident(), 1)


@pytest.mark.parametrize("status", [401, 403, 408, 425, 429, 500, 502, 503, 504])
def test_passing_answers_are_retries(receiver, status):
    receiver.answers = [status]
    with pytest.raises(Retry) as caught:
        sink_for(receiver).deliver(incident(), 1)
    assert caught.value.after_seconds is None


@pytest.mark.parametrize("status", [400, 404, 405, 413, 415, 422])
def test_other_answers_are_permanent(receiver, status):
    receiver.answers = [status]
    with pytest.raises(Permanent) as caught:
        sink_for(receiver).deliver(incident(), 1)
    assert not caught.value.disable


def test_gone_asks_to_be_disabled(receiver):
    receiver.answers = [410]
    with pytest.raises(Permanent) as caught:
        sink_for(receiver).deliver(incident(), 1)
    assert caught.value.disable


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver, status):
    receiver.answers = [(status, {"location": receiver.url})]
    with pytest.raises(Permanent):
        sink_for(receiver).deliver(incident(), 1)
    assert len(receiver.requests) == 1


NOW = 1_800_000_000.0
DATE = format_datetime(datetime.fromtimestamp(NOW, tz=UTC) + timedelta(seconds=90), usegmt=True)
PAST = format_datetime(datetime.fromtimestamp(NOW, tz=UTC) - timedelta(seconds=90), usegmt=True)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        (DATE, 90.0),
        (PAST, 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("9" * 400, 999_999_999.0),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(receiver, header, seconds):
    receiver.answers = [(429, {"retry-after": header})]
    about = Settings(type="webhook", url=receiver.url, allow_private=True, timeout=5.0)
    with pytest.raises(Retry) as caught:
        WebhookSink(about, now=lambda: NOW).deliver(incident(), 1)
    assert caught.value.after_seconds == seconds


@pytest.mark.parametrize("fault", ["drop", "hang", "drip"])
def test_a_receiver_that_drops_hangs_or_drips_is_a_retry_within_the_timeout(receiver, fault):
    receiver.answers = [fault]
    with pytest.raises(Retry):
        sink_for(receiver, timeout=0.3).deliver(incident(), 1)


def test_nobody_there_is_a_retry():
    gone = Receiver()
    gone.close()
    with pytest.raises(Retry):
        sink_for(gone).deliver(incident(), 1)


def test_a_huge_incident_is_thinned_below_the_limit_and_keeps_its_counts_and_first_cause(receiver):
    one = incident()
    many = incident(members=one.members * 200, entities=[f"service-{n}" for n in range(500)], alerts_total=200)
    sink_for(receiver).deliver(many, 1)
    body = receiver.requests[0].body
    data = msgspec.json.decode(body)["data"]
    assert len(body) < BODY_BYTES_MAX
    assert data["alerts_total"] == 200
    assert data["hints"][0]["entity"] == "payments"
    assert 0 < len(data["members"]) < 200


def test_even_huge_texts_are_cut_below_the_limit(receiver):
    sink_for(receiver).deliver(incident(title="x" * 50_000, entities=["y" * 50_000]), 1)
    assert len(receiver.requests[0].body) < BODY_BYTES_MAX


def test_less_severe_incidents_are_not_posted_but_the_end_of_one_that_was_is(receiver):
    sink = sink_for(receiver, severity_min=17)
    sink.deliver(incident(id="low", severity=13), 1)
    sink.deliver(incident(id="high", severity=17), 1)
    sink.deliver(incident(id="high", severity=13, revision=4, state=IncidentState.RESOLVED), 1)
    assert [r.headers["webhook-id"] for r in receiver.requests] == ["high.3", "high.4"]


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("http://example.com/", False),
        ("ftp://example.com/", True),
        ("example.com", True),
        ("https://", False),
        ("https://user:word@example.com/", False),
        ("https://example.com/a b", False),
        ("https://example.com\r\nx: y", False),
        ("https://example.com:99999/", False),
        ("https://[::1/", False),
        ("https://bücher.example/", False),
    ],
)
def test_an_address_that_cannot_be_meant_is_a_complaint(url, private):
    with pytest.raises(ConfigError, match=r"deliver\.sinks\.webhook\.url"):
        WebhookSink(Settings(type="webhook", url=url, allow_private=private))


@pytest.mark.parametrize("secret", ["whsec_a", "whsec_é"])
def test_a_secret_that_is_none_is_a_complaint_that_does_not_show_it(secret):
    with pytest.raises(ConfigError) as caught:
        WebhookSink(Settings(type="webhook", url="https://example.com/", secret=secret))
    assert secret not in str(caught.value)


def test_no_error_shows_the_path_of_the_address_as_it_may_be_a_secret(receiver):
    receiver.answers = [500, 404, "drop"]
    for _ in range(3):
        with pytest.raises((Retry, Permanent)) as caught:
            sink_for(receiver).deliver(incident(), 1)
        assert not re.search("hook|tenant", str(caught.value))


class Moving:
    """A clock that moves a minute with each look at it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now_ns(self) -> int:
        return int(self.seconds * 1e9)

    def monotonic_seconds(self) -> float:
        self.seconds += 60.0
        return self.seconds


def test_an_outage_of_the_real_receiver_ends_with_one_accepted_post_for_each_incident_in_order(receiver):
    """The whole path: log, outbox, webhook, server."""
    receiver.answers = [500, "drop", 503, (429, {"retry-after": "1"}), 500]
    shard = Shard("foreshock.incidents", 0)
    machine = DeliverMachine(shard, sink=sink_for(receiver), config=Deliver(breaker_failures=3), clock=Moving())
    for offset, (name, revision) in enumerate([("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3)]):
        machine.step([Record(shard.topic, 0, offset, offset, b"k", encode(incident(id=name, revision=revision)))])
        machine.settle(100.0)
    while machine.next_offset() is not None:
        machine.settle(100.0)
    accepted = [r.headers["webhook-id"] for r in receiver.requests[5:]]
    assert sorted(accepted) == ["a.3", "b.2"]
    for name in "ab":
        revisions = [r.headers["webhook-id"] for r in receiver.requests if r.headers["webhook-id"][0] == name]
        assert revisions == sorted(revisions)
