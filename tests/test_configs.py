"""Everything under `configs/` is used as it is: it loads, parses, and speaks only of metrics that are exported."""

from __future__ import annotations

import importlib.util
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import promql_parser
import pytest
from ruamel.yaml import YAML

from engine.config.load import load_config
from engine.config.shipped import shipped
from engine.config.tree import Config
from engine.errors import UsageError
from engine.metrics import METRICS, Kind

CONFIGS = Path(__file__).parent.parent / "configs"
DASHBOARD = CONFIGS / "grafana" / "foreshock.json"


def module_at(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def yaml_documents(path: Path) -> list[Any]:
    return list(YAML(typ="safe", pure=True).load_all(path.read_text()))


def exported() -> set[str]:
    """Names that a query may use."""
    names: set[str] = set()
    for metric, about in METRICS.items():
        names |= {f"{metric}_bucket", f"{metric}_sum", f"{metric}_count"} if about.kind is Kind.HISTOGRAM else {str(metric)}
    return names


def metrics_in(expression: str) -> set[str]:
    """The metrics that a PromQL expression reads; raises when it does not parse."""
    plain = expression.replace("$__rate_interval", "5m").replace("$stage", ".*")
    promql_parser.parse(plain)
    return set(re.findall(r"\b(?:stage:)?foreshock_\w+", re.sub(r'"[^"]*"', '""', plain)))


# ------------------------------------------------------------------------------------------------- configurations
@pytest.mark.parametrize(
    "path", [*sorted(CONFIGS.glob("*.yaml")), CONFIGS / "kubernetes" / "foreshock.yaml"], ids=lambda p: p.stem
)
def test_every_configuration_loads(path: Path) -> None:
    load_config(path, {})


def test_the_full_configuration_is_the_defaults() -> None:
    assert load_config(CONFIGS / "full.yaml", {}) == Config()


def test_files_that_ship_with_the_program_are_found() -> None:
    assert shipped("demo.yaml").is_file()
    with pytest.raises(UsageError):
        shipped("no-such-file.yaml")


# -------------------------------------------------------------------------------------------------------- grafana
def panels() -> list[dict[str, Any]]:
    return [panel for panel in orjson.loads(DASHBOARD.read_bytes())["panels"] if panel["type"] != "row"]


def test_the_dashboard_is_what_its_generator_writes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the classic form, which every Grafana since 10 can load
        built = module_at(CONFIGS / "grafana" / "generate.py").build()
    assert built == DASHBOARD.read_text(), "run `make dashboards`"


@pytest.mark.parametrize("panel", panels(), ids=lambda p: p["title"])
def test_every_panel_asks_for_metrics_that_are_exported(panel: dict[str, Any]) -> None:
    assert panel["description"]
    assert panel["datasource"]["uid"] == "${ds}"
    assert [target["refId"] for target in panel["targets"]] == list("ABCD")[: len(panel["targets"])]
    for target in panel["targets"]:
        used = metrics_in(target["expr"])
        assert used
        assert used <= exported()


def test_panels_have_ids_and_do_not_overlap() -> None:
    board = orjson.loads(DASHBOARD.read_bytes())
    assert board["uid"] == "foreshock-overview"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    cells = [cell for panel in board["panels"] for cell in _cells(panel["gridPos"])]
    assert len(set(cells)) == len(cells)


def _cells(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    return ((x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"]))


# ----------------------------------------------------------------------------------------------------- prometheus
def rules() -> list[dict[str, Any]]:
    (document,) = yaml_documents(CONFIGS / "prometheus" / "rules.yaml")
    return [rule for group in document["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda r: r.get("alert") or r["record"])
def test_every_rule_parses_and_asks_for_metrics_that_are_exported(rule: dict[str, Any]) -> None:
    recorded = {r["record"] for r in rules() if "record" in r}
    assert metrics_in(rule["expr"]) <= exported() | recorded
    if "alert" in rule:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_the_scrape_file_is_yaml_with_jobs() -> None:
    (document,) = yaml_documents(CONFIGS / "prometheus" / "scrape.yaml")
    assert {job["job_name"] for job in document["scrape_configs"]} == {"foreshock", "foreshock-kubernetes"}


# ----------------------------------------------------------------------------------------------------- kubernetes
def manifests() -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted((CONFIGS / "kubernetes").glob("*.yaml")):
        if path.name != "foreshock.yaml":
            (document,) = yaml_documents(path)
            found[document["kind"]] = document
    return found


def test_kustomize_lists_every_manifest() -> None:
    listed = set(manifests()["Kustomization"]["resources"])
    there = {path.name for path in (CONFIGS / "kubernetes").glob("*.yaml")} - {"kustomization.yaml", "foreshock.yaml"}
    assert listed == there


def test_the_pod_is_as_restricted_as_kubernetes_lets_it_be() -> None:
    pod = manifests()["StatefulSet"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
    assert container["resources"]["limits"]["memory"]


def test_what_the_pod_writes_to_is_mounted() -> None:
    stateful = manifests()["StatefulSet"]["spec"]
    pod = stateful["template"]["spec"]
    (container,) = pod["containers"]
    volumes = {v["name"] for v in pod["volumes"]} | {c["metadata"]["name"] for c in stateful["volumeClaimTemplates"]}
    mounts = {m["mountPath"]: m for m in container["volumeMounts"]}
    assert {m["name"] for m in mounts.values()} == volumes
    assert {"/tmp", "/var/cache/foreshock"} <= set(mounts)  # noqa: S108
    state = load_config(CONFIGS / "kubernetes" / "foreshock.yaml", {}).state.path
    assert any(state.startswith(path) and not mounts[path].get("readOnly") for path in mounts)


def test_probes_and_services_use_the_admin_port() -> None:
    (container,) = manifests()["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    paths = [container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert paths == ["/startupz", "/livez", "/readyz"]
    config = load_config(CONFIGS / "kubernetes" / "foreshock.yaml", {})
    assert container["ports"] == [{"name": "admin", "containerPort": config.admin.port}]
    assert config.admin.host == "0.0.0.0"  # noqa: S104
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 180


def test_everything_selects_the_same_pods() -> None:
    label = {"app.kubernetes.io/name": "foreshock"}
    found = manifests()
    assert found["StatefulSet"]["spec"]["template"]["metadata"]["labels"] == label
    assert found["Service"]["spec"]["selector"] == label
    for kind, key in (("StatefulSet", "selector"), ("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        assert found[kind]["spec"][key]["matchLabels"] == label
