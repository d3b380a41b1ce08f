"""Which workload a Kubernetes object belongs to, by its name alone: pods and replica sets carry their owner's name."""

from __future__ import annotations

import re

_POD = re.compile(r"(.+)-[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}$")
_SET = re.compile(r"(.+)-[bcdfghjklmnpqrstvwxz2456789]{6,10}$")
_RUN = re.compile(r"(.+)-\d{8,12}$")
_MEMBER = re.compile(r"(.+)-(?:[bcdfghjklmnpqrstvwxz2456789]{5}|\d{1,4})$")


def workload_of(name: str, kind: str = "Pod") -> str:
    """The Deployment, StatefulSet, DaemonSet or CronJob behind an object; the name itself when it is none of theirs.

    Generated parts use only the letters that Kubernetes uses for them, so that ordinary words are not taken for one.

    >>> [workload_of(name) for name in ("cart-7d9c5b6f4-x2k8p", "db-0", "node-exporter-x7k2p", "my-app", "cart")]
    ['cart', 'db', 'node-exporter', 'my-app', 'cart']
    >>> workload_of("cart-7d9c5b6f4", "ReplicaSet"), workload_of("export-29384710", "Job")
    ('cart', 'export')
    """
    patterns = {"Pod": (_POD, _MEMBER), "ReplicaSet": (_SET,), "Job": (_RUN,)}.get(kind, ())
    for pattern in patterns:
        match = pattern.match(name)
        if match is not None:
            return workload_of(match[1], "Job") if kind == "Pod" else match[1]
    return name
