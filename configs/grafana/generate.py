"""Builds the Grafana dashboard from a table of panels, in Grafana's own types. Run it by `make dashboards`.

Import `foreshock.json` in Grafana, or mount it by a ConfigMap with the label `grafana_dashboard: "1"`. The data source is
a variable, so that it fits any Prometheus; `stage` narrows what is per stage.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import NamedTuple

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableHide, VariableRefresh

from engine.metrics import Metric

FILE = Path(__file__).parent / "foreshock.json"
SOURCE = DataSourceRef(type_val="prometheus", uid="${ds}")
RATE = "$__rate_interval"
STAGE = '{stage=~"$stage"}'


class Query(NamedTuple):
    """One line (or family of lines) of a panel."""

    expression: str
    legend: str = ""


class Panel(NamedTuple):
    """One panel: a number when `is_number`, else lines over time."""

    title: str
    queries: tuple[Query, ...]
    unit: str
    about: str
    is_number: bool = False


def rate(metric: Metric, by: str = "", labels: str = "") -> str:
    """Increments a second, summed over whatever is not in `by`."""
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({metric}{labels}[{RATE}]))"


def quantile(share: float, metric: Metric, by: str = "", labels: str = "") -> str:
    """A quantile of a histogram."""
    grouped = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({grouped}) (rate({metric}_bucket{labels}[{RATE}])))"


ROWS: dict[str, tuple[Panel, ...]] = {
    "Now": (
        Panel("Incidents open", (Query(f"sum({Metric.INCIDENTS_OPEN})"),), "short", "Incidents that are not resolved.", is_number=True),
        Panel("Alerts firing", (Query(f"sum({Metric.ALERTS_FIRING})"),), "short", "Series with an alert that fires.", is_number=True),
        Panel("Shards live", (Query(f"sum({Metric.SHARDS_LIVE}{STAGE})"),), "short", "Shards assigned, restored, processing.", is_number=True),
        Panel("Series", (Query(f"sum({Metric.SERIES_ACTIVE})"),), "short", "Series that have a model.", is_number=True),
        Panel("Records/s", (Query(rate(Metric.RECORDS_CONSUMED, labels=STAGE)),), "cps", "Records taken, all topics.", is_number=True),
        Panel(
            "Lag", (Query(f"sum({Metric.CONSUMER_LAG}{STAGE})"),), "short", "Records between our position and the ends.", is_number=True
        ),
    ),
    "What it sees": (
        Panel("Anomalies", (Query(rate(Metric.ANOMALIES, "signal, kind"), "{{signal}} {{kind}}"),), "cps", "Samples at or beyond 1.0."),
        Panel("Gates", (Query(rate(Metric.GATED, "gate"), "{{gate}}"),), "cps", "Anomalies that became no alert, by the gate that decided."),
        Panel("Alert transitions", (Query(rate(Metric.ALERTS, "state"), "{{state}}"),), "cps", "Published to the alerts topic."),
        Panel("Incident transitions", (Query(f"sum by (state) (increase({Metric.INCIDENTS}[1h]))", "{{state}}"),), "short", "In the last hour."),
        Panel(
            "Detection delay",
            (Query(quantile(0.5, Metric.INCIDENT_DELAY), "median"), Query(quantile(0.95, Metric.INCIDENT_DELAY), "95 %")),
            "s",
            "Event time from the onset of an incident to its opening.",
        ),
        Panel("Remediation", (Query(f"sum by (state, reason) (increase({Metric.ACTIONS}[1h]))", "{{state}} {{reason}}"),), "short", "Intents by state and deciding gate, in the last hour."),
    ),
    "Objectives": (
        Panel("Budget left", (Query(f"max by (domain, slo) ({Metric.SLO_BUDGET})", "{{slo}}"),), "percentunit", "Share of what may be bad in an objective's window that is left; below 0 it is broken."),
        Panel("Burn rate", (Query(f'max by (domain, slo) ({Metric.SLO_BURN}{{window="1h"}})', "{{slo}} 1 h"), Query(f'max by (domain, slo) ({Metric.SLO_BURN}{{window="3d"}})', "{{slo}} 3 d")), "short", "At 1 a budget lasts as long as its window; a month's is told at 14.4 in an hour, at 1 in three days."),
        Panel("Until nothing is left", (Query(f"min by (domain, slo) ({Metric.SLO_SECONDS})", "{{slo}}"),), "s", "At the speed of the last hour."),
    ),
    "Flow": (
        Panel("Records", (Query(rate(Metric.RECORDS_CONSUMED, "stage, topic", STAGE), "{{stage}} {{topic}}"),), "cps", "Records taken."),
        Panel(
            "Samples, lines, events",
            (Query(rate(Metric.SAMPLES, "signal"), "{{signal}}"), Query(rate(Metric.LINES), "lines"), Query(rate(Metric.EVENTS), "events")),
            "cps",
            "What was decoded and scored.",
        ),
        Panel("Lag", (Query(f"sum by (stage, topic) ({Metric.CONSUMER_LAG}{STAGE})", "{{stage}} {{topic}}"),), "short", "Records behind."),
        Panel("Event time lag", (Query(f"max by (stage, topic) ({Metric.EVENT_LAG}{STAGE})", "{{stage}} {{topic}}"),), "s", "Wall time minus log time of the newest record."),
        Panel(
            "Step time",
            (Query(quantile(0.5, Metric.STEP_SECONDS, "stage", STAGE), "{{stage}} median"), Query(quantile(0.99, Metric.STEP_SECONDS, "stage", STAGE), "{{stage}} 99 %")),
            "s",
            "One step of a stage over one batch.",
        ),
        Panel(
            "Refused",
            (Query(rate(Metric.RECORDS_REJECTED, "reason"), "{{reason}}"), Query(rate(Metric.DEAD_LETTERS), "dead letters")),
            "cps",
            "Records that could not be used.",
        ),
    ),
    "Delivery and state": (
        Panel("Deliveries", (Query(rate(Metric.DELIVERIES, "sink, result"), "{{sink}} {{result}}"),), "cps", "Incidents handed to sinks."),
        Panel("Owed to sinks", (Query(f"sum by (sink) ({Metric.OUTBOX_PENDING})", "{{sink}}"),), "short", "Incidents a sink has not got at their latest revision."),
        Panel("Snapshot age", (Query(f"time() - min by (stage) ({Metric.SNAPSHOT_TIME}{STAGE})", "{{stage}}"),), "s", "Of the shard that waits longest: what a crash would replay."),
        Panel("Snapshot size", (Query(f"sum by (stage) ({Metric.SNAPSHOT_BYTES}{STAGE})", "{{stage}}"),), "bytes", "All shards together."),
        Panel("Rebalances and failed commits", (Query(rate(Metric.REBALANCES, "stage, kind", STAGE), "{{stage}} {{kind}}"), Query(rate(Metric.COMMITS, "result"), "commits {{result}}")), "cps", "Movement of shards."),
        Panel("Limits reached", (Query(rate(Metric.LIMITS_REACHED, "limit"), "{{limit}}"), Query(rate(Metric.SERIES_REFUSED, "reason"), "series refused: {{reason}}")), "cps", "A stated maximum was met: something was refused."),
    ),
}  # fmt: skip


def build() -> str:
    """The dashboard as JSON."""
    board = (
        dashboard.Dashboard("Foreshock")
        .uid("foreshock-overview")
        .description("Throughput, lag, anomalies, incidents, delivery and state of the anomaly detection.")
        .tags(["foreshock"])
        .editable()
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .with_variable(dashboard.DatasourceVariable("ds").label("Data source").type("prometheus").hide(VariableHide.DONT_HIDE))
        .with_variable(_stages())
    )
    ids = count(1)
    for title, panels in ROWS.items():
        board = board.with_row(dashboard.Row(title).id(next(ids)))
        for panel in panels:
            board = board.with_panel((_number(panel) if panel.is_number else _lines(panel)).id(next(ids)))
    return JSONEncoder(sort_keys=True, indent=2).encode(board.build()) + "\n"


def _stages() -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable("stage")
        .label("Stage")
        .datasource(SOURCE)
        .query(f"label_values({Metric.SHARDS_LIVE}, stage)")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .include_all(True)
        .all_value(".*")
        .multi(True)
    )


def _number(panel: Panel) -> stat.Panel:
    built = stat.Panel().title(panel.title).description(panel.about).unit(panel.unit).datasource(SOURCE).span(4).height(4)
    built = built.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    for letter, query in zip("ABCD", panel.queries, strict=False):
        built = built.with_target(_target(letter, query))
    return built


def _lines(panel: Panel) -> timeseries.Panel:
    built = timeseries.Panel().title(panel.title).description(panel.about).unit(panel.unit).datasource(SOURCE).span(8).height(8)
    built = built.min(0).fill_opacity(10).legend(_legend())
    for letter, query in zip("ABCD", panel.queries, strict=False):
        built = built.with_target(_target(letter, query))
    return built


def _legend() -> common.VizLegendOptions:
    return common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM).show_legend(True)


def _target(letter: str, query: Query) -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(letter).expr(query.expression).legend_format(query.legend or "__auto").datasource(SOURCE)


if __name__ == "__main__":
    FILE.write_text(build())
