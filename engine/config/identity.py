"""What makes the identity of a series, of a source."""

from __future__ import annotations

from typing import Final

from engine.config.values import Model

ENTITY_LABELS: Final = [
    "entity",
    "service",
    "service.name",
    "app",
    "deployment",
    "kubernetes.deployment.name",
    "pod",
    "node",
    "host",
    "instance",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.pod.name",
    "k8s.node.name",
    "container.name",
    "host.name",
]


class Resource(Model):
    """OpenTelemetry: which attributes of a resource are part of a series. All are but these."""

    drop: list[str] = [
        "service.version",
        "telemetry.*",
        "process.*",
        "os.*",
        "container.id",
        "container.image.*",
        "host.id",
        "host.ip",
        "host.mac",
        "host.arch",
        "host.type",
        "host.image.*",
        "host.cpu.*",
        "k8s.cluster.uid",
        "k8s.namespace.uid",
        "k8s.node.uid",
        "k8s.deployment.uid",
        "k8s.statefulset.uid",
        "k8s.daemonset.uid",
        "k8s.job.uid",
        "k8s.cronjob.uid",
        "k8s.replicaset.*",
        "k8s.pod.uid",
        "k8s.pod.ip",
        "k8s.pod.start_time",
        "k8s.pod.labels.*",
        "k8s.pod.annotations.*",
        "k8s.container.restart_count",
        "cloud.account.id",
        "cloud.resource_id",
        "webengine.*",
    ]
    """Those that churn, or say nothing of their own (a trailing * matches any ending)."""
    members: list[str] = ["k8s.pod.name", "host.name", "service.instance.id"]
    """Those that tell the members of one service apart; the first that is there is part of a series, the others are not."""
