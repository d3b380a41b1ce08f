"""What a configuration may say: one strict tree. Every key has a default, a unit and one sentence.

Stages are handed their own block and nothing else. `load` turns a YAML file into a `Config` or into a list of complaints.
"""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from pydantic import Field, SecretStr

from engine.config.correlate import Correlate as Correlate  # noqa: PLC0414 (part of this tree, in a file of its own)
from engine.config.correlate import Window as Window  # noqa: PLC0414
from engine.config.entity import Entity
from engine.config.fleet import Fleet
from engine.config.forecast import Forecast
from engine.config.formats import Format as Format  # noqa: PLC0414 (part of this tree, in a file of its own)
from engine.config.identity import ENTITY_LABELS, Resource
from engine.config.logs import Logs
from engine.config.mapping import Mapping as Mapping  # noqa: PLC0414 (part of this tree, in a file of its own)
from engine.config.registry import Registry
from engine.config.river import River
from engine.config.slo import Ratio, Slo
from engine.config.state import State as State  # noqa: PLC0414 (part of this tree, in a file of its own)
from engine.config.values import Compression, Duration, Model, Name, Size, Zone

Share = Annotated[float, Ge(0), Le(1)]
Positive = Annotated[int, Gt(0)]
SLOS_MAX = 500
RATIOS_MAX = 100


class Source(Model):
    """Where records come from, what they look like and how they get an identity."""

    name: Name
    """A name of your own for it."""
    topics: Annotated[list[str], MinLen(1)]
    """Kafka topics that it reads, by name or by a pattern of RE2 that begins with ^. One topic belongs to one source."""
    format: Format
    """How its messages are written."""
    compression: Compression = Compression.NONE
    """How each body was packed before it came to Kafka: `none`, `gzip`, `zstd`, `snappy` (blocks), or `auto`: as its header content-encoding says, else by its first bytes."""
    mapping: Mapping = Mapping()
    """For `json`, `logfmt`, `messagepack` and `schema_registry`: where things are in the document; for `syslog` what is to be otherwise."""
    rekey: Annotated[int, Ge(0), Le(1024)] = 0
    """Where the producer does not key by series: partitions of a topic of our own to which its records are written once more, each by what it belongs to; 0: none."""
    registry: Registry = Registry()
    """For `schema_registry`: where the schemas of its messages are kept."""
    entity_labels: list[str] = ENTITY_LABELS
    """Labels that may name the entity; the first that is there wins."""
    drop_labels: list[str] = ["pod_uid", "container_id", "instance_id"]
    """Labels that churn and so are no part of a series' identity."""
    resource: Resource = Resource()
    """OpenTelemetry: which attributes of a resource are part of a series."""
    keep_log_labels: list[str] = []
    """Labels that split a log stream beyond its entity; members of documents and bodies too, by their dotted names, and attributes of OpenTelemetry records."""
    counters: list[str] = []
    """Metric names (a trailing * matches any ending) that are cumulative counters beyond what naming rules see."""
    domain: Name = "default"
    """The correlation domain: only alerts of one domain can become one incident."""
    tenant: Name = "default"
    """Whose data it is; part of every id."""
    timezone: Zone | None = None
    """IANA name of the zone of these topics; unset takes detect.timezone."""
    header_times: Zone | None = None
    """Where only Kafka says when a line was written, the time with which it begins counts, in this IANA zone unless it names one; unset: the record's counts."""
    record_bytes_max: Size = 1_048_576
    """Larger records go to the dead letters."""
    line_bytes_max: Size = 65_536
    """Longer log lines are cut."""


class Kafka(Model):
    """The broker. TLS and SASL go into `client` under librdkafka's own names."""

    bootstrap: str = "localhost:9092"
    """Addresses of brokers, separated by commas."""
    group_prefix: str = "foreshock"
    """Consumer groups are called `<prefix>-<stage>`."""
    topic_prefix: str = "foreshock."
    """Put before the role of each of our own topics."""
    client: dict[str, str | int | bool | SecretStr] = {}
    """Settings of librdkafka for every client: security.protocol, sasl.mechanism, ssl.ca.location, …"""
    start: Literal["earliest", "latest"] = "latest"
    """Where a shard without a committed offset and without a snapshot begins."""
    backfill: Duration = 0.0
    """At the first start, so much of each input topic's past is learned in silence; 0s: none."""
    partitions: dict[str, Positive] = {"alerts": 1, "incidents": 1, "actions": 1, "control": 1, "dead-letters": 1, "audit": 1}
    """With how many partitions each of our own topics is made."""
    batch_records_max: Positive = 16_000
    """The most records of one step."""
    direct: bool = True
    """Take messages from librdkafka's own buffers, a batch at a time; false makes an object of each message, as is also done where the client is not one that this is known to work with."""
    commit_interval: Duration = 1.0
    """Wall time between commits; it never changes what comes out."""


class Rule(Model):
    """Policy for series whose name matches: what deviation matters, in which direction, for how long."""

    match: str
    """Metric name; * matches any run of characters."""
    direction: Literal["both", "up", "down"] = "both"
    """Which side of expected matters."""
    deviation_min: float = 0.0
    """Smallest absolute distance from expected that matters, in the series' unit."""
    relative_min: Share | None = None
    """Smallest distance as a share of expected; unset takes the general default."""
    floor: float | None = None
    """Values below are never anomalous."""
    tier: Literal["light", "standard", "full"] | None = None
    """How much state such a series is worth; unset takes the general one."""
    forecast: bool | None = None
    """Whether it gets a forecast; unset: resources do, as their names tell (memory, disk, connections, queue, certificate, …)."""
    limit: float | None = None
    """The value at which it is used up; it is fallen to where `direction` is down."""
    limit_from: str = ""
    """A metric of the same labels, or else of the same entity, whose value is the limit."""
    derive: bool = True
    """Of buckets (`*_bucket`): mean and quantiles of their histogram are scored; false scores every bucket by itself."""
    ignore: bool = False
    """Never score these series."""


class Detect(Model):
    """Scoring and alerting."""

    false_alarm_every: Duration = 2_592_000.0
    """The budget of one series: at most one false alert in this long. Score 1.0 is set to meet it."""
    tier: Literal["light", "standard", "full"] = "standard"
    """How much state a series is worth: light at most 256 B, standard 2 kB, full 8 kB: it finds periods of their own too."""
    warm_up: Duration = 3600.0
    """Event time for which a new series only learns."""
    samples_min: Positive = 30
    """Samples before a series may alert, however long ago it began."""
    relative_min: Share = 0.2
    """Materiality: a deviation of less than this share of what was expected is nobody's business."""
    confirm: Annotated[int, Ge(1), Le(32)] = 3
    """How many of the latest `confirm_of` samples must be anomalies."""
    confirm_of: Annotated[int, Ge(1), Le(32)] = 5
    """An alert fires on `confirm` anomalies in `confirm_of` samples, at once on a very strong one."""
    recover: Annotated[int, Ge(1), Le(64)] = 5
    """It resolves after so many samples in a row below the boundary."""
    adopt_after: Duration = 21_600.0
    """A level that lasts this long while firing is the new normal."""
    lease: Duration = 300.0
    """A firing alert is told again each third of this."""
    lateness: Duration = 30.0
    """Event time for which a sample may come after a later one and still be scored in order."""
    log_lateness: Duration = 120.0
    """The same for lines and events."""
    future_max: Duration = 300.0
    """Samples further ahead of the log are refused."""
    past_max: Duration = 86_400.0
    """Samples further behind the log are refused."""
    series_max: Positive = 100_000
    """Series of one shard; when full, new ones are refused and live ones kept. From half of it on a new one must come twice."""
    series_per_name_max: Positive = 20_000
    """Series of one shard that may have the same name: a label that explodes takes no place from other metrics."""
    idle_after: Duration = 86_400.0
    """A series silent for this long gives its place back."""
    templates_max: Positive = 20_000
    """Log templates of one shard."""
    templates_per_service_max: Positive = 2_000
    """Log templates of one service."""
    count_bucket: Duration = 60.0
    """Lines and events are counted in buckets of this length."""
    timezone: Zone = "UTC"
    """IANA name of the zone whose clocks the people behind the data live by (Europe/Berlin): its days and weeks are what repeats."""
    entity: Entity = Entity()
    """Several metrics of one entity together."""
    fleet: Fleet = Fleet()
    """The same metric of many like members."""
    logs: Logs = Logs()
    """Sessions of log lines, numbers within them, lines that are due."""
    river: River = River()
    """Detectors of river beside our own."""
    forecast: Forecast = Forecast()
    """What runs out, told before it has."""
    rules: list[Rule] = []
    """Policies by metric name; the first that matches decides."""
    seed: int = 0
    """The only source of randomness."""


class ActionRule(Model):
    """When to trigger what. Targets are entities that are in the inventory, never text from a log."""

    name: Name
    """A name of your own; audit records carry it."""
    action: Name
    """What the receiver of the trigger is to do: rollback, restart, scale, …"""
    mode: Literal["off", "observe", "dry_run", "approve", "auto"] = "observe"
    """`observe` records what would be done, `dry_run` asks the receiver to pretend, `approve` waits for a person, `auto` triggers."""
    entities: list[str] = ["*"]
    """Entities that may be a target; * matches any run of characters."""
    kinds: list[str] = []
    """Anomaly kinds one of which the hint's metric must show; empty: any."""
    metrics: list[str] = []
    """Metric names one of which the hint must name; * matches any run of characters; empty: any."""
    needs_change: bool = False
    """Only when a change is held responsible."""
    needs_event: str = ""
    """Only when such an event (such as k8s.OOMKilling) is among the incident's evidence."""
    probability_min: Share = 0.5
    """Least probability of the hint."""
    age_min: Duration = 120.0
    """Least age of the incident, in event time."""
    cooldown: Duration = 1800.0
    """Time in which the same action on the same target is not triggered again."""
    parameters: dict[str, str] = {}
    """Passed on to the receiver."""


class Respond(Model):
    """Remediation policy. Deny by default: without a rule nothing is ever triggered."""

    enabled: bool = True
    """The global kill switch."""
    targets_max: Positive = 1
    """Targets of one incident."""
    per_action_per_hour: Positive = 3
    """Triggers of one action in any hour."""
    per_hour: Positive = 10
    """Triggers altogether in any hour."""
    storm_incidents: Positive = 5
    """With more open incidents than this in a domain, automation stops."""
    inventory: list[str] = []
    """Entities that may be acted on; empty: the entities of the topology."""
    rules: list[ActionRule] = []
    """When to trigger what; without one nothing is ever triggered."""


class ConsoleSink(Model):
    """Text for people on standard output."""

    type: Literal["console"]
    """Which kind of sink."""
    name: Name = "console"
    """A name of your own; its consumer group carries it."""


class JsonLinesSink(Model):
    """One JSON object a line for each revision of an incident, added to a file."""

    type: Literal["jsonl"]
    """Which kind of sink."""
    name: Name = "jsonl"
    """A name of your own; its consumer group carries it."""
    path: str
    """The file; lines are added at its end."""


class KafkaSink(Model):
    """Incidents as CloudEvents in binary mode on another topic."""

    type: Literal["kafka"]
    """Which kind of sink."""
    name: Name = "kafka"
    """A name of your own; its consumer group carries it."""
    topic: str
    """Where they go."""


class WebhookSink(Model):
    """CloudEvents 1.0 structured JSON, signed as Standard Webhooks."""

    type: Literal["webhook"]
    """Which kind of sink."""
    name: Name = "webhook"
    """A name of your own; its consumer group carries it."""
    url: str
    """http or https; redirects are not followed."""
    secret: SecretStr | None = None
    """`whsec_…`; several separated by a space while a secret is being rotated."""
    timeout: Duration = 15.0
    """For the whole exchange."""
    allow_private: bool = False
    """Let it reach loopback and private addresses (a receiver in the same cluster)."""
    severity_min: Annotated[int, Ge(0), Le(24)] = 0
    """Incidents below this OpenTelemetry severity number are not sent."""


AnySink = Annotated[ConsoleSink | JsonLinesSink | KafkaSink | WebhookSink, Field(discriminator="type")]


class Deliver(Model):
    sinks: list[AnySink] = []
    """Who is told about incidents."""
    retry_first: Duration = 1.0
    """Wait before the first repetition; it doubles each time."""
    retry_max: Duration = 300.0
    """The longest wait."""
    give_up_after: Duration = 86_400.0
    """A delivery that has been failing for longer than this is given up, and counted."""
    breaker_failures: Positive = 5
    """Failures in a row after which a sink is left alone."""
    breaker_probe: Duration = 30.0
    """Time after which a sink left alone is tried once."""


class Admin(Model):
    host: str = "127.0.0.1"
    """Address that /metrics and the probes listen on; 0.0.0.0 in a pod."""
    port: Annotated[int, Ge(0), Le(65535)] = 8080
    """0 takes any free one."""


class Log(Model):
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity of our own log lines."""
    format: Literal["auto", "json", "console"] = "auto"
    """`auto` is JSON lines, and columns on a terminal."""


class Config(Model):
    """The whole configuration."""

    kafka: Kafka = Kafka()
    """The broker."""
    sources: list[Source] = []
    """What is read."""
    slos: Annotated[list[Slo], MaxLen(SLOS_MAX)] = []
    """What was promised of services."""
    ratios: Annotated[list[Ratio], MaxLen(RATIOS_MAX)] = []
    """Shares of counters that are series of their own."""
    detect: Detect = Detect()
    """From samples to alerts."""
    correlate: Correlate = Correlate()
    """From alerts to incidents."""
    respond: Respond = Respond()
    """From incidents to remediation triggers."""
    deliver: Deliver = Deliver()
    """From incidents to people."""
    state: State = State()
    """Snapshots."""
    admin: Admin = Admin()
    """Metrics and probes."""
    log: Log = Log()
    """Log lines about ourselves."""
