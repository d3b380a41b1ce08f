"""Every metric that Foreshock exports: name, kind, help and label names, in one table.

Stages count against these names; `telemetry` turns the table into Prometheus metrics; the dashboards and the reference
page are checked against it. Labels come from closed sets or from configuration, never from data, but for the few
resources that are about to run out.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.enums import Word


class Metric(Word):
    BUILD_INFO = "foreshock_build_info"
    RECORDS_CONSUMED = "foreshock_records_consumed_total"
    BYTES_CONSUMED = "foreshock_consumed_bytes_total"
    RECORDS_REJECTED = "foreshock_records_rejected_total"
    SAMPLES = "foreshock_samples_total"
    LINES = "foreshock_log_lines_total"
    SESSIONS = "foreshock_log_sessions_total"
    EVENTS = "foreshock_events_total"
    HISTOGRAM_SAMPLES = "foreshock_histogram_samples_total"
    SAMPLES_DROPPED = "foreshock_samples_dropped_total"
    SERIES_ACTIVE = "foreshock_series_active"
    SERIES_LEARNING = "foreshock_series_learning"
    SERIES_INHERITED = "foreshock_series_inherited_total"
    SERIES_REFUSED = "foreshock_series_refused_total"
    SERIES_EVICTED = "foreshock_series_evicted_total"
    TEMPLATES_ACTIVE = "foreshock_templates_active"
    ANOMALIES = "foreshock_anomalies_total"
    GATED = "foreshock_anomalies_gated_total"
    ALERTS = "foreshock_alerts_total"
    ALERTS_FIRING = "foreshock_alerts_firing"
    FORECASTS = "foreshock_forecast_series"
    EXHAUSTION = "foreshock_exhaustion_seconds"
    INCIDENTS = "foreshock_incidents_total"
    INCIDENTS_OPEN = "foreshock_incidents_open"
    INCIDENT_DELAY = "foreshock_incident_detection_delay_seconds"
    SLO_BURN = "foreshock_slo_burn_rate"
    SLO_BUDGET = "foreshock_slo_budget_left_ratio"
    SLO_SECONDS = "foreshock_slo_exhaustion_seconds"
    DUPLICATES_DROPPED = "foreshock_duplicates_dropped_total"
    ACTIONS = "foreshock_actions_total"
    DELIVERIES = "foreshock_deliveries_total"
    OUTBOX_PENDING = "foreshock_outbox_pending"
    DEAD_LETTERS = "foreshock_dead_letters_total"
    CONSUMER_LAG = "foreshock_consumer_lag_records"
    EVENT_LAG = "foreshock_event_time_lag_seconds"
    WATERMARK = "foreshock_watermark_timestamp_seconds"
    SHARDS_LIVE = "foreshock_shards_live"
    STEP_SECONDS = "foreshock_step_seconds"
    COMMITS = "foreshock_commits_total"
    REBALANCES = "foreshock_rebalances_total"
    SNAPSHOT_SECONDS = "foreshock_snapshot_seconds"
    SNAPSHOT_BYTES = "foreshock_snapshot_bytes"
    SNAPSHOT_TIME = "foreshock_snapshot_timestamp_seconds"
    SNAPSHOTS_SKIPPED = "foreshock_snapshots_skipped_total"
    REPLAYED = "foreshock_records_replayed_total"
    DETERMINISM_VIOLATIONS = "foreshock_determinism_violations_total"
    RIVER_CALLS = "foreshock_river_calls_total"
    LIMITS_REACHED = "foreshock_limits_reached_total"
    CONFIG_RELOAD_OK = "foreshock_config_last_reload_successful"
    CONFIG_RELOAD_TIME = "foreshock_config_last_reload_success_timestamp_seconds"


class Kind(Word):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


class About(NamedTuple):
    """What a metric is: its kind, one sentence, its label names, and the upper bounds of a histogram's buckets."""

    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


METRICS: dict[Metric, About] = {
    Metric.BUILD_INFO: About(Kind.INFO, "Version of the running program.", ("version", "kernel_id")),
    Metric.RECORDS_CONSUMED: About(Kind.COUNTER, "Records taken from a topic.", ("stage", "topic")),
    Metric.BYTES_CONSUMED: About(Kind.COUNTER, "Bytes of payload taken from a topic.", ("stage", "topic")),
    Metric.RECORDS_REJECTED: About(Kind.COUNTER, "Records or parts of them that could not be used.", ("topic", "reason")),
    Metric.SAMPLES: About(Kind.COUNTER, "Samples scored.", ("signal",)),
    Metric.LINES: About(Kind.COUNTER, "Log lines mined.", ()),
    Metric.SESSIONS: About(
        Kind.COUNTER, "Sessions of log lines that have ended: usual, odd, learning, or too_long to be judged.", ("verdict",)
    ),
    Metric.EVENTS: About(Kind.COUNTER, "Discrete events read.", ("name",)),
    Metric.HISTOGRAM_SAMPLES: About(
        Kind.COUNTER, "Buckets, sums and counts of histograms, and histograms that came whole, of which series were derived.", ()
    ),
    Metric.SAMPLES_DROPPED: About(Kind.COUNTER, "Samples that were not scored.", ("reason",)),
    Metric.SERIES_ACTIVE: About(Kind.GAUGE, "Series that have a model.", ("shard",)),
    Metric.SERIES_LEARNING: About(Kind.GAUGE, "Series too young for an opinion.", ("shard",)),
    Metric.SERIES_INHERITED: About(Kind.COUNTER, "New series that took over what an elder one of their group knows.", ()),
    Metric.SERIES_REFUSED: About(Kind.COUNTER, "Series that got no model.", ("reason",)),
    Metric.SERIES_EVICTED: About(Kind.COUNTER, "Series forgotten after silence.", ()),
    Metric.TEMPLATES_ACTIVE: About(Kind.GAUGE, "Log templates known.", ("shard",)),
    Metric.ANOMALIES: About(Kind.COUNTER, "Samples scored at or beyond the boundary.", ("signal", "kind")),
    Metric.GATED: About(Kind.COUNTER, "Anomalies that did not become an alert, by the gate that decided.", ("gate",)),
    Metric.ALERTS: About(Kind.COUNTER, "Alert transitions published.", ("state",)),
    Metric.ALERTS_FIRING: About(Kind.GAUGE, "Alerts firing now.", ("shard",)),
    Metric.FORECASTS: About(Kind.GAUGE, "Series that have a forecast.", ("shard",)),
    Metric.EXHAUSTION: About(
        Kind.GAUGE,
        "Seconds until a resource is used up, of at most 50 that are told; NaN when the trend has ended or has no bound.",
        ("shard", "entity", "metric"),
    ),
    Metric.INCIDENTS: About(Kind.COUNTER, "Incident transitions.", ("state",)),
    Metric.INCIDENTS_OPEN: About(Kind.GAUGE, "Incidents open now.", ("shard",)),
    Metric.INCIDENT_DELAY: About(
        Kind.HISTOGRAM, "Event time from the onset of an incident to its opening.", (), (10, 30, 60, 120, 300, 600, 1800, 3600)
    ),
    Metric.SLO_BURN: About(
        Kind.GAUGE,
        "Burn rate of an objective in a window: at 1 its budget lasts as long as it should.",
        ("domain", "slo", "window"),
    ),
    Metric.SLO_BUDGET: About(Kind.GAUGE, "Share of an objective's budget that is left; below 0 it is broken.", ("domain", "slo")),
    Metric.SLO_SECONDS: About(
        Kind.GAUGE, "Seconds until nothing is left of an objective's budget, at the speed of the last hour.", ("domain", "slo")
    ),
    Metric.DUPLICATES_DROPPED: About(Kind.COUNTER, "Messages dropped because their stamp was seen before.", ("stage",)),
    Metric.ACTIONS: About(Kind.COUNTER, "Remediation intents by state and deciding gate.", ("state", "reason")),
    Metric.DELIVERIES: About(Kind.COUNTER, "Deliveries to sinks.", ("sink", "result")),
    Metric.OUTBOX_PENDING: About(Kind.GAUGE, "Incidents a sink has not got at their latest revision.", ("sink",)),
    Metric.DEAD_LETTERS: About(Kind.COUNTER, "Records sent to the dead letters.", ("topic", "reason")),
    Metric.CONSUMER_LAG: About(
        Kind.GAUGE, "Records between our position and the end of the partition.", ("stage", "topic", "partition")
    ),
    Metric.EVENT_LAG: About(Kind.GAUGE, "Wall time minus the log time of the newest record taken.", ("stage", "topic")),
    Metric.WATERMARK: About(Kind.GAUGE, "Event time up to which a shard is complete.", ("stage", "shard")),
    Metric.SHARDS_LIVE: About(Kind.GAUGE, "Shards assigned, restored and processing.", ("stage",)),
    Metric.STEP_SECONDS: About(
        Kind.HISTOGRAM,
        "Time of one step of a stage over one batch.",
        ("stage",),
        (0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
    ),
    Metric.COMMITS: About(Kind.COUNTER, "Offset commits.", ("stage", "result")),
    Metric.REBALANCES: About(Kind.COUNTER, "Changes of the assignment.", ("stage", "kind")),
    Metric.SNAPSHOT_SECONDS: About(Kind.HISTOGRAM, "Time to write one snapshot.", (), (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)),
    Metric.SNAPSHOT_BYTES: About(Kind.GAUGE, "Size of a shard's newest snapshot.", ("stage", "shard")),
    Metric.SNAPSHOT_TIME: About(Kind.GAUGE, "When a shard's newest snapshot was written.", ("stage", "shard")),
    Metric.SNAPSHOTS_SKIPPED: About(Kind.COUNTER, "Snapshots that were torn or of another kind and were not used.", ("stage",)),
    Metric.REPLAYED: About(
        Kind.COUNTER, "Records stepped in silence: again after a restore, or of the past at a first start.", ("stage",)
    ),
    Metric.DETERMINISM_VIOLATIONS: About(Kind.COUNTER, "Replays whose outputs differed from those committed.", ("stage",)),
    Metric.RIVER_CALLS: About(Kind.COUNTER, "Looks that detectors of river took at a series or an entity.", ("detector",)),
    Metric.LIMITS_REACHED: About(Kind.COUNTER, "A stated maximum was reached.", ("limit",)),
    Metric.CONFIG_RELOAD_OK: About(Kind.GAUGE, "Whether the last reload of the configuration was taken.", ()),
    Metric.CONFIG_RELOAD_TIME: About(Kind.GAUGE, "When the configuration was last taken.", ()),
}
