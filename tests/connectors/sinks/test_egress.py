"""No delivery reaches an address inside, whatever the URL or the name server says."""

from __future__ import annotations

import socket
from pathlib import Path

import httpcore2
import pytest
from receivers import Receiver, incident

from connectors.sinks.egress import GuardedBackend, is_outside
from connectors.sinks.webhook import WebhookSink
from engine.config.tree import WebhookSink as Settings
from engine.errors import Permanent, Retry

INSIDE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",  # noqa: S104 - an address to refuse
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "168.63.129.16",
    "192.0.0.9",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside_are_recognised(address):
    assert not is_outside(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14"])
def test_addresses_outside_are_let_through(address):
    assert is_outside(address)


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every attempt to open a socket to somewhere is written down, and fails."""
    tried: list[object] = []

    def refuse(address: object, *_args: object, **_options: object) -> socket.socket:
        tried.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "create_connection", refuse)
    return tried


HOSTS = [
    "0x7f000001",
    "2130706433",
    "127.1",
    "localhost",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "169.254.169.254",
    "[fe80::1]",
    "10.0.0.1",
]


@pytest.mark.parametrize("host", HOSTS)
def test_a_url_with_an_address_inside_in_any_disguise_opens_no_socket(host, connections):
    sink = WebhookSink(Settings(type="webhook", url=f"https://{host}/hook"))
    with pytest.raises((Permanent, Retry)):
        sink.deliver(incident(), 1)
    assert connections == []


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_that_resolves_inside_opens_no_socket(address, connections):
    sink = WebhookSink(Settings(type="webhook", url="https://hooks.example/x"), resolver=lambda *_: [address])
    with pytest.raises(Permanent):
        sink.deliver(incident(), 1)
    assert connections == []


def test_one_address_inside_among_many_spoils_the_name(connections):
    both = ["93.184.215.14", "127.0.0.1"]
    sink = WebhookSink(Settings(type="webhook", url="https://hooks.example/x"), resolver=lambda *_: both)
    with pytest.raises(Permanent):
        sink.deliver(incident(), 1)
    assert connections == []


def test_the_socket_goes_to_the_very_address_that_was_checked_and_the_name_is_asked_once(connections):
    """A name server that answers differently the second time (rebinding) is not asked a second time."""
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])
    sink = WebhookSink(Settings(type="webhook", url="https://hooks.example/x"), resolver=lambda *_: next(answers))
    with pytest.raises(Retry):
        sink.deliver(incident(), 1)
    assert connections == [("93.184.215.14", 443)]
    assert next(answers) == ["127.0.0.1"]


def test_the_name_stays_in_the_host_header(receiver):
    about = Settings(type="webhook", url=f"http://hooks.example:{receiver.port}/x", allow_private=True)
    WebhookSink(about, resolver=lambda *_: ["127.0.0.1"]).deliver(incident(), 1)
    assert receiver.requests[0].headers["host"] == f"hooks.example:{receiver.port}"


def test_a_second_address_is_tried_when_the_first_does_not_answer(receiver):
    closed = Receiver()
    closed.close()
    about = Settings(type="webhook", url=f"http://hooks.example:{receiver.port}/x", allow_private=True)
    WebhookSink(about, resolver=lambda *_: ["127.0.0.99", "127.0.0.1"]).deliver(incident(), 1)
    assert len(receiver.requests) == 1


def test_a_name_that_nobody_knows_is_a_retry():
    def unknown(host: str, _port: int) -> list[str]:
        raise httpcore2.ConnectError(f"cannot resolve {host}")

    with pytest.raises(Retry):
        WebhookSink(Settings(type="webhook", url="https://hooks.example/x"), resolver=unknown).deliver(incident(), 1)


def test_a_proxy_in_the_environment_is_not_used(receiver, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    about = Settings(type="webhook", url=receiver.url, allow_private=True)
    WebhookSink(about).deliver(incident(), 1)
    assert len(receiver.requests) == 1


def test_an_expired_deadline_opens_nothing(connections):
    backend = GuardedBackend(0.0, allow_private=True, resolver=lambda *_: ["127.0.0.1"])
    with pytest.raises(httpcore2.ReadTimeout):
        backend.connect_tcp("hooks.example", 443)
    assert connections == []


def test_no_sink_but_the_webhook_opens_sockets():
    """The guard is worth something only while everything goes through it."""
    folder = Path("connectors/sinks")
    openers = {p.name for p in folder.glob("*.py") if "import socket" in p.read_text() or "import httpcore2" in p.read_text()}
    assert openers == {"egress.py", "webhook.py"}
