"""Laws of the admin port, over real TCP."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from prometheus_client import CollectorRegistry, Counter

from connectors.admin.server import AdminServer, Verdict
from engine.errors import ForeshockError


class Switches:
    """Probes that a test sets by hand."""

    def __init__(self) -> None:
        self.state: dict[str, Verdict] = {"live": (True, "beating"), "ready": (False, "restoring"), "started": (True, "restored")}

    def live(self) -> Verdict:
        return self.state["live"]

    def ready(self) -> Verdict:
        return self.state["ready"]

    def started(self) -> Verdict:
        return self.state["started"]


@pytest.fixture
def switches() -> Switches:
    return Switches()


@pytest.fixture
def server(switches: Switches) -> Iterator[AdminServer]:
    registry = CollectorRegistry()
    Counter("foreshock_test", "A test.", registry=registry).inc()
    server = AdminServer("127.0.0.1", 0, registry, switches)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server: AdminServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        yield client


def test_metrics_are_served_as_text_and_as_openmetrics(client: httpx2.Client) -> None:
    plain = client.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain")
    assert "foreshock_test_total 1.0" in plain.text
    modern = client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert modern.text.endswith("# EOF\n")


@pytest.mark.parametrize(("path", "status"), [("/livez", 200), ("/readyz", 503), ("/startupz", 200)])
def test_a_probe_answers_get_and_head(client: httpx2.Client, path: str, status: int) -> None:
    assert client.get(path).status_code == status
    head = client.head(path)
    assert head.status_code == status
    assert head.content == b""


def test_the_reason_is_told_when_asked_for(client: httpx2.Client) -> None:
    assert client.get("/readyz").text == "not ok\n"
    assert client.get("/readyz?verbose").text == "not ok: restoring\n"


def test_a_probe_is_asked_each_time(client: httpx2.Client, switches: Switches) -> None:
    switches.state["ready"] = (True, "")
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_changed(client: httpx2.Client, method: str) -> None:
    assert client.request(method, "/metrics").status_code == 405
    assert client.request(method, "/nowhere").status_code == 404


def test_the_port_is_free_again_after_stop(switches: Switches) -> None:
    first = AdminServer("127.0.0.1", 0, CollectorRegistry(), switches)
    first.start()
    with pytest.raises(ForeshockError, match="cannot listen"):
        AdminServer("127.0.0.1", first.port, CollectorRegistry(), switches).start()
    first.stop()
    first.stop()
    second = AdminServer("127.0.0.1", first.port, CollectorRegistry(), switches)
    second.start()
    second.stop()
