"""The discrete events of the shop: Kubernetes events, and CDEvents of its delivery pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import orjson

from connectors.simulator.scenario import Happening, Scenario, What
from connectors.simulator.shop import BY_NAME, SERVICES, pod
from connectors.simulator.signals import Span

CONTENT_TYPE = ("content-type", b"application/cloudevents+json; charset=UTF-8")
_PIPELINE_EVERY = 240
_BAD = (What.BAD_DEPLOY, What.NEW_ERROR)
_DEPLOYS = (*_BAD, What.GOOD_DEPLOY)
_HOUSEKEEPING = ("log-rotate", "cert-check", "report")


class Happened(NamedTuple):
    """One Kubernetes event: `about` is the kind of object that `name` is."""

    reason: str
    about: str
    name: str
    node: str
    text: str
    warning: bool = False


def kubernetes(scenario: Scenario, span: Span, n: int, rng: np.random.Generator) -> Iterator[bytes]:
    """Events of one tick: a cluster is never quiet (scheduled jobs), and faults leave their marks."""
    seconds = int(span.times[n])
    job = _HOUSEKEEPING[(seconds // 60) % len(_HOUSEKEEPING)]
    yield _event(seconds, Happened("Completed", "Job", job, "node-1", f"Job {job} completed"), rng)
    for h in scenario.happenings:
        for event in _marks(h, seconds):
            yield _event(seconds, event, rng)


def _marks(h: Happening, seconds: int) -> Iterator[Happened]:
    """What the cluster says of a happening at this tick."""
    node = BY_NAME[h.entity].node if h.entity in BY_NAME else h.entity
    if h.what in _DEPLOYS and seconds == h.start:
        yield Happened("ScalingReplicaSet", "Deployment", h.entity, node, f"Scaled up replica set {pod(h.entity, 1)} to 1")
    elif h.what is What.MEMORY_LEAK and seconds == h.end - 900:
        text = f"Memory cgroup out of memory: Killed process in {pod(h.entity)}"
        yield Happened("OOMKilling", "Pod", pod(h.entity), node, text, warning=True)
    elif h.what is What.DISK_FILLING and seconds == h.start + int((h.end - h.start) * 0.85) // 60 * 60:
        text = f"Node {h.entity} status is now: NodeHasDiskPressure"
        yield Happened("NodeHasDiskPressure", "Node", h.entity, h.entity, text, warning=True)
    elif h.what is What.PLANNED_RESTART and seconds == h.start:
        yield Happened("Killing", "Pod", pod(h.entity), node, "Stopping container app")
    elif h.what is What.PLANNED_RESTART and seconds == h.start + 180:
        yield Happened("Started", "Pod", pod(h.entity, 1), node, "Started container app")


def _event(seconds: int, event: Happened, rng: np.random.Generator) -> bytes:
    at = _rfc3339(seconds)
    service = event.name.rsplit("-", 1)[0] if event.about == "Pod" else event.name
    return orjson.dumps(
        {
            "metadata": {"name": f"{event.name}.{int(rng.integers(0, 2**40)):x}", "namespace": "shop", "creationTimestamp": at},
            "reason": event.reason,
            "message": event.text,
            "type": "Warning" if event.warning else "Normal",
            "count": 1,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "source": {"component": "kubelet", "host": event.node},
            "involvedObject": {"kind": event.about, "namespace": "shop", "name": event.name, "labels": {"app": service}},
        }
    )


def deliveries(scenario: Scenario, seconds: int, rng: np.random.Generator) -> Iterator[bytes]:
    """Pipeline runs every few minutes, a harmless deploy now and then, the bad ones, and their rollbacks."""
    if seconds % _PIPELINE_EVERY == 0:
        service = SERVICES[int(rng.integers(0, len(SERVICES)))].name
        yield _cdevent(seconds, "pipelinerun.finished.0.2.0", service, {"outcome": "success", "pipelineName": f"{service}-build"})
    if seconds % 28_800 == 12_600:
        service = SERVICES[int(rng.integers(0, len(SERVICES)))].name
        if all(h.entity != service for h in scenario.happenings):
            yield _upgrade(seconds, service, f"1.{int(rng.integers(2, 60))}.0")
    for h in scenario.happenings:
        if h.what in _DEPLOYS and seconds == h.start:
            yield _upgrade(seconds, h.entity, "2.14.0")
        elif h.what in _BAD and seconds == h.end:
            yield _cdevent(seconds, "service.rolledback.0.3.0", f"shop/{h.entity}", _content(h.entity, "2.13.4"))


def _upgrade(seconds: int, service: str, version: str) -> bytes:
    return _cdevent(seconds, "service.upgraded.0.3.0", f"shop/{service}", _content(service, version))


def _content(service: str, version: str) -> dict[str, object]:
    return {"environment": {"id": "prod"}, "artifactId": f"pkg:oci/{service}?tag={version}"}


def _cdevent(seconds: int, kind: str, subject: str, content: dict[str, object]) -> bytes:
    identity = f"{kind}-{subject}-{seconds}"
    at = _rfc3339(seconds)
    source = "https://ci.example.com/shop"
    event = {
        "context": {"specversion": "0.5.0", "id": identity, "source": source, "type": f"dev.cdevents.{kind}", "timestamp": at},
        "subject": {"id": subject, "source": source, "content": content},
    }
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": identity,
            "source": source,
            "type": f"dev.cdevents.{kind}",
            "subject": subject,
            "time": at,
            "datacontenttype": "application/json",
            "data": event,
        }
    )


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
