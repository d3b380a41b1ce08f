"""The nouns: what flows between the stages. Read these files first, in this order.

    log         shards, stamps, records, our topics
    run         consecutive records of one shard as columns
    packed      columns of bytes that lie one after the other
    series      the identity of a stream of samples; ids that are hashes
    columns     what a codec makes of a batch
    alerts      detect → correlate
    incidents   correlate → deliver, respond
    actions     respond → the world; the audit trail
    wire        all of these as JSON

Two forms, by volume. *Columns* (`Samples`, `Lines`) where there are thousands a second. *Frozen structs* (`Alert`,
`Incident`, `Action`, …) for what is rare: these travel as JSON on our own topics, one `type` field telling them apart.

All times are event time as int64 nanoseconds UTC, named `ts_ns`. Scores follow one scale: 0 as expected, 1.0 the alert
boundary of every detector, NaN no opinion. Ids are hashes of stamps, so a replay of the same log makes the same ids.
"""

from engine.records.actions import Action, ActionState, Audit
from engine.records.alerts import (
    GOES_ON,
    LASTING,
    ONCE,
    OVERDUE,
    Alert,
    AlertsMessage,
    AlertState,
    AnomalyKind,
    Change,
    Control,
    Edge,
    ModelRef,
    Outlook,
    Tally,
    Watermark,
)
from engine.records.coded import Coded, only
from engine.records.columns import (
    NO_FIELDS,
    Decoded,
    Dependency,
    Distribution,
    Event,
    Fields,
    Lines,
    Pieces,
    Rejected,
    Samples,
    Span,
    at_rows,
    joined,
)
from engine.records.incidents import Evidence, Hint, Impact, Incident, IncidentState, Member, Merged, Similar
from engine.records.log import ALL_PARTITIONS, Output, Record, Shard, Stamp, Topic
from engine.records.packed import Packed, PackedHeaders
from engine.records.run import PADDING, Run
from engine.records.series import Labels, Series, Signal, ValueKind, digest, parse_key, series_key
from engine.records.wire import as_jsonable, decode_action, decode_alerts_message, decode_control, decode_incident, encode

__all__ = [
    "ALL_PARTITIONS",
    "GOES_ON",
    "LASTING",
    "NO_FIELDS",
    "ONCE",
    "OVERDUE",
    "PADDING",
    "Action",
    "ActionState",
    "Alert",
    "AlertState",
    "AlertsMessage",
    "AnomalyKind",
    "Audit",
    "Change",
    "Coded",
    "Control",
    "Decoded",
    "Dependency",
    "Distribution",
    "Edge",
    "Event",
    "Evidence",
    "Fields",
    "Hint",
    "Impact",
    "Incident",
    "IncidentState",
    "Labels",
    "Lines",
    "Member",
    "Merged",
    "ModelRef",
    "Outlook",
    "Output",
    "Packed",
    "PackedHeaders",
    "Pieces",
    "Record",
    "Rejected",
    "Run",
    "Samples",
    "Series",
    "Shard",
    "Signal",
    "Similar",
    "Span",
    "Stamp",
    "Tally",
    "Topic",
    "ValueKind",
    "Watermark",
    "as_jsonable",
    "at_rows",
    "decode_action",
    "decode_alerts_message",
    "decode_control",
    "decode_incident",
    "digest",
    "encode",
    "joined",
    "only",
    "parse_key",
    "series_key",
]
